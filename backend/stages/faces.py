"""Stage 3: find faces and their landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from backend.alignment import Face, align, cut_crop
from backend.face_finder import FaceFinder
from backend.geometry import Box, Landmarks, Size
from backend.images import Mask, Pixels, to_eight_bit
from backend.monitor import Monitor
from backend.tensors import LUMINANCE

WORKING_PIXELS = 8_000_000
"""Size at which faces are searched: a second on one core."""

PART = 2800
"""Longest side of the parts of a larger photo that are searched besides, at their own size."""

LEAST_FOUND = 73
"""Width in pixels of the smallest face that the detector finds."""

WHOLE_IN_A_PART = 1.5
"""How many times as large as the smallest face of the reduced photo those are that one of the parts
shows whole for sure."""

FOR_ENHANCEMENT, FOR_RECOGNITION = 2.0, 4.0
"""Enlargements at which faces are found that have enough detail to be enhanced (from 36 pixels
width), and that can be recognised (from 18)."""

SMALLEST_ENHANCED, FULLY_ENHANCED = 36, 48
"""Widths in pixels of the box from which a face is enhanced at all, and wholly. Where a photo shows
less of a face, a network has to invent more of it."""

CANDIDATE_SCORE = -0.25
"""The detector's score from which a place is looked at again; real faces reach down to here, but
also many places that are none."""

FACE_SCORE = 0.0
"""Score from which a place is a face, when it is seen upright and large in an aligned crop."""

SAME_FACE = 0.4
"""Overlap (intersection over union) from which two boxes show one face."""

CROP_SIZE = 256


@dataclass(frozen=True)
class FoundFaces:
    """What was found in one picture.

    Attributes:
        faces: from left to right; empty when there is none.
        unclear: places that look like a face, but whose features could not be located.
    """

    faces: list[Face]
    unclear: list[Box]

    def joined_with(self, others: list[Face]) -> FoundFaces:
        """These, and those of `others` not among them; only those that can be enhanced."""
        new = [
            other
            for other in others
            if all(overlap(other.box, face.box) < SAME_FACE for face in self.faces)
        ]
        faces = _sorted([face for face in [*self.faces, *new] if is_enhanced(face.box)])
        unclear = [
            box
            for box in self.unclear
            if is_enhanced(box) and all(overlap(box, face.box) < SAME_FACE for face in faces)
        ]
        return FoundFaces(faces, unclear)


def find_faces(
    color: Pixels, finder: FaceFinder, monitor: Monitor, enlargement: float = FOR_ENHANCEMENT
) -> list[Face]:
    """The faces that `search_faces` finds, without the unclear places."""
    return search_faces(color, finder, monitor, enlargement).faces


def search_faces(
    color: Pixels,
    finder: FaceFinder,
    monitor: Monitor,
    enlargement: float = FOR_ENHANCEMENT,
    *,
    in_parts: bool = True,
) -> FoundFaces:
    """Find upright faces.

    Args:
        color: (H, W, 1 or 3).
        finder: detector and landmark model.
        monitor: of the stage.
        enlargement: the most by which a small photo is enlarged; FOR_ENHANCEMENT or
            FOR_RECOGNITION.
        in_parts: search the parts of a large photo, too, which takes a second for 15 megapixels.
    """
    levels = to_eight_bit(color)
    gray = levels[..., 0] if levels.shape[2] == 1 else cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)
    views = list(_views(np.asarray(gray, np.uint8), enlargement, in_parts=in_parts))
    found: list[tuple[float, Box]] = []
    origins: dict[Box, tuple[_View, Box]] = {}
    for index, view in enumerate(views):
        monitor.advance(0.1 + 0.6 * index / len(views))
        for score, box in finder.find_boxes(view.gray, CANDIDATE_SCORE):
            if view.shows_whole(box):
                found.append((score, view.in_photo(box)))
                origins.setdefault(found[-1][1], (view, box))
    candidates = without_repetitions(sorted(found, key=lambda pair: -pair[0]))
    faces, unclear = [], []
    for index, (score, place) in enumerate(candidates):
        monitor.advance(0.7 + 0.3 * index / len(candidates))
        view, box = origins[place]
        face = Face(place, view.points_in_photo(finder.find_landmarks(view.gray, box)))
        if is_confirmed(color, face, finder):
            faces.append(face)
        elif score >= FACE_SCORE:
            unclear.append(face.box)
    monitor.advance(1.0)
    return FoundFaces(_sorted(faces), unclear)


@dataclass(frozen=True)
class _View:
    """The photo or a part of it, as it is searched.

    Attributes:
        gray: (h, w).
        part: of the photo.
        photo: its size.
    """

    gray: Mask
    part: Box
    photo: Size

    @property
    def factors(self) -> Landmarks:
        height, width = self.gray.shape
        return np.array([width / self.part.size.width, height / self.part.size.height])

    def shows_whole(self, box: Box) -> bool:
        """Whether a place is not cut by an edge that is none of the photo's."""
        place = self.in_photo(box)
        return (
            (place.x0 >= self.part.x0 or self.part.x0 == 0)
            and (place.y0 >= self.part.y0 or self.part.y0 == 0)
            and (place.x1 <= self.part.x1 or self.part.x1 == self.photo.width)
            and (place.y1 <= self.part.y1 or self.part.y1 == self.photo.height)
        )

    def in_photo(self, box: Box) -> Box:
        return _scaled_box(box, self.factors).moved(self.part.x0, self.part.y0)

    def points_in_photo(self, points: Landmarks) -> Landmarks:
        corner = np.array([self.part.x0, self.part.y0], np.float64)
        return np.asarray(_scaled(points, self.factors) + corner, np.float64)


