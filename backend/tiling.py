"""Run a network over a large picture tile by tile, without visible seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.device import MAY_BE_MEMORY, is_out_of_memory
from backend.geometry import Box, Size
from backend.monitor import Monitor
from backend.tensors import cut, pad_to_multiple

RunTile = Callable[[Sequence[Tensor], Monitor], Tensor]
"""Takes the tiles of all inputs, padded, and returns (1, C, h, w) of the same height and width."""

SMALLER_PIECES = (
    "The memory did not suffice at first, so the picture is restored in smaller pieces, which "
    "takes longer."
)

LEAST_SIDE = 32
"""Networks that halve the size several times and pad by reflection need a few cells."""


class TileSides(NamedTuple):
    """Sides in pixels.

    Attributes:
        longest: of a tile where the memory suffices for it.
        least: of a tile where it does not; smaller ones would show too little.
        overlap: of neighbours.
    """

    longest: int
    least: int
    overlap: int


USUAL_TILES = TileSides(512, 192, 96)
"""For networks to which what is more than some tens of pixels away makes no difference."""


def run_tiled(
    run: RunTile,
    inputs: Sequence[Tensor],
    *,
    channels: int,
    tile: int,
    overlap: int,
    multiple: int,
    monitor: Monitor,
    is_needed: Callable[[Box], bool] = lambda _: True,
) -> tuple[Tensor, Tensor]:
    """Run `run` on overlapping tiles and blend its results.

    The outer quarter of each overlap is context only; in between the tiles fade into each other.

    Args:
        run: see RunTile.
        inputs: (1, C_i, H, W) on the CPU, all of one size.
        channels: C of the result.
        tile: longest side of a tile, of the last one up to `multiple` more; a picture within it is
            one tile.
        overlap: pixels that neighbours share, less by up to `multiple` - 1; below `tile`.
        multiple: tiles begin at, and are padded to, multiples of this.
        monitor: advances with the tiles.
        is_needed: tiles for which it is false are left out.

    Returns:
        (1, C, H, W) float32 on the CPU, and (1, 1, H, W) uint8: 1 where it is complete, 0 where a
        tile was left out.
    """
    size = Size(inputs[0].shape[3], inputs[0].shape[2])
    result = torch.zeros(1, channels, *size.shape)
    complete = torch.ones(1, 1, *size.shape, dtype=torch.uint8)
    down, across = (_shares(length, tile, overlap, multiple) for length in size.shape)

    def share_of(box: Box) -> Tensor:
        return _product(down[box.y0, box.y1], across[box.x0, box.x1])

    boxes = list(tiles(size, tile, overlap, multiple))
    needed = [box for box in boxes if is_needed(box)]
    for box in set(boxes).difference(needed):
        cut(complete, box)[share_of(box) > 0] = 0
    for index, box in enumerate(needed):
        parts = [pad_to_multiple(cut(x, box), multiple, max(LEAST_SIDE, multiple)) for x in inputs]
        output = run(parts, monitor.part(index, len(needed)))
        output = output[..., : box.size.height, : box.size.width].float().cpu()
        cut(result, box).add_(output * share_of(box))
    return result, complete


def run_tiled_as_memory_allows(
    run: RunTile,
    inputs: Sequence[Tensor],
    sides: TileSides,
    *,
    channels: int,
    multiple: int,
    monitor: Monitor,
    is_needed: Callable[[Box], bool] = lambda _: True,
) -> tuple[Tensor, Tensor]:
    """`run_tiled`, with ever smaller tiles where the memory does not suffice for the longest."""
    tile = sides.longest
    while True:
        try:
            return run_tiled(
                run,
                inputs,
                channels=channels,
                tile=tile,
                overlap=sides.overlap,
                multiple=multiple,
                monitor=monitor,
                is_needed=is_needed,
            )
        except MAY_BE_MEMORY as error:
            if not is_out_of_memory(error) or tile <= sides.least:
                raise
        tile = max(sides.least, tile // 2)
        monitor.note("memory-short", SMALLER_PIECES)


def tiles(size: Size, tile: int, overlap: int, multiple: int) -> Iterator[Box]:
    """Boxes that cover a picture, row by row."""
    for y0, y1 in _spans(size.height, tile, overlap, multiple):
        for x0, x1 in _spans(size.width, tile, overlap, multiple):
            yield Box(x0, y0, x1, y1)


def _spans(length: int, tile: int, overlap: int, multiple: int) -> list[tuple[int, int]]:
    if length <= tile:
        return [(0, length)]
    count = -(-(length - overlap) // (tile - overlap))
    starts = [
        index * (length - tile) // (count - 1) // multiple * multiple for index in range(count)
    ]
    # The last one is longer than the others by what rounding its start took away.
    return [(start, min(start + tile, length)) for start in starts[:-1]] + [(starts[-1], length)]


def _shares(
    length: int, tile: int, overlap: int, multiple: int
) -> dict[tuple[int, int], npt.NDArray[np.float64]]:
    """By its span, how much each tile counts along one axis; together they make 1 everywhere."""
    spans = _spans(length, tile, overlap, multiple)
    ramps = {span: _ramp(*span, length, overlap) for span in spans}
    total = np.zeros(length)
    for (start, end), ramp in ramps.items():
        total[start:end] += ramp
    return {(start, end): ramp / total[start:end] for (start, end), ramp in ramps.items()}


def tile_weight(box: Box, size: Size, overlap: int) -> Tensor:
    """(1, 1, h, w): 1 inside, falling to 0 towards those edges that have a neighbour."""
    down = _ramp(box.y0, box.y1, size.height, overlap)
    return _product(down, _ramp(box.x0, box.x1, size.width, overlap))


def _product(down: npt.NDArray[np.float64], across: npt.NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.outer(down, across).astype(np.float32))[None, None]


def _ramp(start: int, end: int, length: int, overlap: int) -> npt.NDArray[np.float64]:
    weight = np.ones(end - start)
    context, fade = overlap // 4, max(1, overlap // 2)
    ramp = np.clip((np.arange(end - start) + 0.5 - context) / fade, 0, 1)
    if start > 0:
        weight *= ramp
    if end < length:
        weight *= ramp[::-1]
    return weight
