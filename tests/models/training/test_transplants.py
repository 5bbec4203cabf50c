"""Real damage, lifted off one photo and laid over another."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.training.damage_labels import DamageLabels, LabelledPhotos
from models.training.degradations.aging import Aging
from models.training.degradations.painting import add_marks
from models.training.transplants import Transplant, draw_transplants, lift_damage


def _polygon(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


LIGHT, DARK = _polygon(0.2, 0.2, 0.25, 0.5), _polygon(0.6, 0.2, 0.65, 0.5)
LARGE, UNSEEN = _polygon(0, 0.9, 1, 0.99), _polygon(0.8, 0.6, 0.85, 0.7)


@pytest.fixture
def lifted(tmp_path: Path) -> list[list[Transplant]]:
    """Of a gray photo with a light scratch, a dark one, a torn edge and one that nobody sees."""
    labels = DamageLabels([LIGHT, DARK, LARGE, UNSEEN], [], np.zeros((0, 2)))
    picture = np.full((400, 400, 3), 128, np.uint8)
    for polygon, level in ((LIGHT, 220), (DARK, 40), (LARGE, 255)):
        cv2.fillPoly(picture, [np.floor(polygon * 400).astype(np.int32)], (level,) * 3)
    cv2.imwrite(str(tmp_path / "scratched.png"), picture)
    cv2.imwrite(str(tmp_path / "whole.png"), picture)
    return lift_damage(LabelledPhotos([tmp_path], 1024, {"scratched": labels}))


def test_small_damage_is_lifted_as_it_looks(lifted: list[list[Transplant]]) -> None:
    assert [len(pieces) for pieces in lifted] == [2]
    light, dark = lifted[0]
    # 128 under 72 % white is 220, under 69 % black 40.
    assert light.lighter.max() == pytest.approx(0.72, abs=0.02)
    assert dark.darker.max() == pytest.approx(0.69, abs=0.02)
    assert light.darker.max() == dark.lighter.max() == 0
    for opacity in (light.lighter, dark.darker):
        # 20 x 120 pixels, and what the rim of the inpainting takes along.
        assert (opacity > 0.3).sum() == pytest.approx(21 * 121, rel=0.1)


def test_damage_is_seen_on_another_picture(lifted: list[list[Transplant]]) -> None:
    rng, changes = np.random.default_rng(2), []
    for _ in range(12):
        paint = draw_transplants((256, 256), rng, lifted)
        aging = Aging.of(torch.full((1, 3, 256, 256), 0.5))
        add_marks(aging, torch.from_numpy(paint.as_array())[None])
        marked = aging.mask[0, 0] > 0
        change = (aging.image[0, 0] - 0.5)[marked]
        changes += [float(change.max()), float(change.min())] if marked.any() else []
    assert max(changes) > 0.2
    assert min(changes) < -0.2


def test_photos_without_damage_give_nothing(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "whole.png"), np.zeros((50, 50, 3), np.uint8))
    assert lift_damage(LabelledPhotos([tmp_path], 1024, {})) == []
