"""The network that gives a faded or shaded picture its tone back: a grid of colour transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from models.layers import silent

_COEFFICIENTS = 12
"""Of an affine colour transform: three rows of red, green, blue and constant."""

_LUMINANCE = (0.299, 0.587, 0.114)

_QUANTILES, _LIGHTS = 17, 12

_CHROMA_SCALE = 4.0
"""So that a tint weighs as much as a brightness."""

STATISTICS = 3 * _QUANTILES + 5 * _LIGHTS
"""Numbers that `tone_statistics` makes of a picture."""


class ToneGrid(nn.Module):
    """Estimate a bilateral grid of affine colour transforms from a thumbnail of the picture.

    x (B, 3, h, w) in [-1, 1] -> (B, 12, bins, h/4, w/4): for each place and brightness the change
    of the colour transform from the identity. h and w are multiples of 16, about 100. The grid is
    smooth, so applying it (`apply_grid`) changes tone and leaves detail as it is, at any size.

    A U-Net down to a sixteenth of the thumbnail. It sees the logarithm of the luminance, too, in
    which a cloud over the picture is a smooth field that is added.

    Args:
        width: channels of all that is smaller than the thumbnail.
        bins: steps of brightness.
        statistics_width: of the layers that read `tone_statistics`. From them a lifted black or a
            tint is read off; from pixels it is learned only slowly.

    Source:
        M. Gharbi et al., "Deep bilateral learning for real-time image enhancement", ACM TOG 36(4),
        2017, for grid and application.
    """

    def __init__(
        self,
        *,
        width: int = 96,
        bins: int = 6,
        statistics_width: int = 256,
    ) -> None:
        super().__init__()
        self.bins = bins
        first = width // 3
        self.local = nn.Sequential(
            nn.Conv2d(4, first, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(first, 2 * first, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * first, width, 4, stride=2, padding=1),
            *_blocks(width, 1),
        )
        self.middle = nn.Sequential(_halving(width), *_blocks(width, 2))
        self.wide = nn.Sequential(_halving(width), *_blocks(width, 3))
        self.everywhere = nn.Linear(2 * width, width)
        self.statistics = nn.Sequential(
            nn.Linear(STATISTICS, statistics_width),
            nn.LeakyReLU(0.1),
            nn.Linear(statistics_width, statistics_width),
            nn.LeakyReLU(0.1),
        )
        self.from_statistics = silent(nn.Linear(statistics_width, width))
        self.middle_up = nn.Sequential(*_blocks(width, 3))
        self.local_up = nn.Sequential(*_blocks(width, 1), nn.LeakyReLU(0.1))
        self.last = silent(nn.Conv2d(width, _COEFFICIENTS * bins, 1))
        self.last_of_statistics = silent(nn.Linear(statistics_width, _COEFFICIENTS * bins))

    def forward(self, x: Tensor) -> Tensor:
        local = self.local(torch.cat([x, _logarithm(x)], dim=1))  # (B, width, h/4, w/4)
        middle = self.middle(local)  # (B, width, h/8, w/8)
        wide = self.wide(middle)  # (B, width, h/16, w/16)
        spread = wide.std(dim=(2, 3), unbiased=False)
        numbers = self.statistics(tone_statistics(x))
        whole = self.everywhere(torch.cat([wide.mean(dim=(2, 3)), spread], dim=1))
        whole = whole + self.from_statistics(numbers)
        wide = wide + whole[:, :, None, None]
        middle = self.middle_up(middle + _enlarged(wide, middle))
        local = self.local_up(local + _enlarged(middle, local))
        flat: Tensor = self.last(local) + self.last_of_statistics(numbers)[:, :, None, None]
        batch, _, rows, columns = flat.shape
        return flat.view(batch, _COEFFICIENTS, self.bins, rows, columns)


def _logarithm(x: Tensor) -> Tensor:
    """Of the luminance, (B, 1, h, w) in about [-1, 1]."""
    light = (x * x.new_tensor(_LUMINANCE).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return ((light.clamp_min(-1) + 1) / 2 + 0.02).log() / 2 + 1


def _enlarged(small: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(small, like.shape[2:], mode="bilinear", align_corners=False)


def _halving(width: int) -> nn.Sequential:
    return nn.Sequential(nn.LeakyReLU(0.1), nn.Conv2d(width, width, 3, stride=2, padding=1))


class _Block(nn.Module):
    """A residual block, which changes nothing at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.1),
            silent(nn.Conv2d(width, width, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = x + self.change(x)
        return changed


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [_Block(width) for _ in range(count)]


def tone_statistics(x: Tensor) -> Tensor:
    """What the picture's tones are, wherever they lie.

    Args:
        x: (B, 3, h, w) in [-1, 1]; h and w are multiples of 2.

    Returns:
        (B, STATISTICS): quantiles of each channel; then for each step of luminance the share of the
        picture, the mean of red and of blue beyond luminance, and their standard deviations.
    """
    with torch.autocast(x.device.type, enabled=False):
        return _tone_statistics(x.float()).to(x.dtype)


def _tone_statistics(x: Tensor) -> Tensor:
    flat = F.avg_pool2d(x, 2).flatten(2)  # (B, 3, N), without most of the grain
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


def apply_grid(
    image: Tensor,
    grid: Tensor,
    rows: tuple[float, float] = (0.0, 1.0),
    columns: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    """Apply the colour transforms to a picture of any size, or to a part of it.

    Args:
        image: (B, 3, H, W) in [-1, 1].
        grid: (B, 12, bins, h, w), over the whole picture.
        rows, columns: where the part begins and ends, as shares of the picture's height and width;
            beyond the picture its edges go on.

    Returns:
        The same shape, not clipped.
    """
    batch, _, height, width = image.shape
    pixels = image.transpose(1, 2)  # (B, H, 3, W)
    guide = (pixels * image.new_tensor(_LUMINANCE).view(1, 1, 3, 1)).sum(2)
    x = (torch.arange(width, device=image.device) + 0.5) / width
    x = (columns[0] + (columns[1] - columns[0]) * x) * 2 - 1
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
