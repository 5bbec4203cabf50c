"""What happens to faces in old photos: blur, lost resolution, grain, JPEG, at the face's own size.

A face of 80 pixels is not a large face that was blurred: once it is brought to the size of a crop,
its grain and blocks are large, too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from models.training.degradations import noise, optics, tone
from models.training.degradations.aging import Aging
from models.training.degradations.dice import Dice
from models.training.degradations.jpeg import compression

SIDES = (64, 96, 128, 192, 256)
"""Sides, in pixels of the photo, of the square that becomes a crop of 256 pixels."""

_SHARES = (0.25, 0.15, 0.15, 0.2, 0.25)


def printed_faces(faces: Tensor, dice: Dice) -> Tensor:
    """Faces as well kept prints show them: the tone of the years stays, for others to restore.

    Args:
        faces: (B, 3, S, S) in [0, 1], from `recipe.developed`.
    """
    aging = Aging.of(faces)
    aging.apply(tone.fading(0.6), dice, 0.25)
    return aging.image


def common_side(dice: Dice) -> int:
    """One of SIDES, for a whole batch."""
    return int(dice.choices.choice(SIDES, p=_SHARES))


def aged_faces(clean: Tensor, side: int, dice: Dice) -> Tensor:
    """Reduce a batch to a size that faces have in photos, and age it there.

    Args:
        clean: (B, 3, S, S) in [0, 1].
        side: of the result, in pixels; a multiple of 16.

    Returns:
        (B, 3, side, side) in [0, 1].
    """
    aging = Aging.of(resized(clean, side))
    aging.apply(optics.soft_focus(3.0), dice, 0.7)
    aging.apply(optics.motion_blur(6.0), dice, 0.1)
    aging.apply(optics.lost_resolution(2.5), dice, 0.4)
    aging.apply(noise.film_grain(0.13), dice, 0.8)
    aging.apply(compression(20, 90), dice, 0.6)
    return aging.image


def resized(faces: Tensor, side: int) -> Tensor:
    """(B, 3, S, S) to (B, 3, side, side), as the alignment resizes."""
    if faces.shape[2] == side:
        return faces
    resampled = F.interpolate(
        faces, (side, side), mode="bicubic", antialias=faces.shape[2] > side, align_corners=False
    )
    return torch.clamp(resampled, 0, 1)
