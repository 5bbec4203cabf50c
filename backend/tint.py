"""The tint of prints that show no colours: gray, sepia, or yellowed by the years."""

from __future__ import annotations

import torch
from torch import Tensor

from backend.tensors import LUMINANCE

BINS = 16
"""Steps of brightness; a print's tint depends on brightness alone, stains apart."""

FEW_COLORS, SMALL_SHARE = 0.015, 0.06
"""Root mean square of the chroma that brightness does not explain, and its share of the energy of
all chroma, below either of which a picture is a tinted print. Of 34 old black and white photos 33
are below; of 38 colour photos 3, which show little colour or one hue for each brightness."""


def is_tinted_print(image: Tensor) -> bool:
    """Whether a picture has one tint for each brightness, and so no colours.

    Args:
        image: (1, 3, H, W) in [0, 1], small.
    """
    light, chroma = _parted(image)
    values = chroma[0].flatten(1)  # (3, N)
    place = (light.flatten() * BINS).long().clamp(0, BINS - 1)
    sums = torch.zeros(3, BINS).index_add(1, place, values)
    counts = torch.zeros(BINS).index_add(0, place, torch.ones(len(place)))
    left = values - (sums / counts.clamp_min(1))[:, place]
    energy, of_left = float((values**2).sum(0).mean()), float((left**2).sum(0).mean())
    return of_left <= FEW_COLORS**2 or of_left <= SMALL_SHARE * energy


def keep_tint(before: Tensor, after: Tensor) -> Tensor:
    """Give each pixel its old tint, or a paler one: a tone that turns into another is no repair.

    Args:
        before: (1, 3, H, W) in [0, 1].
        after: the same with its tone restored.

    Returns:
        The brightness of `after`, and of the chroma of `before` as much as `after` has in its
        direction, but no more than all of it.
    """
    _, old = _parted(before)
    light, new = _parted(after)
    along = (old * new).sum(1, keepdim=True) / (old**2).sum(1, keepdim=True).clamp_min(1e-8)
    return light + along.clamp(0, 1) * old


def _parted(image: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance (1, 1, H, W), and chroma (1, 3, H, W): what each channel has beyond it."""
    weights = image.new_tensor(LUMINANCE).view(1, 3, 1, 1)
    light = (image * weights).sum(1, keepdim=True)
    return light, image - light
