"""Keep the texture that cleaning would take for grain: grass, gravel, cloth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.images import Mask
from backend.tensors import dilate, luminance

Floats = npt.NDArray[np.float32]

FINE = 1.5
"""Standard deviation, in pixels, of the blur that parts grain and texture from shapes."""

CELL = 4
"""Pixels on a side of the cells on which grain is measured."""

WINDOW = 2.0
"""Standard deviation, in cells, of what counts as one place."""

GRAIN = 10
"""Percent of the places that show least of what is fine; what is there is the photo's grain."""

TIMES_THE_GRAIN = 1.5
"""Where cleaning takes more than this away, it is taken back the more."""

CLEANED = 0.9
"""Share of the cleaning that is made at most: without any grain skin looks like plastic, most of
all beside places where the network saw none to take away."""

DARKEST, LIGHTEST = 0.06, 0.94
"""Grain does not show in what is nearly black or white."""

PLAIN = 0.001
"""Standard deviation in areas without any grain: borders that a program drew."""

LEAST_PLAIN, BESIDE_PLAIN = 5, 17
"""Cells on the sides of such an area at least, and of what the window mixes with it."""

BAND_CELLS = 64
MARGIN_CELLS = 2
HOLE_GROWTH = 2

_FROM_MEAN = 1.2533
"""Standard deviation of normal noise over the mean of its absolute values."""


class _Cells(NamedTuple):
    """(H / CELL, W / CELL) each: means over the cells of what is fine before and after, of the
    share that is undamaged, and of the luminance."""

    before: Floats
    after: Floats
    known: Floats
    light: Floats


def keep_texture(cleaned: Tensor, photo: Tensor, hole: Mask) -> None:
    """Take back what cleaning took away beyond the photo's grain, and a little of it, in place.

    The grain of a photo is everywhere about the same, or proportional to the light, and plain
    places show it. Where cleaning takes much more than that away, it was texture.

    Args:
        cleaned: (1, 3, H, W) in [0, 1]; is changed, not clipped.
        photo: (1, 3, H, W) in [0, 1], what it was made of.
        hole: (H, W), not 0 where damage was repaired, which stays as it is.
    """
    covered = dilate((hole > 0).astype(np.uint8), HOLE_GROWTH)
    share = _share_to_keep(_measure(cleaned, photo, covered))
    for cells, rows in _bands(photo.shape[2]):
        part = _at_full_size(share, cells, photo.shape[3])[: rows.stop - rows.start]
        part[covered[rows] > 0] = 1
        before = photo[:, :, rows]
        cleaned[:, :, rows] = torch.lerp(before, cleaned[:, :, rows], torch.from_numpy(part))


def _share_to_keep(cells: _Cells) -> Floats:
    """How much of the cleaning is kept in each cell, from 0 to CLEANED."""
    known = _smooth(cells.known).clip(1e-3)
    before, after = (_FROM_MEAN * _smooth(x) / known for x in (cells.before, cells.after))
    light = _smooth(cells.light)
    removed = np.sqrt(np.maximum(before**2 - after**2, 0))
    shows_grain = (light > DARKEST) & (light < LIGHTEST) & (known > 0.5)
    shows_grain &= _near_plain_areas(cells.before) == 0
    if not shows_grain.any():
        return np.full_like(removed, CLEANED)
    even = np.percentile(before[shows_grain], GRAIN)
    by_light = np.percentile(before[shows_grain] / light[shows_grain], GRAIN)
    most = TIMES_THE_GRAIN * np.maximum(even, by_light * light)
    return np.asarray(CLEANED * np.minimum(1, most / removed.clip(1e-6)) ** 2, np.float32)


def _near_plain_areas(fine: Floats) -> Mask:
    plain = (_FROM_MEAN * fine < PLAIN).astype(np.uint8)
    areas = cv2.morphologyEx(plain, cv2.MORPH_OPEN, np.ones((LEAST_PLAIN, LEAST_PLAIN), np.uint8))
    beside = np.ones((BESIDE_PLAIN, BESIDE_PLAIN), np.uint8)
    return np.asarray(cv2.dilate(areas, beside), np.uint8)


def _measure(cleaned: Tensor, photo: Tensor, covered: Mask) -> _Cells:
    """What the two pictures show in each cell."""
    collected: list[list[Floats]] = []
    margin = CELL * MARGIN_CELLS
    height = photo.shape[2]
    for _, rows in _bands(height):
        around = slice(max(0, rows.start - margin), min(height, rows.stop + margin))
        inner = slice(rows.start - around.start, rows.stop - around.start)
        light, other = (luminance(x[:, :, around])[0, 0].numpy() for x in (photo, cleaned))
        known = (covered[rows] == 0).astype(np.float32)
        values = [np.abs(_fine(x)[inner]) * known for x in (light, other)]
        collected.append([_means(x) for x in (*values, known, light[inner])])
    return _Cells(*(np.concatenate(parts) for parts in zip(*collected, strict=True)))


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


def _means(values: Floats) -> Floats:
    """(h, w) to the means of its cells; the last ones go on as they end."""
    height, width = values.shape
    padded = np.pad(values, ((0, -height % CELL), (0, -width % CELL)), mode="edge")
    size = padded.shape[1] // CELL, padded.shape[0] // CELL
    return np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.float32)


def _fine(values: Floats) -> Floats:
    smooth = cv2.GaussianBlur(values, (0, 0), FINE, borderType=cv2.BORDER_REFLECT)
    return values - np.asarray(smooth, np.float32)


def _smooth(values: Floats) -> Floats:
    smooth = cv2.GaussianBlur(values, (0, 0), WINDOW, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth, np.float32)