def _views(gray: Mask, enlargement: float, *, in_parts: bool) -> Iterator[_View]:
    """The whole photo at a size that is quickly searched, and the parts of a large one as they are.

    In a group photo of 50 megapixels a face is not larger than in one of 5.
    """
    photo = Size(gray.shape[1], gray.shape[0])
    scale = min(enlargement, (WORKING_PIXELS / photo.pixel_count) ** 0.5)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    working = np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
    yield _View(working.reshape(size[1], size[0]), Box(0, 0, photo.width, photo.height), photo)
    if scale < 1 and in_parts:
        shared = min(round(WHOLE_IN_A_PART * LEAST_FOUND / scale), PART // 2)
        for y0, y1 in _spans(photo.height, shared):
            for x0, x1 in _spans(photo.width, shared):
                part = Box(x0, y0, x1, y1)
                yield _View(gray[part.slices], part, photo)


def _spans(length: int, shared: int) -> list[tuple[int, int]]:
    """Equal spans of at most PART pixels, of which neighbours share some."""
    count = max(1, -(-(length - shared) // (PART - shared)))
    side = -(-(length + (count - 1) * shared) // count)
    starts = [index * (length - side) // max(1, count - 1) for index in range(count)]
    return [(start, start + side) for start in starts]


def is_enhanced(box: Box) -> bool:
    return box.size.width >= SMALLEST_ENHANCED


def enhanced_share(box: Box) -> float:
    """Share of the enhancement that a face of this size gets, in [0, 1]: it rises evenly."""
    # A pixel below the smallest, so that a face that is enhanced at all is changed a little.
    lowest = SMALLEST_ENHANCED - 1
    share = (box.size.width - lowest) / (FULLY_ENHANCED - lowest)
    return min(1.0, max(0.0, share))


def is_confirmed(color: Pixels, face: Face, finder: FaceFinder) -> bool:
    """Whether the landmarks are those of a face, and the aligned crop shows one."""
    try:
        crop = cut_crop(color, align(face, CROP_SIZE), CROP_SIZE)
    except ValueError:
        return False
    gray = np.round(crop @ np.array(LUMINANCE, dtype=np.float32) * 255).astype(np.uint8)
    return bool(finder.find_boxes(gray, FACE_SCORE))


def without_repetitions(found: list[tuple[float, Box]]) -> list[tuple[float, Box]]:
    """Keep the first of scored boxes that show the same face."""
    kept: list[tuple[float, Box]] = []
    for score, box in found:
        if all(overlap(box, other) < SAME_FACE for _, other in kept):
            kept.append((score, box))
    return kept


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes."""
    common = Box(
        max(first.x0, second.x0),
        max(first.y0, second.y0),
        min(first.x1, second.x1),
        min(first.y1, second.y1),
    )
    if common.is_empty:
        return 0.0
    shared = common.size.pixel_count
    return shared / (first.size.pixel_count + second.size.pixel_count - shared)


def _sorted(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: (face.box.x0, face.box.y0))


def _scaled(points: Landmarks, factors: Landmarks) -> Landmarks:
    # (0, 0) is the centre of the first pixel at either size.
    return (points + 0.5) / factors - 0.5


def _scaled_box(box: Box, factors: Landmarks) -> Box:
    corners = np.array([[box.x0, box.y0], [box.x1, box.y1]]) / factors
    (x0, y0), (x1, y1) = np.round(corners).astype(int).tolist()
    return Box(x0, y0, x1, y1)
