"""Lay drawn marks over a batch, and tell which of their pixels people can see."""

from __future__ import annotations

import torch
from torch import Tensor

from models.training.degradations.aging import Aging
from models.training.degradations.fields import box_mean, is_gray, luminance

VISIBLE_CHANGE = 0.05
"""A mark that changes the luminance by less is lost in the grain of a scan."""

MASKING = 0.7
"""Share of the picture's own local deviation that a change must exceed to be seen in it.

Texture hides marks: a faint speck is plain on a sky and invisible in gravel (contrast masking;
G. E. Legge and J. M. Foley, "Contrast masking in human vision", J. Opt. Soc. Am. 70(12), 1980).
"""

SMALLEST_CHANGE = 0.01
"""Changes below are no damage at all."""


def lay_over(image: Tensor, paint: Tensor) -> Tensor:
    """Blend paint into pictures; gray pictures stay gray.

    Args:
        image: (B, 3, H, W) in [0, 1].
        paint: (B, 4, H, W), colour times opacity, and opacity.
    """
    color, opacity = paint[:, :3], paint[:, 3:]
    color = torch.where(is_gray(image), luminance(color), color)
    return image * (1 - opacity) + color


def add_marks(aging: Aging, paint: Tensor) -> None:
    """Lay damage over the batch and add what of it can be seen to the mask.

    Args:
        aging: is changed.
        paint: (B, 4, H, W) from `Paint.as_array`.
    """
    before = luminance(aging.image)
    aging.image = lay_over(aging.image, paint)
    change = (luminance(aging.image) - before).abs()
    mean = box_mean(before, 9)
    deviation = (box_mean(before**2, 9) - mean**2).clamp_min(0).sqrt()
    needed = (MASKING * deviation).clamp_min(VISIBLE_CHANGE)
    # The eye joins neighbouring pixels: the mean change over 3 x 3 decides.
    seen = (box_mean(change, 3) > needed) & (change > 0)
    aging.mask = torch.maximum(aging.mask, seen.to(before.dtype))
    lost = (change > SMALLEST_CHANGE) & ~seen
    aging.unsure = torch.maximum(aging.unsure, lost.to(before.dtype)) * (1 - aging.mask)
    touched = (paint[:, 3].amax(dim=(1, 2)) > 0).nonzero().flatten().tolist()
    area = aging.mask.mean(dim=(1, 2, 3))
    aging.record(touched, "marks", {"area": area[touched]})
