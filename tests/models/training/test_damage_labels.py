"""The labels of real damage, and crops of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.damage_labels import DamageLabels, LabelledPhotos, load_labels
from models.training.datasets import PicturePool
from models.training.evaluation.detection import false_places, report_real_damage
from models.training.evaluation.metrics import MarkedMap
from models.training.evaluation.report import Report
from models.training.settings import DATA
from tests.backend.networks import random_networks

SCRATCH = np.array([[0.25, 0.1], [0.3, 0.1], [0.3, 0.9], [0.25, 0.9]])
HALO = np.array([[0.2, 0.05], [0.35, 0.05], [0.35, 0.95], [0.2, 0.95]])
LABELS = DamageLabels([SCRATCH], [HALO], np.array([[0.9, 0.5]]))


@pytest.fixture
def photos(tmp_path: Path) -> LabelledPhotos:
    """One photo, white where it is scratched, mid-gray around that, black elsewhere."""
    picture = np.zeros((200, 320, 3), np.uint8)
    damaged, unknown = LABELS.drawn(200, 320)
    picture[unknown > 0] = 128
    picture[damaged > 0] = 255
    cv2.imwrite(str(tmp_path / "scratched.png"), picture)
    return LabelledPhotos([tmp_path], 1024, {"scratched": LABELS})


def test_masks_lie_where_the_polygons_do() -> None:
    damaged, unknown = LABELS.drawn(100, 200)
    assert damaged.shape == unknown.shape == (100, 200)
    assert (damaged[50, 52], unknown[50, 52]) == (1, 0)
    assert (damaged[50, 44], unknown[50, 44]) == (0, 1)
    assert (damaged[50, 100], unknown[50, 100]) == (0, 0)


def test_masks_are_cut_and_turned_with_their_photo(photos: LabelledPhotos) -> None:
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(20):
        image, damaged, unknown = photos.labelled_crop(rng, 96, (0.7, 1.2))
        light = image[..., 0]
        assert light[cv2.erode(damaged, np.ones((3, 3))) > 0].min(initial=1) > 0.9
        inside = light[cv2.erode(unknown, np.ones((3, 3))) > 0]
        assert (np.abs(inside - 0.5) < 0.1).all()
        assert light[cv2.dilate(damaged + unknown, np.ones((3, 3))) == 0].max(initial=0) < 0.1
        seen += bool(damaged.any())
    assert seen > 5


def test_many_squares_lie_over_labelled_places(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((1000, 1000, 3), np.uint8))
    corner = DamageLabels([], [], np.array([[0.95, 0.95]]))
    pools = [LabelledPhotos([tmp_path], 1024, labels) for labels in ({"large": corner}, {})]
    shares = []
    for pool in pools:
        rng = np.random.default_rng(1)
        windows = [pool.choose(rng, 100, (1.0, 1.0)) for _ in range(300)]
        assert all(0 <= w.top <= 900 and 0 <= w.left <= 900 for w in windows)
        shares.append(np.mean([w.top > 850 and w.left > 850 for w in windows]))
    assert shares[0] > 0.4
    assert shares[1] < 0.05


def test_what_touches_damage_or_may_be_damage_is_not_false() -> None:
    claimed, damage, unsure = (np.zeros((60, 60), np.uint8) for _ in range(3))
    claimed[5:10, 5:10] = claimed[5:10, 30:35] = claimed[40:45, 5:10] = claimed[40:42, 40:42] = 1
    damage[8:20, 5:10] = 1
    unsure[40:60, 5:6] = 1
    assert false_places(claimed, MarkedMap(claimed.astype(np.float32), damage, unsure)) == 1


@pytest.mark.parametrize("name", ["train", "val"])
def test_the_labels_name_every_photo_and_stay_inside(name: str) -> None:
    folder = DATA / name / "old"
    if not folder.is_dir():
        pytest.skip(f"the old photos are not at {folder}")
    labels = load_labels(name)
    assert set(labels) == {file.stem for file in folder.glob("*.webp")}
    for label in labels.values():
        points = np.concatenate([*label.damaged, *label.unknown, label.lookalikes])
        assert ((points >= 0) & (points <= 1)).all()
        damaged, unknown = label.drawn(300, 400)
        assert not (damaged & unknown).any()
    assert sum(len(label.damaged) for label in labels.values()) > 10


def test_real_damage_is_reported_only_of_labelled_photos(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("scratched", "unknown"):
        cv2.imwrite(str(folder / f"{name}.png"), np.full((64, 96, 3), 90, np.uint8))
    old = PicturePool([folder])
    texts = []
    for number, labels in enumerate(({"scratched": LABELS}, {})):
        report = Report(tmp_path / str(number), "Detection")
        report_real_damage(report, "random", random_networks(), old, labels)
        texts.append((tmp_path / str(number) / "report.md").read_text(encoding="utf-8"))
    assert "0 of 1" in texts[0] or "1 of 1" in texts[0]
    assert "Damage of real old photos" not in texts[1]
