"""Faces: which are found and how much of them is changed, blending, grain."""

from __future__ import annotations

import numpy as np
import pytest

from backend.alignment import AlignedFace, Crop, Face, feature_areas
from backend.geometry import Box, Landmarks, Matrix, Size, invert, transform
from backend.grain import grain_deviation, with_grain
from backend.stages.blending import blend_face, feathered_outline, feathered_square
from backend.stages.faces import FoundFaces, enhanced_share, overlap, without_repetitions


def drawn_landmarks() -> Landmarks:
    """68 points of a face in a crop of 256 pixels: jaw, brows, and the rest in the middle."""
    turn = np.linspace(0, np.pi, 17)
    jaw = np.stack([128 - 75 * np.cos(turn), 110 + 105 * np.sin(turn)], axis=1)
    brows = np.stack([np.linspace(68, 188, 10), np.full(10, 92.0)], axis=1)
    rest = np.tile([[128.0, 150.0]], (41, 1))
    rest[3] = (128, 148)  # the tip of the nose, number 30
    return np.concatenate([jaw, brows, rest])


def aligned(before: Crop, after: Crop, to_crop: Matrix) -> AlignedFace:
    return AlignedFace(transform(invert(to_crop), drawn_landmarks()), to_crop, before, after)


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_the_feather_scales_with_the_face(scale: float) -> None:
    side = round(400 * scale)
    color = np.full((side, side, 3), 100, dtype=np.uint8)
    to_crop = np.array([[256 / (300 * scale), 0, -40.0], [0, 256 / (300 * scale), -40.0]])
    before = np.full((256, 256, 3), 0.4, dtype=np.float32)
    _, mask, box = blend_face(color, aligned(before, before, to_crop), gray=False)
    assert mask.max() >= 254
    # Much of even the smallest face is changed fully, and its surroundings not at all.
    share = np.count_nonzero(mask >= 250) / box.size.pixel_count
    assert share == pytest.approx(0.4, abs=0.1)
    assert mask[0].max() < 30
    assert mask[-1, 0] == mask[0, 0] == 0


def test_the_feather_is_symmetric_and_soft() -> None:
    mask = feathered_square(256)[..., 0]
    np.testing.assert_array_equal(mask, mask[::-1, ::-1].T)
    assert np.abs(np.diff(mask, axis=0)).max() < 0.06


def test_what_is_beside_a_face_stays() -> None:
    """A neighbour's cheek or a flower behind the ear lies in the crop, but not in the outline."""
    outline = feathered_outline(drawn_landmarks(), 256)[..., 0]
    assert outline[150, 128] == 1
    assert outline[92, 80] > 0.95  # a brow
    assert outline[60, 128] > 0.95  # the forehead
    assert max(outline[235, 40], outline[30, 30]) < 0.01
    assert np.abs(np.diff(outline, axis=1)).max() < 0.08


def test_strength_is_the_share_of_the_change() -> None:
    rng = np.random.default_rng(1)
    color = rng.integers(60, 190, (256, 256, 3), dtype=np.uint8)
    before = color.astype(np.float32) / 255
    after = before[:, ::-1].copy()
    face = aligned(before, after, np.eye(2, 3))
    changes = [
        blend_face(color, face, gray=False, strength=strength)[0].astype(int) - color
        for strength in (0.0, 0.5, 1.0)
    ]
    assert not changes[0].any()
    assert np.abs(changes[1] * 2 - changes[2]).max() <= 1
    assert np.abs(changes[2]).max() > 40


def grainy_face(deviation: float, seed: int = 0) -> Crop:
    rows, columns = np.mgrid[:256, :256] / 256
    shape = 0.5 + 0.2 * np.sin(6 * rows) * np.cos(5 * columns)
    grain = np.random.default_rng(seed).normal(0, deviation, (256, 256))
    return np.repeat((shape + grain)[..., None], 3, axis=2).astype(np.float32)


def test_a_smoothed_face_gets_its_grain_back() -> None:
    before, after = grainy_face(0.05), grainy_face(0.0)
    given = with_grain(before, after)
    np.testing.assert_allclose(grain_deviation(given), grain_deviation(before), rtol=0.1)
    # It is other grain: the old one would bring back what was removed with it.
    old, new = (picture[..., 0] - after[..., 0] for picture in (before, given))
    assert abs(np.corrcoef(old.ravel(), new.ravel())[0, 1]) < 0.1
    np.testing.assert_array_equal(given[..., 0], given[..., 2])


def test_a_face_without_grain_gets_none() -> None:
    smooth = grainy_face(0.0)
    sharper = np.clip(smooth + np.float32(0.02) * np.sign(smooth - 0.5), 0, 1)
    assert np.abs(with_grain(smooth, sharper) - sharper).max() < 0.005
    already = grainy_face(0.05, seed=2)
    assert np.abs(with_grain(grainy_face(0.05), already) - already).mean() < 0.01


def test_small_faces_are_enhanced_less() -> None:
    shares = [enhanced_share(Box(0, 0, width, width)) for width in (35, 36, 42, 48, 300)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert 0 < shares[1] < shares[2] < 1
    assert shares[3] == shares[4] == 1


def test_boxes_of_one_face_are_counted_once() -> None:
    first, same, other = Box(0, 0, 10, 10), Box(1, 1, 11, 11), Box(9, 9, 19, 19)
    found = [(2.0, first), (1.5, same), (1.0, other)]
    assert without_repetitions(found) == [(2.0, first), (1.0, other)]
    assert overlap(first, first) == 1
    assert overlap(first, Box(10, 0, 20, 10)) == 0


def test_a_face_seen_before_restoration_is_not_lost_and_none_is_counted_twice() -> None:
    landmarks = np.zeros((68, 2))
    left, same, right, tiny = (
        Face(box, landmarks)
        for box in (Box(0, 0, 50, 50), Box(2, 2, 52, 52), Box(90, 0, 140, 50), Box(60, 0, 80, 20))
    )
    unclear = [Box(91, 1, 139, 49), Box(200, 0, 260, 60), Box(0, 90, 20, 110)]
    found = FoundFaces([left], unclear).joined_with([same, right, tiny])
    assert found.faces == [left, right]
    assert found.unclear == [Box(200, 0, 260, 60)]


@pytest.mark.parametrize(("width", "cheek"), [(100, 0), (40, 255)])
def test_features_of_large_faces_and_the_whole_of_small_ones_are_spared(
    width: int, cheek: int
) -> None:
    outline = [(x, 20 + 0.9 * x * (width - x) / width) for x in np.linspace(0, width, 17)]
    spread = np.arange(68, dtype=np.float64)[:, None] % 5
    landmarks = np.full((68, 2), width / 2, dtype=np.float64) + spread
    landmarks[:17] = outline
    landmarks[17:27, 1] = 20
    areas = feature_areas([Face(Box(0, 0, width, width), landmarks)], Size(200, 200))
    middle = width // 2 + 2
    assert areas[middle, middle] == 255
    assert areas[25, 8] == cheek
    assert areas[150, 150] == 0
