"""Loss of sharpness: lens, motion, lost resolution."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from models.training.degradations.aging import Operation, Parameters
from models.training.degradations.dice import Dice
from models.training.degradations.fields import filter_each, gaussian_blur

KERNEL_SIDE = 15
"""Of motion and lens blur, in pixels."""


def soft_focus(largest_sigma: float) -> Operation:
    """Gaussian blur with a standard deviation of 0.3 pixels to `largest_sigma`."""

    def gaussian(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
        sigma = dice.mostly_low(len(image), 0.3, largest_sigma)
        radius = max(2, round(3 * largest_sigma))
        return gaussian_blur(image, sigma, radius), {"sigma": sigma}

    return gaussian


def defocus(largest_radius: float) -> Operation:
    """A lens out of focus spreads each point over a disk, one to `largest_radius` pixels wide."""

    def lens(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
        radius = dice.uniform(len(image), 1.0, largest_radius)
        x, y = _kernel_grid(image)
        disk = (radius + 0.5 - torch.hypot(x, y)).clamp(0, 1)
        return filter_each(image, disk / disk.sum((2, 3), keepdim=True)), {"radius": radius}

    return lens


def motion_blur(longest: float) -> Operation:
    """The camera or the sitter moved along a line of 2 to `longest` pixels."""

    def motion(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
        length = dice.uniform(len(image), 2.0, longest)
        angle = dice.uniform(len(image), 0.0, np.pi)
        x, y = _kernel_grid(image)
        along = (x * angle.cos() + y * angle.sin()).abs()
        across = (y * angle.cos() - x * angle.sin()).abs()
        line = (length / 2 + 0.5 - along).clamp(0, 1) * (1 - across).clamp(0, 1)
        kernels = line / line.sum((2, 3), keepdim=True)
        return filter_each(image, kernels), {"length": length, "angle": angle}

    return motion


def lost_resolution(largest_factor: float) -> Operation:
    """Reduced by up to `largest_factor`, the same in both directions, and enlarged again."""

    def reduced(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
        factor = dice.uniform(len(image), 1.1, largest_factor)
        smooth = dice.pick(len(image), (0.0, 1.0))
        parts = []
        for picture, ratio, way in zip(torch.split(image, 1), factor, smooth, strict=True):
            height, width = (max(2, round(n / float(ratio))) for n in image.shape[2:])
            parts.append(_there_and_back(picture, height, width, "bicubic" if way else "bilinear"))
        return torch.cat(parts), {"factor": factor, "cubic": smooth}

    return reduced


def blur_of_the_original(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Gaussian of 3, 5 or 7 pixels' side cut from a standard deviation of 1 to 5."""
    side, sigma = dice.pick(len(image), (3, 5, 7)), dice.uniform(len(image), 1.0, 5.0)
    x, y = _kernel_grid(image, 7)
    inside = (torch.maximum(x.abs(), y.abs()) <= (side - 1) / 2).to(image.dtype)
    kernels = inside * torch.exp(-(x**2 + y**2) / (2 * sigma**2))
    blurred = filter_each(image, kernels / kernels.sum((2, 3), keepdim=True))
    return blurred, {"side": side, "sigma": sigma}


def resolution_of_the_original(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Width and height reduced apart to a half up to all, nearest or bilinear back."""
    share_x, share_y = dice.uniform(len(image), 0.5, 1.0), dice.uniform(len(image), 0.5, 1.0)
    nearest = dice.pick(len(image), (0.0, 1.0))
    parts = []
    for place, picture in enumerate(torch.split(image, 1)):
        height = max(2, int(image.shape[2] * float(share_y[place])))
        width = max(2, int(image.shape[3] * float(share_x[place])))
        way = "nearest" if nearest[place] else "bilinear"
        parts.append(_there_and_back(picture, height, width, way))
    return torch.cat(parts), {"width": share_x, "height": share_y, "nearest": nearest}


def _there_and_back(picture: Tensor, height: int, width: int, way_back: str) -> Tensor:
    resize = partial(F.interpolate, picture, (height, width), mode="bicubic")
    small = resize(antialias=True, align_corners=False).clamp(0, 1)
    if way_back == "nearest":
        return F.interpolate(small, picture.shape[2:], mode="nearest-exact")
    return F.interpolate(small, picture.shape[2:], mode=way_back, align_corners=False)


def _kernel_grid(image: Tensor, side: int = KERNEL_SIDE) -> tuple[Tensor, Tensor]:
    """x (1, 1, 1, side) and y (1, 1, side, 1) in pixels from the middle."""
    offsets = torch.arange(side, device=image.device, dtype=image.dtype) - side // 2
    return offsets.view(1, 1, 1, -1), offsets.view(1, 1, -1, 1)
