"""How far a photo shades off into the ground around it, as vignetted portraits do."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from backend.images import Mask

Floats = npt.NDArray[np.float32]

REACH = 24
"""Pixels from the ground within which a sharp edge lies, and that of a thin margin, too."""

STEEP = 0.5
"""Share of the rise over these pixels from which a step is an edge: most of the steps at the same
distance are up to 0.3 of it in vignettes, and from 0.8 beside margins and beds of scanners."""

LEAST_RISE = 8 / 255
"""Rise below which nothing can be said."""

PLACES = (*range(4, 32, 4), *range(32, 97, 8))
"""Distances in pixels at which is measured how much of the photo is there."""

REACHED = 0.7
"""Share of the largest difference at which the photo is taken for complete."""

MOST = 80
"""Percentile that stands for most: margins differ in width from side to side."""


def fade_width(difference: Floats, mask: Mask, tolerance: float) -> float:
    """Over how many pixels a photo shades off into its ground.

    Args:
        difference: (h, w), of each pixel from the ground's colour.
        mask: (h, w), 1 on the ground, else 0.
        tolerance: difference up to which a pixel is ground.

    Returns:
        0 where the photo has a sharp edge.
    """
    distance = distance_from(mask)

    def usual(values: Floats, place: int, percentile: float = 50) -> float:
        # Half a diagonal on either side, so that the ring has no gaps.
        there = values[np.abs(distance - place) <= 0.7]
        return float(np.percentile(there, percentile)) if there.size else 0.0

    rise = usual(difference, REACH) - tolerance
    if rise < LEAST_RISE:
        return 0.0
    steps = _steps(difference)
    if max(usual(steps, place, MOST) for place in range(2, REACH + 1)) > STEEP * rise:
        return 0.0
    rises = [usual(difference, place) - tolerance for place in PLACES]
    whole = REACHED * max(rises)
    return float(next(place for place, here in zip(PLACES, rises, strict=True) if here >= whole))


def distance_from(mask: Mask) -> Floats:
    """(h, w): pixels from each one to the nearest ground."""
    return np.asarray(cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)


def _steps(difference: Floats) -> Floats:
    """(h, w): how much neighbours differ; a median takes the grain away and leaves edges."""
    plain = cv2.medianBlur(difference, 5)
    around = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(plain, around) - cv2.erode(plain, around), np.float32)
