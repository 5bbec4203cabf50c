"""Faces are carried onto the template and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.alignment import (
    Face,
    align,
    crop_box,
    cut_crop,
    five_points,
    moved,
    pixels_per_crop_pixel,
    template_points,
)
from backend.geometry import (
    Box,
    Landmarks,
    Size,
    estimate_similarity,
    invert,
    transform,
)

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "face_alignment.npz"
angles = st.floats(-3.1, 3.1)
scales = st.floats(0.05, 20)
shifts = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


def similarity(angle: float, scale: float, shift: tuple[float, float]) -> Landmarks:
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([linear, np.array(shift)[:, None]])


def face_at(points: Landmarks) -> Face:
    """A face whose five points are `points`."""
    landmarks = np.zeros((68, 2))
    for corners, middle in (((36, 39), points[0]), ((42, 45), points[1])):
        landmarks[list(corners)] = middle
    landmarks[30], landmarks[48], landmarks[54] = points[2:]
    return Face(Box(0, 0, 1, 1), landmarks)


@given(angle=angles, scale=scales, shift=shifts)
def test_a_similarity_is_found_again(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    matrix = similarity(angle, scale, shift)
    points = template_points(256)
    found = estimate_similarity(points, transform(matrix, points))
    np.testing.assert_allclose(found, matrix, atol=1e-6 * max(1.0, scale))


@given(angle=angles, scale=scales, shift=shifts)
def test_aligning_undoes_any_turn_scale_and_shift(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    to_picture = similarity(angle, scale, shift)
    points = template_points(256)
    to_crop = align(face_at(transform(to_picture, points)), 256)
    np.testing.assert_allclose(to_crop, invert(to_picture), rtol=1e-6, atol=1e-5)
    assert pixels_per_crop_pixel(to_crop) == pytest.approx(scale)


@given(angle=angles, scale=st.floats(0.05, 4), shift=shifts)
def test_the_crop_box_holds_all_that_the_crop_shows(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    to_crop = invert(similarity(angle, scale, shift))
    box = crop_box(to_crop, 256)
    corners = np.array([[0, 0], [255, 0], [255, 255], [0, 255]])
    inside = transform(invert(to_crop), corners)
    assert (inside >= [box.x0, box.y0]).all()
    assert (inside <= [box.x1 - 1, box.y1 - 1]).all()


def test_alignment_in_a_cut_out_is_the_same_alignment() -> None:
    to_crop = similarity(0.3, 0.5, (7, -3))
    box, point = Box(40, 60, 90, 120), np.array([[55.0, 71.0]])
    np.testing.assert_allclose(
        transform(moved(to_crop, box), point - (box.x0, box.y0)), transform(to_crop, point)
    )


def test_landmarks_without_the_shape_of_a_face_are_refused() -> None:
    same = np.full((5, 2), 7.0)
    line = np.stack([np.arange(5) * 10.0, np.zeros(5)], axis=1)
    for points in (same, line):
        with pytest.raises(ValueError, match="landmarks"):
            align(face_at(points), 256)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_unturned_crop_at_the_picture_scale_is_a_cut_out(channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, channels), dtype=np.uint8)
    to_crop = similarity(0, 1, (-20, -30))
    crop = cut_crop(picture, to_crop, 256)
    expected = np.broadcast_to(picture[30:286, 20:276] / 255, (256, 256, 3))
    np.testing.assert_allclose(crop, expected, atol=1e-6)


def test_a_crop_across_the_border_shows_no_black() -> None:
    picture = np.full((100, 100, 3), 200, dtype=np.uint8)
    crop = cut_crop(picture, similarity(0.2, 1, (90, 120)), 256)
    np.testing.assert_allclose(crop, 200 / 255, atol=1e-5)


def test_points_and_alignment_are_those_of_the_original() -> None:
    if not GOLDEN.is_file():
        pytest.skip("needs the recorded runs of the original in ../shared/golden")
    golden = np.load(GOLDEN)
    for landmarks, points, matrix in zip(
        golden["landmarks68"], golden["five_points"], golden["affine256"], strict=True
    ):
        # The original cuts the fractions of the eye middles off; we do not.
        np.testing.assert_allclose(five_points(landmarks.astype(float)), points, atol=0.5)
        found = estimate_similarity(template_points(256), points.astype(float))
        # Its template has single precision.
        np.testing.assert_allclose(found, matrix[:2], rtol=1e-5, atol=1e-3)


def test_a_size_gives_array_axes() -> None:
    assert Size(width=3, height=2).shape == (2, 3)
