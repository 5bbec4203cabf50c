"""Sizes, boxes, landmarks and similarity transforms.

Coordinates are pixels with x to the right and y down. (0, 0) is the centre of the top left pixel,
as in OpenCV and dlib. "Left" and "right" are the viewer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Landmarks: TypeAlias = npt.NDArray[np.float64]
"""(N, 2) points as (x, y)."""

Matrix: TypeAlias = npt.NDArray[np.float64]
"""(2, 3) affine matrix acting on column vectors (x, y, 1)."""


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), the order of array axes."""
        return self.height, self.width

    @property
    def pixel_count(self) -> int:
        return self.width * self.height


@dataclass(frozen=True)
class Box:
    """An axis-aligned box; x1 and y1 are the first column and row outside."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> Size:
        return Size(self.x1 - self.x0, self.y1 - self.y0)

    @property
    def is_empty(self) -> bool:
        return self.x1 <= self.x0 or self.y1 <= self.y0

    def clipped(self, size: Size) -> Box:
        """The part inside a picture of `size`; it may be empty."""
        return Box(
            max(self.x0, 0), max(self.y0, 0), min(self.x1, size.width), min(self.y1, size.height)
        )

    def grown(self, margin: int) -> Box:
        return Box(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)

    def moved(self, right: int, down: int) -> Box:
        return Box(self.x0 + right, self.y0 + down, self.x1 + right, self.y1 + down)

    def within(self, outer: Box) -> Box:
        """The same place in a picture that was cut out at `outer`."""
        return self.moved(-outer.x0, -outer.y0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) for indexing an (H, W, ...) array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


def estimate_similarity(source: Landmarks, target: Landmarks) -> Matrix:
    """Find the rotation, uniform scale and shift that best carry `source` onto `target`.

    Args:
        source: (N, 2) points, N >= 2, not all equal.
        target: (N, 2) points.

    Returns:
        The least-squares solution as a (2, 3) matrix.

    Raises:
        ValueError: the source points coincide.

    Source:
        S. Umeyama, "Least-squares estimation of transformation parameters between two point
        patterns", IEEE TPAMI 13(4), 1991, equations (40) to (43).
    """
    source = np.asarray(source, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_centred, target_centred = source - source_mean, target - target_mean
    variance = (source_centred**2).sum() / len(source)
    if variance == 0:
        raise ValueError("A similarity needs at least two different source points.")
    covariance = target_centred.T @ source_centred / len(source)
    u, singular, vt = np.linalg.svd(covariance)
    # A reflection would fit mirrored points better, but a face is never mirrored.
    sign = np.array([1.0, -1.0 if np.linalg.det(u) * np.linalg.det(vt) < 0 else 1.0])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / variance)
    shift = target_mean - scale * rotation @ source_mean
    return np.hstack([scale * rotation, shift[:, None]])


def invert(matrix: Matrix) -> Matrix:
    """The inverse of a (2, 3) affine matrix."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.hstack([linear, -linear @ matrix[:, 2:]])


def transform(matrix: Matrix, points: Landmarks) -> Landmarks:
    """Apply a (2, 3) affine matrix to (N, 2) points."""
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
