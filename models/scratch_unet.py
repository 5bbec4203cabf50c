"""The U-Net that finds structured damage (scratches, folds, spots)."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn


class ScratchUNet(nn.Module):
    """Estimate for each pixel how likely it is to be damaged.

    x (B, in_channels, H, W) in [-1, 1] -> logits (B, out_channels, H, W). H and W are multiples of
    2**depth and at least 2**(depth + 1).

    Args:
        in_channels: 1 for gray.
        out_channels: 1.
        depth: number of times the size is halved.
        width: channels at full size; each level has twice as many.
        convolutions: 3x3 convolutions per level.

    Source:
        Z. Wan et al., "Bringing Old Photos Back to Life", CVPR 2020, section 3.3;
        R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019 (blurred
        subsampling).
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 1,
        depth: int = 4,
        width: int = 64,
        convolutions: int = 2,
    ) -> None:
        super().__init__()
        self.depth = depth
        channels = [width * 2**level for level in range(depth + 1)]
        self.first = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, width, 7),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.down_path = nn.ModuleList(
            _Level(channels[level], channels[level + 1], convolutions) for level in range(depth)
        )
        self.down_sample = nn.ModuleList(_make_halving(channels[level]) for level in range(depth))
        self.up_path = nn.ModuleList(
            _Ascent(channels[level + 1], channels[level], convolutions)
            for level in reversed(range(depth))
        )
        self.last = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(width, out_channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        multiple = 2**self.depth
        if x.shape[2] % multiple or x.shape[3] % multiple:
            raise ValueError(
                f"ScratchUNet needs a height and width that are multiples of {multiple}, "
                f"but got {x.shape[2]}x{x.shape[3]}."
            )
        x = self.first(x)  # (B, width, H, W)
        skipped = []
        for halve, level in zip(self.down_sample, self.down_path, strict=True):
            skipped.append(x)
            x = level(halve(x))  # twice the channels at half the size
        for ascent in self.up_path:
            x = ascent(x, skipped.pop())  # half the channels at twice the size
        logits: Tensor = self.last(x)  # (B, out_channels, H, W)
        return logits


def _make_convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.ReflectionPad2d(1),
        nn.Conv2d(in_channels, out_channels, 3),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.2, inplace=True),
    ]


def _make_halving(channels: int) -> nn.Sequential:
    """(B, C, H, W) -> (B, C, H/2, W/2)."""
    return nn.Sequential(*_make_convolution(channels, channels), BlurredSubsampling(channels))


class _Level(nn.Module):
    """A few convolutions at one size."""

    def __init__(self, in_channels: int, out_channels: int, convolutions: int) -> None:
        super().__init__()
        layers = _make_convolution(in_channels, out_channels)
        for _ in range(convolutions - 1):
            layers += _make_convolution(out_channels, out_channels)
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.block(x)
        return result


class _Ascent(nn.Module):
    """Double the size and join with what was kept on the way down."""

    def __init__(self, in_channels: int, out_channels: int, convolutions: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.ReflectionPad2d(1),
            nn.Conv2d(in_channels, out_channels, 3),
        )
        self.conv_block = _Level(2 * out_channels, out_channels, convolutions)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        result: Tensor = self.conv_block(torch.cat([self.up(x), skipped], dim=1))
        return result


class BlurredSubsampling(nn.Module):
    """Blur with the binomial kernel [1 2 1]⊗[1 2 1]/16 and take every second pixel.

    (B, C, H, W) -> (B, C, H/2, W/2), borders reflected. The kernel is a buffer because checkpoints
    list it.
    """

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Written out: arithmetic on the meta device, where networks are built before their weights
        # are read, makes torch import its compiler.
        kernel = [[a * b / 16 for a in (1, 2, 1)] for b in (1, 2, 1)]
        self.register_buffer("filt", torch.tensor([[kernel]] * channels))  # (C, 1, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, self.filt, stride=2, groups=x.shape[1])
