"""How the original resizes pictures, paints holes, and turns tensors into 8-bit files."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from PIL import Image
from torch import Tensor

Bytes = npt.NDArray[np.uint8]
"""(H, W, 3) or (H, W) with 8 bits per sample."""

SHORT_SIDE = 256


def rounded_size(
    width: int, height: int, *, multiple: int, short_side: int | None = None
) -> tuple[int, int]:
    """The nearest size whose sides are multiples, halves to the even multiple (24 -> 32, 40 -> 32).

    Args:
        short_side: scale so that the shorter side gets this length first.

    Returns:
        (width, height); 0 for a side below half the multiple.
    """
    exact: tuple[float, float] = (width, height)
    if short_side is not None:
        if width < height:
            exact = (short_side, height / width * short_side)
        else:
            exact = (width / height * short_side, short_side)
    return round(exact[0] / multiple) * multiple, round(exact[1] / multiple) * multiple


def resize(pixels: Bytes, width: int, height: int, method: Image.Resampling) -> Bytes:
    """Resize (H, W, 3) or (H, W) as Pillow does, with its blur before reduction."""
    return np.asarray(Image.fromarray(pixels).resize((width, height), method))


def to_gray(pixels: Bytes) -> Bytes:
    """(H, W, 3) -> (H, W), Pillow's weights and rounding."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def to_network(pixels: Bytes) -> Tensor:
    """(H, W, 3) or (H, W) -> (1, 3 or 1, H, W) in [-1, 1]."""
    samples = torch.from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1).copy())
    unit = samples.to(torch.float32).div(255)
    return unit.sub(0.5).div(0.5).unsqueeze(0)


def to_mask(mask: Bytes) -> Tensor:
    """(H, W) of 0..255 -> (1, 1, H, W) in [0, 1]."""
    return torch.from_numpy(mask.copy()).to(torch.float32).div(255)[None, None]


def to_bytes(unit: Tensor) -> Bytes:
    """(1, C, H, W), nominally in [0, 1] -> (H, W, C); rounds to nearest, clips."""
    levels = unit.mul(255).add(0.5).clamp(0, 255).to(torch.uint8)
    return levels[0].permute(1, 2, 0).cpu().numpy()


def stretch_to_bytes(unit: Tensor) -> Bytes:
    """Like to_bytes, after stretching the values of all channels together to the full range.

    This is the original's colour and contrast shift: each photo's darkest sample becomes 0 and its
    brightest 255. A constant picture, whatever its value, becomes black.
    """
    low, high = float(unit.min()), float(unit.max())
    return to_bytes(unit.sub(low).div(max(high - low, 1e-5)))


def scale_for_detection(gray: Tensor) -> Tensor:
    """(1, 1, H, W) with the short side brought to 256 and both sides to multiples of 16.

    Bilinear without a blur, also when it reduces.
    """
    height, width = gray.shape[2:]
    new_width, new_height = rounded_size(width, height, multiple=16, short_side=SHORT_SIDE)
    return F.interpolate(gray, (new_height, new_width), mode="bilinear", align_corners=False)


def paint_white(pixels: Bytes, mask: Bytes) -> Bytes:
    """Blend white over (H, W, 3) where mask (H, W) of 0..255 says so; fractions are cut off."""
    share = (mask / 255)[..., None]
    return (pixels * (1 - share) + share * 255).astype(np.uint8)


def dilate(mask: Bytes) -> Bytes:
    """Grow (H, W) by three pixels, as the high-resolution mode does."""
    return np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=3), dtype=np.uint8)
