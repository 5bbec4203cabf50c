"""How much grain a photo has, measured where it is plain."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float32]

FINE = 1.5
"""Standard deviation, in pixels, of the blur that parts grain and texture from shapes."""

CELL = 4
"""Pixels on a side of the cells on which grain is measured."""

WINDOW = 2.0
"""Standard deviation, in cells, of what counts as one place."""

GRAIN = 10
"""Percent of the places that show least of what is fine; what is there is the photo's grain."""

DARKEST, LIGHTEST = 0.06, 0.94
"""Grain does not show in what is nearly black or white."""

PLAIN = 0.001
"""Standard deviation in areas without any grain: borders that a program drew."""

LEAST_PLAIN, BESIDE_PLAIN = 5, 17
"""Cells on the sides of such an area at least, and of what the window mixes with it."""

FROM_MEAN = 1.2533
"""Standard deviation of normal noise over the mean of its absolute values."""


class Cells(NamedTuple):
    """(H / CELL, W / CELL) each: mean absolute value of what is fine, and mean luminance."""

    fine: Floats
    light: Floats


class GrainLevel(NamedTuple):
    """The grain of a photo: everywhere the same, or proportional to the light, whichever is more.

    Attributes:
        even: standard deviation of what is fine, in [0, 1] like the picture.
        by_light: the same as a share of the luminance.
    """

    even: float
    by_light: float

    def at(self, light: Tensor) -> Tensor:
        """Luminance of any shape, in [0, 1], to the standard deviation to be expected there."""
        return (self.by_light * light).clamp_min(self.even)


def fine_part(light: Floats) -> Floats:
    """(H, W) luminance to what is finer than shapes: grain, texture and edges."""
    smooth = cv2.GaussianBlur(light, (0, 0), FINE, borderType=cv2.BORDER_REFLECT)
    return light - np.asarray(smooth, np.float32)


def measure_cells(light: Floats) -> Cells:
    """What each cell of a photo, or of a strip that begins with a cell, shows.

    Args:
        light: (H, W) luminance in [0, 1].
    """
    return Cells(cell_means(np.abs(fine_part(light))), cell_means(light))


def cell_means(values: Floats) -> Floats:
    """(H, W) to the means of its cells; the last ones go on as they end."""
    height, width = values.shape
    padded = np.pad(values, ((0, -height % CELL), (0, -width % CELL)), mode="edge")
    size = padded.shape[1] // CELL, padded.shape[0] // CELL
    return np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.float32)


def smooth_cells(values: Floats) -> Floats:
    """Means over what counts as one place."""
    smooth = cv2.GaussianBlur(values, (0, 0), WINDOW, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth, np.float32)


def grain_level(cells: Cells) -> GrainLevel | None:
    """The grain of a photo; None if no place can show it.

    Damage counts as all the rest: it is white or black, or too little to matter.
    """
    light = smooth_cells(cells.light)
    shows_grain = (light > DARKEST) & (light < LIGHTEST) & (_near_plain_areas(cells.fine) == 0)
    if not shows_grain.any():
        return None
    fine = FROM_MEAN * smooth_cells(cells.fine)[shows_grain]
    even, by_light = (np.percentile(x, GRAIN) for x in (fine, fine / light[shows_grain]))
    return GrainLevel(float(even), float(by_light))


def _near_plain_areas(fine: Floats) -> npt.NDArray[np.uint8]:
    plain = (FROM_MEAN * fine < PLAIN).astype(np.uint8)
    areas = cv2.morphologyEx(plain, cv2.MORPH_OPEN, np.ones((LEAST_PLAIN, LEAST_PLAIN), np.uint8))
    beside = np.ones((BESIDE_PLAIN, BESIDE_PLAIN), np.uint8)
    return np.asarray(cv2.dilate(areas, beside), np.uint8)


def grain_map(light: Tensor, measured: Tensor) -> Tensor:
    """What the restoration network is told of the grain, for each picture of a batch.

    Args:
        light: (B, 1, H, W) luminance in [0, 1], damage replaced.
        measured: the same of the photo as it is.

    Returns:
        (B, 1, H, W), the standard deviation of the grain; 0 where none can be measured.
    """
    maps = []
    for values, gray in zip(light, measured, strict=True):
        level = grain_level(measure_cells(gray[0].float().cpu().numpy()))
        maps.append(torch.zeros_like(values) if level is None else level.at(values))
    return torch.stack(maps)
