"""Smooth random fields and filters that differ for each picture of a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from models.training.degradations.dice import Dice

LUMINANCE = (0.299, 0.587, 0.114)
"""Rec. 601 weights, the grey of most scanners and of Pillow's "L"."""


def luminance(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)."""
    weights = image.new_tensor(LUMINANCE).view(1, 3, 1, 1)
    return (image * weights).sum(dim=1, keepdim=True)


def is_gray(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, 1, 1) bool: all three channels agree within half an 8-bit level."""
    spread = (image.amax(dim=1) - image.amin(dim=1)).amax(dim=(1, 2))
    return (spread < 0.5 / 255).view(-1, 1, 1, 1)


def smooth_field(like: Tensor, dice: Dice, cells: float) -> Tensor:
    """A random field of about `cells` bumps along the longer side.

    Returns:
        (B, 1, H, W), mean 0 and standard deviation 1 for each picture.
    """
    batch, _, height, width = like.shape
    scale = cells / max(height, width)
    rows, columns = max(2, round(height * scale) + 1), max(2, round(width * scale) + 1)
    coarse = dice.noise(batch, 1, rows, columns)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    mean, deviation = smooth.mean((2, 3), keepdim=True), smooth.std((2, 3), keepdim=True)
    return (smooth - mean) / (deviation + 1e-6)


def coordinates(like: Tensor) -> tuple[Tensor, Tensor]:
    """x (1, 1, 1, W) and y (1, 1, H, 1) from -1 to 1."""
    _, _, height, width = like.shape
    x = torch.linspace(-1, 1, width, device=like.device).view(1, 1, 1, width)
    y = torch.linspace(-1, 1, height, device=like.device).view(1, 1, height, 1)
    return x, y


def filter_each(image: Tensor, kernels: Tensor) -> Tensor:
    """Filter each picture with its own kernel, borders reflected.

    Args:
        image: (B, C, H, W), larger than half the kernel.
        kernels: (B, 1, k, k), k odd.
    """
    batch, channels, height, width = image.shape
    radius = kernels.shape[-1] // 2
    padded = F.pad(image, (radius,) * 4, mode="reflect")
    weights = kernels.repeat_interleave(channels, dim=0)
    flat = padded.reshape(1, batch * channels, *padded.shape[2:])
    return F.conv2d(flat, weights, groups=batch * channels).view(batch, channels, height, width)


def gaussian_blur(image: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Blur each picture with its own standard deviation.

    Args:
        sigma: (B, 1, 1, 1), in pixels.
        radius: of the kernel in pixels.
    """
    offsets = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    line = torch.exp(-(offsets**2) / (2 * sigma.view(-1, 1, 1, 1) ** 2 + 1e-8))
    line = line / line.sum(dim=-1, keepdim=True)  # (B, 1, 1, k)
    batch, channels, height, width = image.shape
    weights = line.repeat_interleave(channels, dim=0)
    groups = batch * channels
    flat = F.pad(image, (radius, radius, 0, 0), mode="reflect").reshape(1, groups, height, -1)
    across = F.conv2d(flat, weights, groups=groups).view(image.shape)
    flat = F.pad(across, (0, 0, radius, radius), mode="reflect").reshape(1, groups, -1, width)
    return F.conv2d(flat, weights.transpose(2, 3), groups=groups).view(image.shape)


def box_mean(image: Tensor, side: int) -> Tensor:
    """Mean over side x side pixels (odd), the border's pixels over what lies inside."""
    return F.avg_pool2d(image, side, 1, side // 2, count_include_pad=False)
