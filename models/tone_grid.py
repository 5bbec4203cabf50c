"""The network that gives a faded or shaded picture its tone back: a grid of colour transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

_COEFFICIENTS = 12
"""Of an affine colour transform: three rows of red, green, blue and constant."""


class ToneGrid(nn.Module):
    """Estimate a bilateral grid of affine colour transforms from a small copy of the picture.

    x (B, 3, h, w) in [-1, 1] -> (B, 12, bins, h/8, w/8): for each place and brightness the change
    of the colour transform from the identity. h and w are multiples of 32, about 256. The grid is
    smooth, so applying it (`apply_grid`) changes tone and leaves detail as it is, at any size.

    Args:
        width: channels after the first halving; four times as many at an eighth of the size.
        bins: steps of brightness.
        blocks: residual blocks at an eighth of the size.
        wide_blocks: residual blocks at a thirty-second, where the network sees what the picture
            shows, and so what is bright in it.

    Source:
        M. Gharbi et al., "Deep bilateral learning for real-time image enhancement", ACM TOG 36(4),
        2017.
    """

    def __init__(
        self, *, width: int = 32, bins: int = 6, blocks: int = 2, wide_blocks: int = 2
    ) -> None:
        super().__init__()
        self.bins = bins
        deep = 4 * width
        self.local = nn.Sequential(
            *_halving(3, width), *_halving(width, 2 * width), *_halving(2 * width, deep)
        )
        self.wide = nn.Sequential(*_halving(deep, deep), *_halving(deep, deep))
        self.wide_blocks = nn.ModuleList(_block(deep) for _ in range(wide_blocks))
        self.everywhere = nn.Sequential(nn.Linear(2 * deep, deep), nn.LeakyReLU(0.1))
        self.blocks = nn.ModuleList(_block(deep) for _ in range(blocks))
        self.last = nn.Conv2d(deep, _COEFFICIENTS * bins, 1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        features = self.local(x)  # (B, deep, h/8, w/8)
        wide = self.wide(features)  # (B, deep, h/32, w/32)
        for block in self.wide_blocks:
            wide = wide + block(wide)
        spread = wide.std(dim=(2, 3), unbiased=False)
        whole = self.everywhere(torch.cat([wide.mean(dim=(2, 3)), spread], dim=1))
        features = features + F.interpolate(
            wide, features.shape[2:], mode="bilinear", align_corners=False
        )
        features = features + whole[:, :, None, None]
        for block in self.blocks:
            features = features + block(features)
        flat: Tensor = self.last(features)
        batch, _, rows, columns = flat.shape
        return flat.view(batch, _COEFFICIENTS, self.bins, rows, columns)


def _halving(channels: int, after: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, after, 3, stride=2, padding=1), nn.LeakyReLU(0.1)


def _block(channels: int) -> nn.Sequential:
    """The change that a residual block adds; none at first."""
    second = nn.Conv2d(channels, channels, 3, padding=1)
    nn.init.zeros_(second.weight)
    return nn.Sequential(
        nn.LeakyReLU(0.1), nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.1), second
    )


def apply_grid(image: Tensor, grid: Tensor, rows: tuple[float, float] = (0.0, 1.0)) -> Tensor:
    """Apply the colour transforms to a picture of any size, or to a strip of it.

    Args:
        image: (B, 3, H, W) in [-1, 1].
        grid: (B, 12, bins, h, w), over the whole picture.
        rows: where the strip begins and ends, as shares of the picture's height.

    Returns:
        The same shape, not clipped.
    """
    batch, _, height, width = image.shape
    guide = (image * image.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)).sum(1)
    x = (torch.arange(width, device=image.device) + 0.5) / width * 2 - 1
    y = (torch.arange(height, device=image.device) + 0.5) / height
    y = (rows[0] + (rows[1] - rows[0]) * y) * 2 - 1
    places = torch.stack(
        [
            x.view(1, 1, -1).expand(batch, height, width),
            y.view(1, -1, 1).expand(batch, height, width),
            guide.clamp(-1, 1),
        ],
        dim=3,
    )
    sliced = F.grid_sample(
        grid, places.unsqueeze(1), mode="bilinear", padding_mode="border", align_corners=False
    )[:, :, 0]  # (B, 12, H, W)
    matrices = sliced.view(batch, 3, 4, height, width)
    change: Tensor = (matrices[:, :, :3] * image.unsqueeze(1)).sum(2) + matrices[:, :, 3]
    return image + change
