"""Faces in large photos: a group of many is found, whatever the scan's size."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from backend.face_finder import FaceFinder
from backend.geometry import Box
from backend.images import Pixels
from backend.stages import faces
from backend.stages.faces import FOR_ENHANCEMENT, search_faces
from tests.backend.photos import portrait
from tests.backend.restoring import listening

SIDE = 240


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


def boxes_in(color: Pixels, finder: FaceFinder) -> list[Box]:
    return [face.box for face in search_faces(color, finder, listening()[0]).faces]


def group(rows: int, columns: int) -> Pixels:
    return np.ascontiguousarray(np.tile(portrait(), (rows, columns, 1)))


def test_every_face_of_a_large_group_is_found_once_and_in_its_place(
    finder: FaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the photo had a hundred megapixels: its faces are too small in the reduced copy.
    monkeypatch.setattr(faces, "WORKING_PIXELS", SIDE * SIDE)
    monkeypatch.setattr(faces, "PART", 3 * SIDE)
    found = boxes_in(group(4, 5), finder)
    assert len(found) == 20
    (alone,) = boxes_in(portrait(), finder)
    for row in range(4):
        for column in range(5):
            expected = alone.moved(column * SIDE, row * SIDE)
            assert max(faces.overlap(expected, box) for box in found) > 0.6


def test_a_face_that_fills_a_large_photo_is_found_once(
    finder: FaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = cv2.resize(portrait(), (8 * SIDE, 8 * SIDE), interpolation=cv2.INTER_CUBIC)
    monkeypatch.setattr(faces, "WORKING_PIXELS", SIDE * SIDE)
    monkeypatch.setattr(faces, "PART", 3 * SIDE)
    found = boxes_in(np.asarray(large, np.uint8), finder)
    (alone,) = boxes_in(portrait(), finder)
    assert len(found) == 1
    assert found[0].size.width == pytest.approx(8 * alone.size.width, rel=0.15)


def test_a_photo_that_is_searched_at_its_size_has_no_further_parts() -> None:
    gray = np.zeros((400, 500), np.uint8)
    assert len(list(faces._views(gray, FOR_ENHANCEMENT, in_parts=True))) == 1


@pytest.mark.parametrize("length", [500, 719, 720, 721, 1000, 5000])
def test_parts_cover_the_photo_and_share_enough(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "PART", 720)
    spans = faces._spans(length, 200)
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    assert all(end - start <= 720 for start, end in spans)
    assert all(a[1] - b[0] >= 199 for a, b in pairwise(spans))


def test_a_search_without_parts_finds_what_the_reduced_photo_shows(
    finder: FaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "WORKING_PIXELS", SIDE * SIDE)
    found = search_faces(group(4, 5), finder, listening()[0], in_parts=False)
    assert len(found.faces) < 20
