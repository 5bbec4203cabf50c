"""What a large hole may look like by and large, and where the photo still shows it."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend.networks import Networks
from backend.synthesis.sizes import reduce
from backend.tensors import luminance, pad_to_multiple
from backend.texture import photo_grain
from backend.tiling import LEAST_SIDE
from models.compact_unet import RestorationUNet
from models.filling import fill_smoothly

MULTIPLE = 16
"""The network halves the size four times."""

SHOWN = 0.5
"""Share of the photo that the network keeps, or correlation of what it makes with the photo, from
which on the photo shows what is there: beside the damage, or through a stain."""

NEAR = 5
"""Side of the square, in pixels of the small copy, in which both are taken together."""

RIM = 3
"""Pixels of the small copy along the edge of the damage in which details are not compared."""

FINE = 7
"""Side of the square whose mean is taken away before details are compared."""

NOISE = 1e-4
"""Variance of details below which they are none."""


class Guess(NamedTuple):
    """What the restoration network makes of a small copy.

    Attributes:
        image: (3, H, W) in [0, 1].
        shown: (H, W) bool, where the photo shows it.
    """

    image: Tensor
    shown: Tensor


def guess_hole(photo: Tensor, hole: Tensor, factor: int, networks: Networks) -> Guess:
    """Restore a small copy of a photo.

    Args:
        photo: (3, H, W) in [0, 1].
        hole: (H, W) bool.
        factor: how much smaller the copy is.
        networks: with "restoration".

    Returns:
        Of the size of the copy.
    """
    known = (~hole)[None].float()
    share = reduce(known, factor)
    outside = reduce(photo * known, factor) / share.clamp_min(1e-3)
    damaged = (share < 0.5).float()[None]  # (1, 1, h, w)
    shown = torch.where(damaged > 0, reduce(photo, factor)[None], outside[None])
    # As in the training masks are a little larger than the damage.
    mask = F.max_pool2d(damaged, 3, 1, 1)
    filled = fill_smoothly(shown, mask)
    level = photo_grain(shown)
    light = luminance(filled)
    grain = torch.zeros_like(light) if level is None else level.at(light)
    given = [filled * 2 - 1, mask, shown * 2 - 1, grain]
    height, width = light.shape[2:]
    # The few pixels need no fast type, and what is kept no other way of computing it.
    network = cast(RestorationUNet, networks.load("restoration"))
    padded = (pad_to_multiple(x, MULTIPLE, LEAST_SIDE).to(networks.device) for x in given)
    change, kept = (x.cpu()[..., :height, :width] for x in network.estimate(*padded))
    # Deep in a hole even the little that is kept of it is wrong.
    invented = (filled + change / 2 - kept * (shown - filled) * mask).clamp(0, 1)
    image = (filled + change / 2).clamp(0, 1)
    is_shown = (_around(kept) > SHOWN) | (_correlation(image, shown, mask) > SHOWN)
    return Guess(torch.where(is_shown, image, invented)[0], is_shown[0, 0])


def _correlation(image: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """(1, 1, H, W) of the details of two (1, 3, H, W), inside the mask alone."""
    # The edge of the damage is seen in the photo only.
    inside = 1 - F.max_pool2d(1 - mask, 2 * RIM + 1, 1, RIM)
    a, b = (_details(luminance(x), inside) * inside for x in (image, other))
    return _around(a * b) / ((_around(a**2) + NOISE) * (_around(b**2) + NOISE)).sqrt()


def _details(light: Tensor, inside: Tensor) -> Tensor:
    share = F.avg_pool2d(inside, FINE, 1, FINE // 2).clamp_min(1e-3)
    return light - F.avg_pool2d(light * inside, FINE, 1, FINE // 2) / share


def _around(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, NEAR, 1, NEAR // 2, count_include_pad=False)
