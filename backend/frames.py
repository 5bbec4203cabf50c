"""Part of stage 1: frames that are printed around a photo, and the edges of the print itself.

Each side looks like a scratch, but no scratch goes around a photo in a rectangle, and hardly one
keeps beside the picture's border for long.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from backend.geometry import Box
from backend.images import Mask

LEAST_SIDE = 0.3
"""Share of the picture's short side from which a rectangle is a frame around a photo."""

NEAR = 0.02
"""Share of the frame's short side within which its lines lie: they have ornaments, and bend."""

LEAST_NEAR = 6.0
"""The same in pixels."""

LEAST_PIECE = 0.1
"""Share of the picture's short side from which a finding is looked at: faint lines break."""

ON_LINES = 0.95
"""Share of a finding that lies on the four lines, at least: what crosses the picture besides is
damage, and it is repaired with all that hangs on it."""

COVERED, BARELY = 0.7, 0.12
"""Share of two opposite lines that is found, at least, and of the other two: no pair of scratches
begins and ends at the same heights and turns the corners, too."""

BORDER, PARALLEL = 0.025, 0.01
"""Share of the picture's short side from its border within which a print's edge lies, and how much
of its length it may rise: people scan a print straight, and leave little round about."""

LEAST_EDGE = 0.2
"""Share of the border's length from which a finding is an edge.

Of what is found on the 207 old photos for training, five pieces are that long, near and parallel.
None of them is damage; scratches beside the border are shorter or rise more.
"""

Points = npt.NDArray[np.float32]


def printed_lines(found: Mask) -> npt.NDArray[np.bool_]:
    """Where findings, (H, W) with 255, are edges of the print or frames: (H, W)."""
    edges = print_edges(found)
    # By themselves: edges lie around a frame, and the rectangle around both is none of theirs.
    return edges | printed_frames(np.where(edges, np.uint8(0), found))


def printed_frames(found: Mask) -> npt.NDArray[np.bool_]:
    """Where findings, (H, W) with 255, go around in a rectangle, which may be turned: (H, W)."""
    frames = np.zeros(found.shape, dtype=np.bool_)
    if not found.any():
        return frames
    short_side = min(found.shape)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(found)
    extents = np.maximum(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT])
    long = np.flatnonzero(extents >= LEAST_PIECE * short_side)
    pieces = {label: _points(labels, label, boxes[label]) for label in long[long > 0].tolist()}
    # From the outer to the inner one, if there are two.
    while members := _frame_of(pieces, LEAST_SIDE * short_side):
        frames |= np.isin(labels, members)
        for label in members:
            del pieces[label]
    return frames


def print_edges(found: Mask) -> npt.NDArray[np.bool_]:
    """Where findings, (H, W) with 255, run along the picture's border: (H, W)."""
    edges = np.zeros(found.shape, dtype=np.bool_)
    size = np.array(found.shape[::-1])
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(found)
    for label in range(1, len(boxes)):
        extents = boxes[label, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]] / size
        if extents.max() < LEAST_EDGE:
            continue
        axis = int(extents.argmax())
        points = _points(labels, label, boxes[label])
        along, across = points[:, axis], points[:, 1 - axis]
        if np.ptp(along) == 0:
            # In a picture of hardly any pixels a single one is long enough.
            continue
        # Of both borders the nearer one.
        farthest = min(
            float(np.quantile(distance, ON_LINES))
            for distance in (across, size[1 - axis] - 1 - across)
        )
        rise = abs(float(np.polyfit(along, across, 1)[0]))
        if farthest <= BORDER * size.min() and rise <= PARALLEL:
            edges |= labels == label
    return edges


def _points(labels: npt.NDArray[Any], label: int, figures: npt.NDArray[Any]) -> Points:
    """(N, 2), x and y in pixels, of a number in (H, W) `labels`; OpenCV's figures say where."""
    x, y, width, height = (int(value) for value in figures[:4])
    rows, columns = np.nonzero(labels[Box(x, y, x + width, y + height).slices] == label)
    return np.column_stack([columns + x, rows + y]).astype(np.float32)


def _frame_of(pieces: dict[int, Points], least: float) -> list[int]:
    """Those of the pieces that lie on all four sides of the rectangle around them, if any do.

    Args:
        pieces: (N, 2) each, x and y in pixels, by their number.
        least: pixels that the rectangle's short side has, at least.
    """
    if not pieces:
        return []
    middle, size, angle = cv2.minAreaRect(np.concatenate(list(pieces.values())))
    if min(size) < least:
        return []
    turn = np.deg2rad(angle)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    near = max(LEAST_NEAR, NEAR * min(size))
    members, along = [], [[np.zeros(0)] for _ in range(4)]
    for label, points in pieces.items():
        places = (points - middle) @ axes + np.array(size) / 2
        distances = np.column_stack([places, size - places])
        if (distances.min(axis=1) > near).mean() > 1 - ON_LINES:
            continue
        members.append(label)
        for side in range(4):
            along[side].append(places[distances[:, side] <= near, 1 - side % 2])
    covered = [
        len(np.unique(np.round(np.concatenate(parts)))) / size[1 - side % 2]
        for side, parts in enumerate(along)
    ]
    pairs = sorted(min(covered[side], covered[side + 2]) for side in (0, 1))
    return members if pairs[0] >= BARELY and pairs[1] >= COVERED else []
