"""What networks see where full transparency hides the picture."""

from __future__ import annotations

import numpy as np
import torch

from backend.damage import LEAST
from backend.images import Mask, Picture, Pixels, as_depth
from backend.tensors import dilate
from models.filling import fill_smoothly


def visible_color(photo: Picture, damage: Mask | None = None) -> Pixels:
    """The colours, those that full transparency hides replaced by what surrounds them, smoothly.

    Hidden colours are anything, often black; with edges of their own they would be taken for
    scratches, and be continued into holes beside them.

    Args:
        photo: with or without alpha.
        damage: (H, W), not 0 where colours are wrong, so that nothing is filled from them; None
            while that is not known.

    Returns:
        (H, W, 1 or 3); visible pixels as they are.
    """
    alpha = photo.alpha
    if alpha is None or alpha.all():
        return photo.color
    hidden = alpha == 0
    unknown = hidden if damage is None else hidden | (dilate(damage, 1) >= LEAST)
    if unknown.all():
        # Damaged colours say more of the photo than hidden ones.
        unknown = hidden
    if unknown.all():
        return photo.color
    mask = torch.from_numpy(unknown.astype(np.float32))[None, None]
    color = photo.color.copy()
    # Channel by channel, since a large picture is held several times.
    for channel in range(color.shape[2]):
        values = torch.from_numpy(color[..., channel].astype(np.float32))[None, None]
        filled = fill_smoothly(values, mask)[0, 0].numpy()[hidden]
        color[..., channel][hidden] = as_depth(np.round(filled), color)
    return color
