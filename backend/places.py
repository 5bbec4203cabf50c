"""Part of stage 1: places that may be damaged, each seen as a whole and among the others.

A detector sees a pixel and what lies around it. Whether a light spot on a dress is dust or a button
is seen better from how it looks as a whole, and best from the rest of the photo: one with fifty
other spots is dusty, one without any is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int32]

_LEVELS = (0.5, 0.8, 0.95)
"""Probabilities from which the other places of a picture are counted."""

_CERTAIN = 1e-4
"""Distance from 0 and 1 that probabilities keep, so that their logits stay finite."""

FEATURES = (
    "highest logit",
    "mean logit",
    "area",
    "length",
    "width",
    "radius",
    "fullness",
    "contrast",
    "absolute contrast",
    "level inside",
    "level around",
    "spread inside",
    "spread around",
    "edges around",
    "distance from the frame",
    *(f"other places above {level}" for level in _LEVELS),
    *(f"other area above {level}" for level in _LEVELS),
    "other probability",
    "places like this",
    "contrast of the others",
)
"""What is known of a place; lengths and areas as logarithms of pixels, levels in [0, 1]."""

_PLACES_AT_ONCE = 1024

_LEAST_AREA = 6
"""Pixels of a place that counts as another one; specks are everywhere."""

_GAP, _REACH = 1.5, 6.0
"""Distances in pixels between which a pixel belongs to what lies around the nearest place."""

_LONG, _THIN = 0.5, 8.0
"""Share of the short side, and length over width, from which a place is a line through much of the
picture."""

_SPARSE = 0.15
"""Share of its rectangle that a place of lines fills at most, which cross or bend."""

_WIDE, _LEAST_WIDE = 0.01, 6.0
"""The radius that a wide place has at least: as a share of the short side, and in pixels."""

_LIKELIEST = 2000
"""With so many of the others a place is compared; the others say nothing new."""

_AREA_UNIT, _WIDTH_UNIT, _CONTRAST_UNIT = 1.0, 0.7, 0.12
"""Places that differ by so much (logarithms; levels in [0, 1]) are hardly alike."""


@dataclass(frozen=True)
class Places:
    """Connected areas of a probability map.

    Attributes:
        areas: (H, W), number of the place from 1, or 0.
        features: (N, len(FEATURES)), of place number 1 first; each about within [-10, 10].
    """

    areas: Numbers
    features: Floats

    def where(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(H, W), true on the places that (N,) names."""
        flags: npt.NDArray[np.bool_] = np.concatenate([[False], chosen])
        return flags[self.areas]

    @property
    def highest_probabilities(self) -> Floats:
        """(N,) in [0, 1], of the likeliest pixel of each."""
        logits = self.features[:, FEATURES.index("highest logit")]
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)

    @property
    def are_long(self) -> npt.NDArray[np.bool_]:
        """(N,), true where a place is a thin line through much of the picture, or several."""
        length, width = (np.exp(self.features[:, FEATURES.index(n)]) for n in ("length", "width"))
        is_long: npt.NDArray[np.bool_] = length >= _LONG * min(self.areas.shape)
        return is_long & ((length >= _THIN * width) | self._are_sparse)

    @property
    def _are_sparse(self) -> npt.NDArray[np.bool_]:
        fullness = np.exp(self.features[:, FEATURES.index("fullness")])
        return np.asarray(fullness <= _SPARSE)

    def limits(self, threshold: float) -> Floats:
        """(N,), the verdict from which each counts as damaged where `threshold` is the usual one.

        A wide place takes more: half a head that is gone is worse than a stain that stays. Of drawn
        damage as wide 98 % got 0.8 and more.
        """
        radius = np.exp(self.features[:, FEATURES.index("radius")]) - 0.5
        # Where thin lines cross it is wide, too.
        is_wide = (radius >= max(_LEAST_WIDE, _WIDE * min(self.areas.shape))) & ~self._are_sparse
        higher = min(1.5 * threshold, (1 + threshold) / 2)
        return np.where(is_wide, higher, threshold).astype(np.float32)


