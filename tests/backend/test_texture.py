"""Cleaning takes grain away, and leaves the texture of grass, gravel and cloth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from backend import texture
from backend.texture import CLEANED, keep_texture, photo_grain
from models.grain_level import Floats

HEIGHT, WIDTH = 300, 400
GRAIN = 0.02


def as_image(gray: Floats) -> Tensor:
    return torch.from_numpy(gray).expand(1, 3, *gray.shape).clone()


def smoothed(gray: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(gray, (0, 0), 3), np.float32)


def meadow(seed: int = 1) -> Floats:
    """Sky with grain on the left, and grass with ten times as much on the right."""
    rng = np.random.default_rng(seed)
    gray = 0.5 + GRAIN * rng.standard_normal((HEIGHT, WIDTH))
    gray[:, WIDTH // 2 :] += 9 * GRAIN * rng.standard_normal((HEIGHT, WIDTH // 2))
    return gray.astype(np.float32).clip(0, 1)


def nothing() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def kept(photo: Floats, hole: np.ndarray | None = None) -> Floats:
    """Where the result lies between the photo, 0, and its smooth copy, 1; NaN where both agree."""
    cleaned = smoothed(photo)
    result, before = as_image(cleaned), as_image(photo)
    keep_texture(result, before, nothing() if hole is None else hole, photo_grain(before))
    assert torch.equal(result[:, 0], result[:, 1])
    distance = np.where(np.abs(cleaned - photo) > 0.002, cleaned - photo, np.nan)
    return np.asarray((result[0, 0].numpy() - photo) / distance, np.float32)


def test_grain_goes_and_texture_stays() -> None:
    share = kept(meadow())
    assert np.nanmin(share[:, :160]) > 0.95 * CLEANED
    assert np.nanmax(share[:, 240:]) < 0.1


def test_a_picture_of_grain_alone_keeps_a_little_of_it() -> None:
    photo = (0.5 + GRAIN * np.random.default_rng(2).standard_normal((HEIGHT, WIDTH))).astype(
        np.float32
    )
    assert np.nanmax(np.abs(kept(photo) - CLEANED)) < 1e-3


def test_grain_that_grows_with_the_light_is_no_texture() -> None:
    light = np.linspace(0.1, 0.9, WIDTH) * np.ones((HEIGHT, 1))
    noise = np.random.default_rng(3).standard_normal((HEIGHT, WIDTH))
    share = kept((light * (1 + 0.05 * noise)).astype(np.float32))
    assert np.nanmin(share) > 0.95 * CLEANED


def test_a_border_that_a_program_drew_is_no_measure_of_the_grain() -> None:
    photo = 0.5 + GRAIN * np.random.default_rng(4).standard_normal((HEIGHT, WIDTH))
    photo[:60] = photo[-60:] = 0.6
    assert np.nanmin(kept(photo.astype(np.float32))[80:-80]) > 0.95 * CLEANED


def test_a_repair_stays_as_it_is() -> None:
    hole = nothing()
    hole[100:140, 280:330] = 1
    share = kept(meadow(), hole)
    assert np.nanmax(np.abs(share[100:140, 280:330] - 1)) < 1e-3
    assert np.nanmax(share[200:, 240:]) < 0.1


def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = meadow()
    monkeypatch.setattr(texture, "BAND_CELLS", 1000)
    whole = kept(photo)
    monkeypatch.setattr(texture, "BAND_CELLS", 3)
    np.testing.assert_allclose(kept(photo), whole, atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 90), (257, 2), (41, 67)])
def test_every_size_is_taken(size: tuple[int, int]) -> None:
    photo = np.random.default_rng(5).random(size, dtype=np.float32)
    result, before = as_image(smoothed(photo)), as_image(photo)
    keep_texture(result, before, np.zeros(size, np.uint8), photo_grain(before))
    assert result.isfinite().all()
    same = before.clone()
    keep_texture(same, before, np.zeros(size, np.uint8), photo_grain(before))
    assert torch.equal(same, before)
