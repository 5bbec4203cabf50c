"""Pixels to tensors and back, and padding that works for every size.

An image is (1, 3, H, W) float32 RGB in [0, 1]; a mask is (1, 1, H, W) float32, 1 = repair.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.geometry import Box
from backend.images import Mask, Pixels, as_depth, level_count

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in ITU-R BT.601 luma, which the detector was trained on."""

BAND_ROWS = 256


def to_image(color: Pixels) -> Tensor:
    """(H, W, 1 or 3) pixels as an image; gray is repeated in the three channels."""
    image = torch.empty(1, 3, *color.shape[:2])
    for top in range(0, color.shape[0], BAND_ROWS):
        band = color[top : top + BAND_ROWS].astype(np.float32) / np.float32(level_count(color))
        image[0, :, top : top + BAND_ROWS] = torch.from_numpy(band).permute(2, 0, 1)
    return image


def to_pixels(image: Tensor, like: Pixels, *, gray: bool) -> Pixels:
    """Round an image to pixels.

    Args:
        image: (1, 3, H, W); values outside [0, 1] are clipped.
        like: (..., C) array with the wanted depth, and 1 or 3 channels.
        gray: take the luminance, and repeat it in all channels.
    """
    # In bands: of a large picture, each intermediate result would be as large as the picture.
    height, width = image.shape[2:]
    pixels = as_depth(np.empty((height, width, like.shape[-1]), like.dtype), like)
    for top in range(0, height, BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        pixels[rows] = _band_to_pixels(image[:, :, rows], like, gray=gray)
    return pixels


def _band_to_pixels(image: Tensor, like: Pixels, *, gray: bool) -> Pixels:
    top = level_count(like)
    values = image.detach().float().cpu()
    # Gray pixels have room for the luminance only.
    values = luminance(values)[0] if gray or like.shape[-1] == 1 else values[0]
    levels = as_depth((values.clamp(0, 1) * top).round_().permute(1, 2, 0).numpy(), like)
    return as_depth(np.repeat(levels, like.shape[-1] // levels.shape[2], axis=2), like)


def cut(image: Tensor, box: Box) -> Tensor:
    """The box of (..., H, W), in the same memory."""
    rows, columns = box.slices
    return image[..., rows, columns]


def luminance(image: Tensor) -> Tensor:
    """(1, 3, H, W) to (1, 1, H, W)."""
    weights = torch.tensor(LUMINANCE, dtype=image.dtype, device=image.device)
    return (image * weights[None, :, None, None]).sum(dim=1, keepdim=True)


def to_mask(mask: Mask) -> Tensor:
    """(H, W) uint8 to (1, 1, H, W) in [0, 1]."""
    return torch.from_numpy(mask.astype(np.float32) / np.float32(255))[None, None]


def reflected(length: int, before: int, after: int) -> npt.NDArray[np.int64]:
    """Indices that extend an axis by reflection, repeatedly where it is short.

    Args:
        length: >= 1.
        before: number of indices in front of 0.
        after: number of indices behind `length` - 1.
    """
    if length == 1:
        return np.zeros(before + 1 + after, dtype=np.int64)
    period = 2 * (length - 1)
    position = np.abs(np.arange(-before, length + after, dtype=np.int64)) % period
    index: npt.NDArray[np.int64] = np.minimum(position, period - position)
    return index


def pad_to_multiple(x: Tensor, multiple: int, least: int = 1) -> Tensor:
    """Extend (1, C, H, W) by reflection, right and below, to multiples that are not below `least`.

    `[..., :H, :W]` of the result is `x`.
    """
    for axis in (2, 3):
        length = x.shape[axis]
        wanted = -(-max(length, least) // multiple) * multiple
        if wanted > length:
            index = torch.from_numpy(reflected(length, 0, wanted - length)).to(x.device)
            x = x.index_select(axis, index)
    return x


def dilate(mask: Mask, radius: int) -> Mask:
    """Grow the masked area by `radius` pixels in all directions."""
    if radius < 1:
        return mask
    side = 2 * radius + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask, kernel), dtype=np.uint8)
