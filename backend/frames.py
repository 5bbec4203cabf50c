"""Part of stage 1: frames that are printed around a photo, or the edge of a print all around it.

Each side looks like a scratch, but no scratch goes around a photo in a rectangle.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from backend.images import Mask

LEAST_SIDE = 0.3
"""Share of the picture's short side from which a rectangle is a frame around a photo."""

NEAR = 0.02
"""Share of the frame's short side within which its lines lie: they have ornaments, and bend."""

LEAST_NEAR = 6.0
"""The same in pixels."""

ON_LINES, COVERED = 0.95, 0.7
"""Share of a finding that lies on the four lines, and share of each line that is found, at least:
what crosses the picture besides is damage, and it is repaired with all that hangs on it."""


def printed_frames(found: Mask) -> npt.NDArray[np.bool_]:
    """Where findings, (H, W) with 255, go around in a rectangle, which may be turned: (H, W)."""
    frames = np.zeros(found.shape, dtype=np.bool_)
    if not found.any():
        return frames
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(found)
    least = LEAST_SIDE * min(found.shape)
    sides = boxes[1:, cv2.CC_STAT_WIDTH], boxes[1:, cv2.CC_STAT_HEIGHT]
    for label in np.flatnonzero(np.minimum(*sides) >= least) + 1:
        place = np.asarray(labels) == label
        rows, columns = np.nonzero(place)
        if _is_frame(np.column_stack([columns, rows]).astype(np.float32), least):
            frames |= place
    return frames


def _is_frame(points: npt.NDArray[np.float32], least: float) -> bool:
    """Whether (N, 2) pixels, x and y, lie on all sides of a rectangle and nowhere else."""
    middle, size, angle = cv2.minAreaRect(points)
    if min(size) < least:
        return False
    turn = np.deg2rad(angle)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    places = (points - middle) @ axes + np.array(size) / 2
    near = max(LEAST_NEAR, NEAR * min(size))
    on_lines = np.zeros(len(points), dtype=np.bool_)
    for axis in (0, 1):
        for distance in (places[:, axis], size[axis] - places[:, axis]):
            on_line = distance <= near
            along = np.unique(np.round(places[on_line, 1 - axis]))
            if len(along) < COVERED * size[1 - axis]:
                return False
            on_lines |= on_line
    return bool(on_lines.mean() >= ON_LINES)
