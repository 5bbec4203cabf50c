"""The network that gives a faded or shaded picture its tone back: a grid of colour transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

_COEFFICIENTS = 12
"""Of an affine colour transform: three rows of red, green, blue and constant."""


_LUMINANCE = (0.299, 0.587, 0.114)

_QUANTILES, _LIGHTS = 17, 12

_CHROMA_SCALE = 4.0
"""So that a tint weighs as much as a brightness."""

STATISTICS = 3 * _QUANTILES + 5 * _LIGHTS
"""Numbers that `tone_statistics` makes of a picture."""


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
        statistics_width: of the layers that read `tone_statistics`. From them a lifted black or a
            tint is read off; from pixels it is learned only slowly.

    Source:
        M. Gharbi et al., "Deep bilateral learning for real-time image enhancement", ACM TOG 36(4),
        2017.
    """

    def __init__(
        self,
        *,
        width: int = 32,
        bins: int = 6,
        blocks: int = 2,
        wide_blocks: int = 2,
        statistics_width: int = 256,
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
        self.last = _silent(nn.Conv2d(deep, _COEFFICIENTS * bins, 1))
        self.statistics = nn.Sequential(
            nn.Linear(STATISTICS, statistics_width),
            nn.LeakyReLU(0.1),
            nn.Linear(statistics_width, statistics_width),
            nn.LeakyReLU(0.1),
        )
        self.from_statistics = _silent(nn.Linear(statistics_width, deep))
        self.last_of_statistics = _silent(nn.Linear(statistics_width, _COEFFICIENTS * bins))

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
        numbers = self.statistics(tone_statistics(x))
        whole = whole + self.from_statistics(numbers)
        features = features + whole[:, :, None, None]
        for block in self.blocks:
            features = features + block(features)
        flat: Tensor = self.last(features) + self.last_of_statistics(numbers)[:, :, None, None]
        batch, _, rows, columns = flat.shape
        return flat.view(batch, _COEFFICIENTS, self.bins, rows, columns)


def _halving(channels: int, after: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, after, 3, stride=2, padding=1), nn.LeakyReLU(0.1)


def _silent(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """The layer with zeros: it adds nothing at first."""
    assert layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _block(channels: int) -> nn.Sequential:
    """The change that a residual block adds; none at first."""
    second = _silent(nn.Conv2d(channels, channels, 3, padding=1))
    return nn.Sequential(
        nn.LeakyReLU(0.1), nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.1), second
    )


def tone_statistics(x: Tensor) -> Tensor:
    """What the picture's tones are, wherever they lie.

    Args:
        x: (B, 3, h, w) in [-1, 1]; h and w are multiples of 4.

    Returns:
        (B, STATISTICS): quantiles of each channel; then for each step of luminance the share of the
        picture, the mean of red and of blue beyond luminance, and their standard deviations.
    """
    with torch.autocast(x.device.type, enabled=False):
        return _tone_statistics(x.float()).to(x.dtype)


def _tone_statistics(x: Tensor) -> Tensor:
    flat = F.avg_pool2d(x, 4).flatten(2)  # (B, 3, N), without most of the grain
    count = flat.shape[2]
    places = torch.linspace(0, count - 1, _QUANTILES, device=x.device).round().long()
    quantiles = flat.sort(dim=2).values[:, :, places].flatten(1)
    light = (flat * flat.new_tensor(_LUMINANCE).view(1, 3, 1)).sum(1)  # (B, N)
    chroma = (flat[:, ::2] - light[:, None]) * _CHROMA_SCALE  # (B, 2, N): red, blue
    step = ((light + 1) / 2 * _LIGHTS).long().clamp(0, _LIGHTS - 1)
    member = F.one_hot(step, _LIGHTS).to(flat.dtype)  # (B, N, steps)
    size = member.sum(1)  # (B, steps)
    mean = chroma @ member / size.clamp_min(1)[:, None]  # (B, 2, steps)
    square = chroma**2 @ member / size.clamp_min(1)[:, None]
    deviation = (square - mean**2).clamp_min(1e-8).sqrt()
    share = (size / count).sqrt()
    return torch.cat([quantiles, share, mean.flatten(1), deviation.flatten(1)], dim=1)


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
    pixels = image.transpose(1, 2)  # (B, H, 3, W)
    guide = (pixels * image.new_tensor(_LUMINANCE).view(1, 1, 3, 1)).sum(2)
    x = (torch.arange(width, device=image.device) + 0.5) / width * 2 - 1
    # Each row has a grid of its own, so that a pixel is looked up in two dimensions and not three.
    of_rows = _grids_of_rows(grid, height, rows)
    places = torch.stack([x.expand_as(guide), guide.clamp(-1, 1)], dim=3)
    sliced = F.grid_sample(
        of_rows.flatten(0, 1),
        places.view(batch * height, 1, width, 2),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    matrices = sliced.view(batch, height, 3, 4, width)
    change = (matrices[:, :, :, :3] * pixels.unsqueeze(2)).sum(3) + matrices[:, :, :, 3]
    return image + change.transpose(1, 2)


def _grids_of_rows(grid: Tensor, height: int, rows: tuple[float, float]) -> Tensor:
    """(B, 12, bins, h, w) -> (B, height, 12, bins, w), linear between the grid's rows."""
    y = (torch.arange(height, device=grid.device) + 0.5) / height
    y = (rows[0] + (rows[1] - rows[0]) * y) * grid.shape[3] - 0.5
    y = y.clamp(0, grid.shape[3] - 1)
    above = y.long()
    below = (above + 1).clamp_max(grid.shape[3] - 1)
    share = (y - above).view(1, -1, 1, 1, 1)
    by_row = grid.permute(0, 3, 1, 2, 4)
    return torch.lerp(by_row[:, above], by_row[:, below], share.to(grid.dtype))