def find_places(probability: Floats, gray: Floats, least: float) -> Places:
    """Find connected areas and describe them.

    Args:
        probability: (H, W) in [0, 1], of damage.
        gray: (H, W) in [0, 1], luminance of the picture at that size.
        least: probability from which a pixel is part of a place.
    """
    found = (probability >= least).astype(np.uint8)
    count, numbers, figures, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    areas = np.asarray(numbers, np.int32)
    if count == 1:
        return Places(areas, np.zeros((0, len(FEATURES)), np.float32))
    logits = _logits(probability)
    sums = _Sums(areas, count)
    around = _Sums(_surroundings(found, areas), count)
    highest, area = sums.highest(logits), np.maximum(sums.count, 1)
    length, width = sums.extents()
    depth = np.asarray(cv2.distanceTransform(found, cv2.DIST_L2, cv2.DIST_MASK_3), np.float32)
    # Where everything is one place, nothing ends it, and OpenCV says 10^38.
    depth = np.minimum(depth, max(found.shape))
    inside = sums.mean(gray)
    outside = np.where(around.count > 0, around.mean(gray), inside)
    contrast = inside - outside
    columns = [
        highest,
        sums.mean(logits),
        np.log(area),
        np.log(length),
        np.log(width),
        np.log(sums.highest(depth).clip(0) + 0.5),
        np.log(area / (length * width)),
        5 * contrast,
        5 * np.abs(contrast),
        inside,
        outside,
        10 * sums.spread(gray),
        10 * around.spread(gray),
        2 * around.mean(_steepness(gray)),
        # The first entry, which is no place, has no frame where everything is one.
        np.log1p(_frame_distance(np.asarray(figures), found.shape).clip(0, 50)),
        *_others(sums, highest, probability),
        *_kinship(area, width, contrast, highest),
    ]
    # The first entry is everything that is no place.
    return Places(areas, np.stack(columns, axis=1)[1:].astype(np.float32))


class _Sums:
    """Sums over each of the numbered areas (H, W); entry 0, which is no area, has none.

    Args:
        areas: number of the area of each pixel, 0 for none.
        size: how many numbers there are, with 0.
    """

    def __init__(self, areas: Numbers, size: int) -> None:
        self.areas, self._size = areas, size
        # Few pixels are in any area, so only those are looked at.
        self._pixels = np.flatnonzero(areas)
        self._numbers = areas.ravel()[self._pixels]
        self.count = self._binned(np.ones(len(self._pixels)))

    def total(self, values: npt.NDArray[Any]) -> Doubles:
        return self._binned(self._gathered(values))

    def highest(self, values: npt.NDArray[Any]) -> Doubles:
        result = np.full(self._size, -np.inf)
        np.maximum.at(result, self._numbers, self._gathered(values))
        return result

    def mean(self, values: npt.NDArray[Any]) -> Doubles:
        return self.total(values) / np.maximum(self.count, 1)

    def spread(self, values: npt.NDArray[Any]) -> Doubles:
        """Standard deviation."""
        squares = self._binned(self._gathered(values) ** 2) / np.maximum(self.count, 1)
        return np.sqrt(np.maximum(0, squares - self.mean(values) ** 2))

    def extents(self) -> tuple[Doubles, Doubles]:
        """Length and width of the bars with the areas' second moments, in pixels."""
        rows, columns = (
            index.astype(np.float64) for index in np.unravel_index(self._pixels, self.areas.shape)
        )
        count = np.maximum(self.count, 1)
        x, y = self._binned(columns) / count, self._binned(rows) / count
        # A pixel is a square, not a point.
        xx = self._binned(columns**2) / count - x**2 + 1 / 12
        yy = self._binned(rows**2) / count - y**2 + 1 / 12
        xy = self._binned(columns * rows) / count - x * y
        half = np.sqrt(np.maximum(0, (xx - yy) ** 2 / 4 + xy**2))
        middle = (xx + yy) / 2
        return np.sqrt(12 * (middle + half)), np.sqrt(12 * np.maximum(middle - half, 1 / 12))

    def _gathered(self, values: npt.NDArray[Any]) -> Doubles:
        return np.asarray(values.ravel()[self._pixels], np.float64)

    def _binned(self, values: Doubles) -> Doubles:
        sums = np.bincount(self._numbers, weights=values, minlength=self._size)
        return np.asarray(sums, np.float64)


