"""Layers, threshold and strength on the page, compared with what the backend makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.review.browser import DONE, Page
from tests.backend.review.expectations import backends_layers, shown, together, veil
from tests.backend.review.serving import ReviewBackend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_layers_are_switched_and_faded_at_once(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    picture, layers = backends_layers(backend, photo)
    for opacities in ({"restored": 0}, {"restored": 35}, {"restored": 35, "repair": 60, "face": 0}):
        for kind in ("restored", "repair", "face"):
            wanted = opacities.get(kind, 100)
            switch = restored.find(f"#show-{kind}")
            if switch.is_selected() != (wanted > 0):
                switch.click()
            restored.set_range(f"#opacity-{kind}", wanted or 100)
        expected = together(picture, layers, opacities)
        restored.wait(lambda expected=expected: np.array_equal(shown(restored), expected))


def test_hiding_the_restored_layer_leaves_the_photo_untouched_outside_the_repair(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    for kind in ("restored", "face"):
        restored.find(f"#show-{kind}").click()
    picture, layers = backends_layers(backend, photo)
    undamaged = layers[0].pixels[..., 0] == 0
    restored.wait(lambda: np.array_equal(shown(restored)[undamaged], picture.pixels[undamaged]))
    assert not np.array_equal(shown(restored), picture.pixels)


def test_the_mask_is_seen_while_the_threshold_moves(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    assert not restored.find("#veil").is_displayed()
    restored.set_range("#threshold", 0.3, is_final=False)
    detection = {"repair_scratches": False, "whole_picture": False, "enhance_faces": False}
    _, (mask,) = backends_layers(backend, photo, threshold=0.3, **detection)
    restored.wait(lambda: np.array_equal(veil(restored), mask.pixels[..., 0]))
    restored.set_range("#threshold", 0.3)
    restored.wait(lambda: not restored.find("#veil").is_displayed())
    restored.wait_for_status(DONE)
    picture, layers = backends_layers(backend, photo, threshold=0.3)
    assert np.array_equal(shown(restored), together(picture, layers))
    restored.find("#recommended").click()
    restored.wait_for_status(DONE)


def test_strength_is_seen_at_once_and_restored_exactly_when_let_go(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    full = shown(restored).astype(int)
    restored.set_range("#strength", 50, is_final=False)
    restored.wait(lambda: not np.array_equal(shown(restored), full))
    restored.set_range("#strength", 50)
    picture, layers = backends_layers(backend, photo, strength=0.5)
    expected = together(picture, layers)
    restored.wait(lambda: np.array_equal(shown(restored), expected))
