"""The patch attention of the high resolution's mapping, over a map read strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend.streaming.convolutions import Rows
from backend.streaming.maps import Map, Picture
from backend.streaming.steps import Patches
from models.layers import DAMAGED_PATCH_SHARE

LARGEST_QUERIES_BYTES = 2**26
"""Of the damaged patches that are looked up in one pass over the map."""

_CELLS_AT_A_TIME = 2**14
"""Of a map whose patches are compared at a time."""


class Grid(NamedTuple):
    """The patches of a map, row by row.

    Attributes:
        size: cells along a patch's side.
        down, across: whole patches along the map's sides.
        height, width: of the map.
        is_hole: (down * across,) true where a patch is damaged.
    """

    size: int
    down: int
    across: int
    height: int
    width: int
    is_hole: Tensor

    @classmethod
    def of(cls, touched: Tensor, size: int) -> Grid:
        """Lay patches of `size` over (1, 1, h, w) `touched`, 1 on damaged cells."""
        height, width = touched.shape[2:]
        down, across = height // size, width // size
        whole = touched[:, :, : down * size, : across * size]
        blocks = whole.cpu().float().reshape(down, size, across, size)
        is_hole = (blocks.mean(dim=(1, 3)) > DAMAGED_PATCH_SHARE).flatten()
        return cls(size, down, across, height, width, is_hole)

    @property
    def has_copies(self) -> bool:
        """Whether there is a damaged patch, and an undamaged one to copy from."""
        return bool(self.is_hole.any()) and not bool(self.is_hole.all())

    def bands(self) -> Iterator[range]:
        """Rows of patches that are read at a time."""
        count = max(1, _CELLS_AT_A_TIME // (self.size * self.width))
        for first in range(0, self.down, count):
            yield range(first, min(first + count, self.down))

    def rows(self, band: range) -> Rows:
        return Rows(band.start * self.size, band.stop * self.size)

    def read(self, cells: Map, band: range) -> Tensor:
        """(patches, C * size * size) of a band."""
        strip = cells.read(self.rows(band))[..., : self.across * self.size]
        shape = (-1, len(band), self.size, self.across, self.size)
        return strip.reshape(shape).permute(1, 3, 0, 2, 4).reshape(len(band) * self.across, -1)

    def write(self, cells: Map, band: range, patches: Tensor) -> None:
        """Set a band to (patches, C * size * size), and the cells beside the patches to zero."""
        shape = (len(band), self.across, -1, self.size, self.size)
        strip = patches.reshape(shape).permute(2, 0, 3, 1, 4)
        strip = strip.reshape(1, -1, len(band) * self.size, self.across * self.size)
        cells.write(self.rows(band), F.pad(strip, (0, self.width - strip.shape[3])))


def fill_patches(
    step: Patches,
    cells: Map,
    touched: Tensor,
    device: torch.device,
    compute: torch.dtype,
    advance: Callable[[float], None],
) -> None:
    """Overwrite the damaged patches of a map with the most similar undamaged ones.

    The result is exactly that of `PatchAttention` up to the rounding of the similarity. Memory is
    bounded; the time grows with the number of damaged patches times that of all.

    Args:
        step: whose patch size.
        cells: (1, C, h, w), its features.
        touched: (1, 1, h, w), 1 on damaged cells.
        device: where to compare.
        compute: type of the products.
        advance: told the multiplications done since the last call; may raise to stop.
    """
    size = step.module.patch_size
    grid = Grid.of(touched, size)
    if not grid.has_copies:
        return
    holes = grid.is_hole.nonzero().squeeze(1)
    at_a_time = max(1, LARGEST_QUERIES_BYTES // (cells.shape.channels * size * size * 4))
    for some in torch.split(holes, at_a_time):
        queries = F.normalize(_gather(grid, cells, some).to(device, torch.float32), dim=1)
        best = _most_similar(grid, cells, queries.to(compute), advance)
        del queries
        _scatter(grid, cells, some, _gather(grid, cells, best))
    _blacken_border(grid, cells)


def patches_cost(step: Patches, touched: Tensor, channels: int) -> float:
    """Multiplications of the comparisons for the whole map, roughly."""
    size = step.module.patch_size
    grid = Grid.of(touched, size)
    holes = int(grid.is_hole.sum())
    return float(holes) * (grid.down * grid.across - holes) * channels * size * size


def combined(
    step: Patches,
    cells: Map,
    features: Map,
    touched: Tensor,
    rows_per_strip: int,
    device: torch.device,
    compute: torch.dtype,
) -> Iterator[tuple[Rows, Tensor]]:
    """The convolution over a map (1, C, h, w), its filled features and the damaged cells.

    Yields:
        Rows and (1, C, rows, w) float32, in their order.
    """
    height = cells.shape.height
    sources: tuple[Map, ...] = (cells, features, Picture(touched))
    for start in range(0, height, rows_per_strip):
        rows = Rows(start, min(start + rows_per_strip, height))
        total: Tensor | None = None
        for part, source in zip(step.parts, sources, strict=True):
            have = part.needed(rows, height)
            strip = source.read(have).to(device, compute)
            share = part.apply(strip, have, height, rows).float()
            total = share if total is None else total + share
        assert total is not None
        yield rows, total


def _most_similar(
    grid: Grid, cells: Map, queries: Tensor, advance: Callable[[float], None]
) -> Tensor:
    """For each of (Q, D) normalized queries the undamaged patch with the largest cosine: (Q,)."""
    best = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    highest = torch.full((len(queries),), -torch.inf, device=queries.device)
    for band in grid.bands():
        first = band.start * grid.across
        sources = (~grid.is_hole[first : band.stop * grid.across]).nonzero().squeeze(1)
        if not len(sources):
            continue
        patches = grid.read(cells, band)
        patches = patches[sources.to(patches.device)].to(queries.device, torch.float32)
        keys = F.normalize(patches, dim=1).to(queries.dtype)
        score, index = (queries @ keys.T).float().max(dim=1)
        # Of equals the first is taken, as argmax over all at once does.
        is_better = score > highest
        highest = torch.where(is_better, score, highest)
        best = torch.where(is_better, sources.to(best.device)[index] + first, best)
        advance(float(queries.numel()) * len(sources))
    return best.cpu()


def _gather(grid: Grid, cells: Map, wanted: Tensor) -> Tensor:
    """The patches with these numbers, (N, C * size * size), in the map's type."""
    found: Tensor | None = None
    for band in grid.bands():
        first, last = band.start * grid.across, band.stop * grid.across
        here = ((wanted >= first) & (wanted < last)).nonzero().squeeze(1)
        if not len(here):
            continue
        patches = grid.read(cells, band)
        if found is None:
            found = patches.new_empty(len(wanted), patches.shape[1])
        found[here.to(found.device)] = patches[(wanted[here] - first).to(patches.device)]
    assert found is not None, "at least one patch is wanted"
    return found


def _scatter(grid: Grid, cells: Map, numbers: Tensor, values: Tensor) -> None:
    for band in grid.bands():
        first, last = band.start * grid.across, band.stop * grid.across
        here = ((numbers >= first) & (numbers < last)).nonzero().squeeze(1)
        if not len(here):
            continue
        patches = grid.read(cells, band).clone()
        patches[(numbers[here] - first).to(patches.device)] = values[here.to(values.device)]
        grid.write(cells, band, patches)


def _blacken_border(grid: Grid, cells: Map) -> None:
    """Set what lies behind the last whole patch to zero."""
    bottom, right = grid.down * grid.size, grid.across * grid.size
    for start in range(0, grid.height, grid.size):
        rows = Rows(start, min(start + grid.size, grid.height))
        strip = cells.read(rows).clone()
        strip[:, :, max(0, bottom - start) :] = 0
        strip[..., right:] = 0
        cells.write(rows, strip)
