"""Work on the damaged places of a large picture alone, each with its surroundings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backend.geometry import Box, Size
from backend.images import Mask, bounding_box
from backend.tiling import tile_weight, tiles

BLOCK = 1024
"""Longest side of a region without its surroundings: a scratch across the picture is cut."""

OVERLAP = 64
"""Pixels that neighbouring regions share, to fade into each other."""

CONTEXT = 256
"""Pixels around the damage that its repair looks at."""


class Region(NamedTuple):
    """Damage that is repaired at once.

    Attributes:
        core: the box around it, whose pixels are wanted.
        around: the core with its context.
        needed: of the size of `around`, not 0 on the damage in the core.
        weight: (h, w) of the core: 1, falling to 0 where a neighbour goes on.
    """

    core: Box
    around: Box
    needed: Mask
    weight: npt.NDArray[np.float32]


def damaged_regions(damage: Mask) -> Iterator[Region]:
    """Cut (H, W) damage, not 0 where pixels are to be repaired, into regions.

    Where regions overlap their weights add up to about 1; `Patchwork` divides by the sum.
    """
    size = Size(damage.shape[1], damage.shape[0])
    for block in tiles(size, BLOCK, OVERLAP, 1):
        if not damage[block.slices].any():
            continue
        weight = tile_weight(block, size, OVERLAP)[0, 0].numpy()
        own = np.where(weight > 0, damage[block.slices], 0).astype(np.uint8)
        if not own.any():
            continue
        within = bounding_box(own)
        core = within.moved(block.x0, block.y0)
        around = core.grown(CONTEXT).clipped(size)
        needed = np.zeros(around.size.shape, np.uint8)
        needed[core.within(around).slices] = own[within.slices]
        yield Region(core, around, needed, weight[within.slices])


def whole_region(damage: Mask, box: Box) -> Region:
    """All damage of (H, W), which lies in `box`, with the whole picture around it."""
    around = Box(0, 0, damage.shape[1], damage.shape[0])
    return Region(box, around, damage, np.ones(box.size.shape, np.float32))


class Patchwork:
    """Puts the cores of regions together.

    Args:
        box: around all of them.
    """

    def __init__(self, box: Box) -> None:
        self._box = box
        self._sum = np.zeros((*box.size.shape, 3), np.float32)
        self._weight = np.zeros((*box.size.shape, 1), np.float32)

    def add(self, region: Region, values: npt.NDArray[np.float32]) -> None:
        """Put (h, w, 3) of a region's core where it belongs."""
        place = region.core.within(self._box).slices
        self._sum[place] += values * region.weight[..., None]
        self._weight[place] += region.weight[..., None]

    def finished(self, elsewhere: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(H, W, 3) of the box; where no region lies, `elsewhere` of that shape."""
        for top in range(0, len(self._sum), BLOCK):
            band = slice(top, top + BLOCK)
            weight, values = self._weight[band], self._sum[band]
            values /= np.maximum(weight, np.float32(1e-6))
            np.copyto(values, elsewhere[band], where=weight == 0)
        return self._sum
