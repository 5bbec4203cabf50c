"""A picture takes the tone of another one of the same scene."""

from __future__ import annotations

import numpy as np

from backend.color_fit import in_tone_of
from tests.backend.photos import portrait


def scene() -> np.ndarray:
    return portrait()[40:232, 20:212].astype(np.float32) / 255


def everywhere(picture: np.ndarray) -> np.ndarray:
    return np.ones(picture.shape[:2], np.float32)


def test_a_change_of_brightness_and_contrast_is_undone() -> None:
    wanted = scene() * 0.8 + 0.1
    picture = wanted * np.array([0.5, 0.6, 0.4], np.float32) + np.array(
        [0.2, 0.1, 0.05], np.float32
    )
    np.testing.assert_allclose(in_tone_of(wanted, picture, everywhere(wanted)), wanted, atol=0.01)


def test_the_same_tone_stays() -> None:
    picture = scene()
    np.testing.assert_allclose(
        in_tone_of(picture, picture, everywhere(picture)), picture, atol=1e-6
    )


def test_a_gray_picture_stays_gray() -> None:
    gray = scene()[..., 1:2].repeat(3, axis=2)
    shown = in_tone_of(gray * 0.5 + 0.2, gray, everywhere(gray))
    assert float(np.ptp(shown, axis=2).max()) < 1e-5
    np.testing.assert_allclose(shown, gray * 0.5 + 0.2, atol=0.01)


def test_unknown_places_do_not_count() -> None:
    wanted = scene()
    picture, known = wanted.copy(), everywhere(wanted)
    picture[:80], known[:80] = 0, 0
    shown = in_tone_of(wanted, picture, known)
    np.testing.assert_allclose(shown[80:], wanted[80:], atol=1e-4)
    np.testing.assert_array_equal(in_tone_of(wanted, picture, known * 0), picture)


def test_flat_pictures_take_one_tone() -> None:
    flat = np.full((64, 64, 3), 0.5, np.float32)
    shown = in_tone_of(flat * 0.5, flat, everywhere(flat))
    np.testing.assert_allclose(shown, flat * 0.5, atol=0.01)