def _logits(probability: Floats) -> Doubles:
    p = np.clip(probability.astype(np.float64), _CERTAIN, 1 - _CERTAIN)
    return np.log(p / (1 - p))


def _surroundings(found: npt.NDArray[np.uint8], areas: Numbers) -> Numbers:
    """(H, W): pixels around a place bear its number."""
    distance, nearest = cv2.distanceTransformWithLabels(
        1 - found, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    # OpenCV numbers the places by itself.
    numbers = np.zeros(int(np.max(nearest)) + 1, np.int32)
    numbers[np.asarray(nearest)[found > 0]] = areas[found > 0]
    near = (np.asarray(distance) > _GAP) & (np.asarray(distance) <= _REACH)
    return np.where(near, numbers[nearest], 0).astype(np.int32)


def _steepness(gray: Floats) -> Floats:
    slopes = (cv2.Sobel(gray, cv2.CV_32F, dx, 1 - dx, ksize=3) for dx in (1, 0))
    return np.asarray(cv2.magnitude(*slopes), np.float32)


def _frame_distance(figures: npt.NDArray[Any], shape: tuple[int, ...]) -> Doubles:
    left, top = figures[:, cv2.CC_STAT_LEFT], figures[:, cv2.CC_STAT_TOP]
    right = shape[1] - left - figures[:, cv2.CC_STAT_WIDTH]
    bottom = shape[0] - top - figures[:, cv2.CC_STAT_HEIGHT]
    return np.asarray(np.minimum.reduce([left, top, right, bottom]), np.float64)


def _others(sums: _Sums, highest: Doubles, probability: Floats) -> list[Doubles]:
    """How many other places are likely, how much area of the picture, and how likely it all is."""
    result = []
    for level in _LEVELS:
        is_likely = (highest >= np.log(level / (1 - level))) & (sums.count >= _LEAST_AREA)
        result.append(np.log1p(is_likely.sum() - is_likely))
    for values in (*(probability >= level for level in _LEVELS), probability):
        others = values.sum(dtype=np.float64) - sums.total(values)
        result.append(np.log(others.clip(0) / probability.size + 1e-5))
    return result


def _kinship(
    area: Doubles, width: Doubles, contrast: Doubles, highest: Doubles
) -> tuple[Doubles, Doubles]:
    """How many likely places resemble each one, and the contrast of the likely others."""
    likely = 1 / (1 + np.exp(1 - highest))
    place = np.stack(
        [np.log(area) / _AREA_UNIT, np.log(width) / _WIDTH_UNIT, contrast / _CONTRAST_UNIT], axis=1
    )
    others = np.argsort(-likely)[:_LIKELIEST]
    kin = np.empty(len(place))
    # A halftone print has tens of thousands of places, and all pairs at once would fill the memory.
    for first in range(0, len(place), _PLACES_AT_ONCE):
        part = place[first : first + _PLACES_AT_ONCE]
        distance = (
            (part**2).sum(axis=1)[:, None]
            + (place[others] ** 2).sum(axis=1)
            - 2 * part @ place[others].T
        )
        alike = np.exp(-np.maximum(distance, 0) / 2)
        itself = np.flatnonzero((others >= first) & (others < first + len(part)))
        alike[others[itself] - first, itself] = 0
        kin[first : first + len(part)] = alike @ likely[others]
    others_weight = np.maximum(likely.sum() - likely, 0.1)
    others_contrast = ((likely * contrast).sum() - likely * contrast) / others_weight
    return np.log1p(kin), 5 * others_contrast
