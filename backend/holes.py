"""Holes before a network repairs them: painted white, or split into groups."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from backend.geometry import Box, Size
from backend.images import Mask

Values = npt.NDArray[np.float32]
"""(H, W, 3) in [0, 1]."""

CELL = 16
"""Holes are grouped on a grid of this many pixels; far ones are filled one by one."""


def paint_white(image: Values, hole: Mask) -> Values:
    """Set the pixels where `hole` is not 0 to white, as the official weights expect."""
    return np.where(hole[..., None] > 0, np.float32(1), image)


def hole_groups(hole: Mask) -> Iterator[tuple[Box, npt.NDArray[np.bool_]]]:
    """Split a hole into groups that lie far from each other.

    Yields:
        A box around a group with its surroundings, and (h, w) true for the group's own pixels.
    """
    height, width = hole.shape
    padded = np.pad(hole > 0, ((0, -height % CELL), (0, -width % CELL)))
    blocks = padded.reshape(padded.shape[0] // CELL, CELL, -1, CELL)
    cells = np.asarray(blocks.any(axis=(1, 3))).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(cells)
    for label in range(1, count):
        x, y, w, h = (int(value) * CELL for value in boxes[label, :4])
        box = Box(x, y, x + w, y + h).grown(CELL).clipped(Size(width, height))
        rows = np.arange(box.y0, box.y1) // CELL
        columns = np.arange(box.x0, box.x1) // CELL
        group = np.equal(labels[np.ix_(rows, columns)], label)
        yield box, np.logical_and(group, hole[box.slices] > 0)
