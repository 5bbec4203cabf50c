"""JPEG's loss as tensor code: 4:2:0 colour, 8 x 8 cosine transform, quantisation.

Source: ITU-T T.81 (1992), annexes A.3 and K.1; the scaling of the tables by quality is the
Independent JPEG Group's.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from models.training.degradations.aging import Operation, Parameters
from models.training.degradations.dice import Dice

# T.81 table K.1: luminance.
_LUMINANCE_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
# T.81 table K.2: chrominance; from the fifth row and column on everything is 99.
_CHROMINANCE_CORNER = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))

# JFIF: RGB to Y, Cb, Cr.
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)


def compression(lowest: int, highest: int) -> Operation:
    """Save as JPEG with a quality from `lowest` to `highest` (1 to 100), and read back."""

    def jpeg(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
        quality = dice.uniform(len(image), lowest, highest + 1).floor()
        return compress(image, quality), {"quality": quality}

    return jpeg


def compress(image: Tensor, quality: Tensor) -> Tensor:
    """What reading a JPEG file gives that was saved from these pictures.

    Args:
        image: (B, 3, H, W) in [0, 1].
        quality: (B, 1, 1, 1), 1 to 100.

    Returns:
        The same shape and range; gray pictures stay gray.
    """
    height, width = image.shape[2:]
    padded = F.pad(image, (0, -width % 16, 0, -height % 16), mode="replicate")
    matrix = image.new_tensor(_TO_YCC)
    levels = (padded * 255).round()
    planes = torch.einsum("ij,bjhw->bihw", matrix, levels)  # Y from 0, Cb and Cr around 0
    luma = _quantized(planes[:, :1] - 128, _table(quality, chrominance=False)) + 128
    chroma = _quantized(F.avg_pool2d(planes[:, 1:], 2), _table(quality, chrominance=True))
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    back = torch.linalg.inv(matrix)
    result = torch.einsum("ij,bjhw->bihw", back, torch.cat([luma, chroma], 1))
    return (result.round() / 255).clamp(0, 1)[..., :height, :width]


def _table(quality: Tensor, *, chrominance: bool) -> Tensor:
    """(B, 1, 1, 1) qualities -> (B, 1, 8, 8) step sizes."""
    if chrominance:
        base = torch.full((8, 8), 99.0)
        base[:4, :4] = torch.tensor(_CHROMINANCE_CORNER)
    else:
        base = torch.tensor(_LUMINANCE_TABLE, dtype=torch.float32)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    return ((base.to(quality.device) * scale + 50) / 100).floor().clamp(1, 255)


def _quantized(plane: Tensor, table: Tensor) -> Tensor:
    """Transform, round to the table's steps and transform back. (B, C, H, W) in levels."""
    batch, channels, height, width = plane.shape
    blocks = plane.reshape(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    transform = _cosines(plane)  # (8, 8)
    coefficients = transform @ blocks @ transform.T
    steps = table.view(batch, 1, 1, 1, 8, 8)
    rounded = (coefficients / steps).round() * steps
    back = transform.T @ rounded @ transform
    return back.transpose(3, 4).reshape(plane.shape)


def _cosines(like: Tensor) -> Tensor:
    """The orthonormal 8-point cosine transform."""
    k = torch.arange(8, device=like.device, dtype=like.dtype)
    rows = torch.cos((2 * k[None] + 1) * k[:, None] * (math.pi / 16)) / 2
    rows[0] = 1 / math.sqrt(8)
    return rows
