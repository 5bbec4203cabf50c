"""Smaller and larger copies by whole factors: each pixel of one is a square of the other."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor


def reduce(values: Tensor, factor: int) -> Tensor:
    """(C, H, W) to the means of squares; those at the right and below go on as they end."""
    if factor == 1:
        return values
    height, width = values.shape[1:]
    padding = (0, -width % factor, 0, -height % factor)
    # One by one: of a large picture a padded copy is as large as the picture.
    channels = [
        F.avg_pool2d(F.pad(channel[None, None], padding, mode="replicate"), factor)[0]
        for channel in values
    ]
    return torch.cat(channels)


def enlarge(values: Tensor, factor: int, size: tuple[int, int]) -> Tensor:
    """(C, h, w) to (C, H, W), linear between the centres of the squares; (H, W) is `size`."""
    if factor == 1:
        return values
    larger = F.interpolate(values[None], scale_factor=factor, mode="bilinear", align_corners=False)
    return larger[0, :, : size[0], : size[1]]


def depth(hole: Tensor) -> Tensor:
    """(H, W) float32, distance of each pixel of a (H, W) bool hole from what is known."""
    inside = hole.numpy().astype(np.uint8)
    return torch.from_numpy(np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 5), np.float32))
