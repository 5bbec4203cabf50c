"""Fill holes from their edges, before a network refines them."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from backend.geometry import Box, Size
from backend.images import Mask
from backend.monitor import Monitor

Values = npt.NDArray[np.float32]
"""(H, W, 3) in [0, 1]."""

Levels = npt.NDArray[np.uint8]

BAND_ROWS = 256

RADIUS = 3
"""Neighbourhood of Telea's method in pixels."""

CELL = 16
"""Holes are grouped on a grid of this many pixels; far ones are filled one by one."""


def paint_white(image: Values, hole: Mask) -> Values:
    """Set the pixels where `hole` is not 0 to white, as the official weights expect."""
    return np.where(hole[..., None] > 0, np.float32(1), image)


def inpaint(image: Values, hole: Mask, monitor: Monitor) -> Values:
    """Continue the surroundings into the pixels where `hole` is not 0.

    Returns:
        A copy that differs from `image` in the hole only; `image` where all is hole.

    Source:
        A. Telea, "An image inpainting technique based on the fast marching method", Journal of
        Graphics Tools 9(1), 2004, as implemented in OpenCV.
    """
    result = image.copy(order="K")
    if (hole > 0).all():
        return result
    for box, own in hole_groups(hole):
        monitor.check()
        levels = _to_levels(image[box.slices])
        around = (hole[box.slices] > 0).astype(np.uint8)
        filled = cv2.inpaint(levels, around, RADIUS, cv2.INPAINT_TELEA)
        result[box.slices][own] = filled[own].astype(np.float32) / 255
    return result


def _to_levels(values: Values) -> Levels:
    levels = np.empty(values.shape, np.uint8)
    # In bands: a group of long scratches may be as large as the picture.
    for top in range(0, len(values), BAND_ROWS):
        band = values[top : top + BAND_ROWS]
        levels[top : top + BAND_ROWS] = np.round(np.clip(band, 0, 1) * 255)
    return levels


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
