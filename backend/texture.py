"""Measure a photo's grain, and keep the texture that cleaning would take for it: grass, cloth."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from torch import Tensor, from_numpy, lerp

from backend.images import Mask
from backend.tensors import dilate, luminance
from models.grain_level import (
    CELL,
    FROM_MEAN,
    Cells,
    Floats,
    GrainLevel,
    cell_means,
    fine_part,
    grain_level,
    smooth_cells,
)

TIMES_THE_GRAIN = 1.5
"""Where cleaning takes more than this away, it is taken back the more."""

CLEANED = 0.9
"""Share of the cleaning that is made at most: without any grain skin looks like plastic, most of
all beside places where the network saw none to take away."""

BAND_CELLS = 64
MARGIN_CELLS = 2
REPAIRED_EDGE = 2
"""Pixels beside damage that are left as the networks made them: they repair a little more."""


def photo_grain(photo: Tensor) -> GrainLevel | None:
    """The grain of a photo (1, 3, H, W) in [0, 1]; None where no place of it can show any."""
    return grain_level(_measure(photo))


def keep_texture(cleaned: Tensor, photo: Tensor, hole: Mask, grain: GrainLevel | None) -> None:
    """Take back what cleaning took away beyond the photo's grain, and a little of it, in place.

    Where cleaning takes much more than the grain away, it was texture.

    Args:
        cleaned: (1, 3, H, W) in [0, 1]; is changed, not clipped.
        photo: (1, 3, H, W) in [0, 1], what it was made of.
        hole: (H, W), not 0 where damage was repaired, which stays as it is.
        grain: of the photo.
    """
    covered = dilate((hole > 0).astype(np.uint8), REPAIRED_EDGE)
    share = _share_to_keep(_measure(photo, covered), _measure(cleaned, covered), covered, grain)
    for cells, rows in _bands(photo.shape[2]):
        part = _at_full_size(share, cells, photo.shape[3])[: rows.stop - rows.start]
        part[covered[rows] > 0] = 1
        cleaned[:, :, rows] = lerp(photo[:, :, rows], cleaned[:, :, rows], from_numpy(part))


def _share_to_keep(photo: Cells, cleaned: Cells, covered: Mask, grain: GrainLevel | None) -> Floats:
    """How much of the cleaning is kept in each cell, from 0 to CLEANED."""
    known = smooth_cells(_uncovered(covered)).clip(1e-3)
    before, after = (FROM_MEAN * smooth_cells(x.fine) / known for x in (photo, cleaned))
    removed = np.sqrt(np.maximum(before**2 - after**2, 0))
    if grain is None:
        return np.full_like(removed, CLEANED)
    most = TIMES_THE_GRAIN * grain.at(from_numpy(smooth_cells(photo.light))).numpy()
    return np.asarray(CLEANED * np.minimum(1, most / removed.clip(1e-6)) ** 2, np.float32)


def _measure(picture: Tensor, covered: Mask | None = None) -> Cells:
    """What each cell shows outside what is covered."""
    collected: list[list[Floats]] = []
    margin = CELL * MARGIN_CELLS
    height = picture.shape[2]
    for _, rows in _bands(height):
        around = slice(max(0, rows.start - margin), min(height, rows.stop + margin))
        inner = slice(rows.start - around.start, rows.stop - around.start)
        light = luminance(picture[:, :, around])[0, 0].numpy()
        fine = np.abs(fine_part(light)[inner])
        if covered is not None:
            fine[covered[rows] > 0] = 0
        collected.append([cell_means(fine), cell_means(light[inner])])
    return Cells(*(np.concatenate(parts) for parts in zip(*collected, strict=True)))


def _uncovered(covered: Mask) -> Floats:
    """Share of each cell that is not covered."""
    bands = (covered[rows] == 0 for _, rows in _bands(len(covered)))
    return np.concatenate([cell_means(band.astype(np.float32)) for band in bands])


def _bands(height: int) -> Iterator[tuple[slice, slice]]:
    """Rows of cells, and the rows of pixels that they cover."""
    step = CELL * BAND_CELLS
    for top in range(0, height, step):
        bottom = min(height, top + step)
        yield slice(top // CELL, -(-bottom // CELL)), slice(top, bottom)


def _at_full_size(share: Floats, cells: slice, width: int) -> Floats:
    """Some rows of cells as pixels, linear between their centres."""
    around = slice(max(0, cells.start - 1), cells.stop + 1)
    part = share[around]
    size = part.shape[1] * CELL, part.shape[0] * CELL
    larger = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.float32)
    first = (cells.start - around.start) * CELL
    return larger[first : first + (cells.stop - cells.start) * CELL, :width].copy()
