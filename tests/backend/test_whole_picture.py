"""The switches of the whole picture: cleaning, tone, strength."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from backend.errors import OptionsError
from backend.images import Mask, Picture, Pixels
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.stages import tone
from backend.stages.tone import restore_tone, small_copy
from tests.backend.networks import random_networks
from tests.backend.photos import noise, scratched

CLEAN = Options(scratches="none", tone=False, enhance_faces=False)
TONE = Options(scratches="none", cleaning=False, enhance_faces=False)
SIZES = [(1, 1), (1, 70), (37, 53), (600, 40)]


@pytest.fixture(scope="module")
def networks() -> Networks:
    return random_networks()


@pytest.fixture
def trifles_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random networks hardly change a tone."""
    monkeypatch.setattr(tone, "TRIFLING", 0.0)
    monkeypatch.setattr(tone, "CLEAR", 1e-6)


def run(
    pixels: Pixels, networks: Networks, options: Options, mask: Mask | None = None
) -> np.ndarray:
    result = restore(Picture(pixels), mask, options, networks, lambda _: None, lambda: False)
    return result.final.astype(float)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [CLEAN, TONE, Options(scratches="none", enhance_faces=False)])
def test_strength_0_leaves_the_photo_as_it_is(
    size: tuple[int, int], options: Options, networks: Networks
) -> None:
    pixels = noise(*size, 3, 16)
    assert (run(pixels, networks, replace(options, strength=0.0)) == pixels).all()


@pytest.mark.usefixtures("trifles_count")
@pytest.mark.parametrize("options", [CLEAN, TONE])
def test_half_the_strength_makes_half_the_change(options: Options, networks: Networks) -> None:
    pixels = (20000 + noise(64, 80, 3, 16) // 4).astype(np.uint16)
    whole = run(pixels, networks, options) - pixels
    half = run(pixels, networks, replace(options, strength=0.5)) - pixels
    assert np.abs(whole).max() > 500
    np.testing.assert_allclose(half, whole / 2, atol=1.5)


def test_the_damage_is_repaired_at_any_strength(networks: Networks) -> None:
    pixels, drawn = scratched(np.full((60, 70, 3), 90, dtype=np.uint8))
    options = replace(CLEAN, scratches="mask", strength=0.0)
    final = run(pixels, networks, options, drawn)
    assert (final[drawn == 0] == 90).all()
    assert np.abs(final[drawn > 0] - 90).mean() < 40  # they were 255


@pytest.mark.parametrize("strength", [0.5, 0.0])
def test_the_soft_edge_of_a_repair_is_the_same_at_any_strength(
    strength: float, networks: Networks
) -> None:
    pixels, drawn = scratched(noise(60, 70, 3))
    soft = np.asarray(cv2.GaussianBlur(drawn, (0, 0), 3), np.uint8)
    options = Options(scratches="mask", cleaning=False, tone=False, enhance_faces=False)
    whole = run(pixels, networks, options, soft)
    np.testing.assert_array_equal(
        run(pixels, networks, replace(options, strength=strength), soft), whole
    )


def test_without_cleaning_and_tone_only_the_damage_changes(networks: Networks) -> None:
    pixels, drawn = scratched(noise(60, 70, 3))
    options = Options(scratches="mask", cleaning=False, tone=False, enhance_faces=False)
    final = run(pixels, networks, options, drawn)
    assert (final[drawn == 0] == pixels[drawn == 0]).all()
    assert (final[drawn > 0] != pixels[drawn > 0]).any()


def test_a_picture_that_needs_hardly_any_change_of_tone_gets_none(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.full((64, 96, 3), 30000, dtype=np.uint16)
    changes = []
    for trifling, clear in ((0.0, 1e-6), (0.0, 0.03), (0.02, 0.04)):
        monkeypatch.setattr(tone, "TRIFLING", trifling)
        monkeypatch.setattr(tone, "CLEAR", clear)
        changes.append(np.abs(run(pixels, networks, TONE) - 30000).mean())
    assert changes[0] > changes[1] > changes[2] == 0


@pytest.mark.usefixtures("trifles_count")
def test_the_tone_changes_smoothly_and_leaves_detail(networks: Networks) -> None:
    """Two neighbours of one brightness get the same change wherever they lie side by side."""
    pixels = np.full((256, 320, 3), 30000, dtype=np.uint16)
    change = run(pixels, networks, TONE) - 30000
    assert np.abs(change).max() > 100
    steps = max(np.abs(np.diff(change, axis=axis)).max() for axis in (0, 1))
    assert steps < np.abs(change).max() / 8


@pytest.mark.usefixtures("trifles_count")
def test_strips_of_the_tone_leave_no_seam(networks: Networks) -> None:
    image = torch.full((1, 3, 700, 50), 0.4)
    monitor = Monitor("restoration", lambda _: None, lambda: False)
    with torch.inference_mode():
        restore_tone(image, networks, monitor)
    rows = image[0, :, :, 10].diff(dim=1).abs()
    assert float(rows[:, 255].max()) < 2 * float(rows[:, 200:254].max()) + 1e-4


def test_a_small_copy_keeps_the_shape_and_has_the_pixels_of_a_square_about() -> None:
    assert small_copy(torch.zeros(1, 3, 3000, 2000), 256).shape == (1, 3, 320, 208)
    assert small_copy(torch.zeros(1, 3, 1, 900), 256).shape == (1, 3, 16, 1024)
    assert small_copy(torch.zeros(1, 3, 20, 20), 160).shape == (1, 3, 160, 160)


def test_gray_stays_gray(networks: Networks) -> None:
    pixels = np.repeat(noise(40, 50, 1), 3, axis=2)
    final = run(pixels, networks, Options(scratches="none", enhance_faces=False))
    assert (np.ptp(final, axis=2) == 0).all()


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_that_is_no_share_is_refused(strength: float) -> None:
    with pytest.raises(OptionsError, match="choose a value from 0 to 1"):
        Options(strength=strength)
