"""Stage 2 for the whole picture: repair the damage, clean, restore the tone, as chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from backend.damage import HALF, HOLE_GROWTH, Filled
from backend.geometry import Box
from backend.images import Mask
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.stages.denoising import denoise
from backend.stages.restoration import (
    repair_scratches,
    repaired_part,
    restore_global,
)
from backend.stages.tone import restore_tone
from backend.tensors import cut, dilate, to_mask
from backend.texture import keep_texture, photo_grain

BAND_ROWS = 256

OnRepaired: TypeAlias = Callable[[Tensor, Box], None]
"""Gets (1, 3, h, w) of a box around the damage, repaired and in the photo's own tone."""


def restore_whole_picture(
    source: Tensor,
    filled: Filled,
    hole: Mask,
    options: Options,
    networks: Networks,
    monitor: Monitor,
    on_repaired: OnRepaired = lambda _part, _box: None,
) -> Tensor:
    """Restore a picture as far as the options say.

    Args:
        source: (1, 3, H, W) in [0, 1], the photo.
        filled: the same, with what is left to be repaired.
        hole: (H, W), not 0 on damage.
        monitor: of the stage.
        on_repaired: gets the repaired damage before the tone is restored, if there is any.

    Returns:
        A new (1, 3, H, W), not clipped.
    """
    cleaning, toning = monitor.part(0, 2), monitor.part(1, 2)
    image, left = filled.image, filled.left
    if options.cleaning and not networks.uses_model("denoising"):
        grain = photo_grain(image) if networks.has("restoration") else None
        result, _ = restore_global(image, left, networks, cleaning, grain=grain)
        # With what the networks were told beside it.
        faint = dilate(((filled.places > 0) & (hole < HALF)).astype(np.uint8), HOLE_GROWTH)
        if networks.has("restoration"):
            keep_texture(result, image, left, grain)
        if hole.any():
            on_repaired(*repaired_part(result, source, hole, networks))
        if options.strength < 1 or faint.any():
            _fade(result, source, hole, faint, options.strength)
    else:
        result = source.clone()
        if hole.any():
            repaired, box = repair_scratches(filled, hole, networks, cleaning.part(0, 2))
            _put(result, repaired, box, hole)
            on_repaired(repaired, box)
        if options.cleaning:
            # In place of the weights: both in turn would smooth twice and take twice the time.
            repaired_photo = result
            result = denoise(repaired_photo, networks, cleaning.part(1, 2))
            if options.strength < 1:
                result.lerp_(repaired_photo, 1 - options.strength)
    if options.tone and options.strength > 0 and networks.has("tone"):
        restore_tone(result, networks, toning, strength=options.strength)
    return result


def _fade(result: Tensor, source: Tensor, hole: Mask, faint: Mask, strength: float) -> None:
    """Leave a share of the photo, in place.

    The damage is repaired whatever the strength, and places that are selected in part as much as
    they are selected.
    """
    for top in range(0, len(hole), BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        selected = to_mask(hole[rows])
        share = torch.where(to_mask(faint[rows]) > 0, selected, selected.clamp_min(strength))
        result[:, :, rows] = torch.lerp(source[:, :, rows], result[:, :, rows], share)


def _put(image: Tensor, repaired: Tensor, box: Box, hole: Mask) -> None:
    """Fade a repair into the picture as strongly as the mask says."""
    below = cut(image, box)
    below += to_mask(hole[box.slices]) * (repaired - below)
