"""The figures of the report, the fixed pictures, and the card."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import torch
from PIL import Image

from models.compact_unet import CompactScratchUNet
from models.loading import save_bundled
from models.registry import ModelSpec
from models.training import card_pictures
from models.training.card import BEGIN, END, update_card
from models.training.datasets import PicturePool
from models.training.degradations.marks import Sprites, draw_marks
from models.training.evaluation.blended import edge_gradient, report_blended
from models.training.evaluation.methods import classical, telea, unchanged
from models.training.evaluation.metrics import (
    MarkedMap,
    area_under_curve,
    color_drift,
    detection_at,
    ratio,
    similarity,
)
from models.training.evaluation.pictures import (
    PRESETS,
    Preset,
    degraded_pictures,
    lookalike_pictures,
    marked_pictures,
    scanned_prints,
)
from models.training.evaluation.report import Report, Table, fitted, overlaid, zoomed
from models.training.transplants import Transplant
from tests.backend.networks import random_networks
from tests.backend.photos import portrait


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> PicturePool:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(2):
        smooth = cv2.resize(rng.random((6, 8, 3)), (96, 72), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), np.clip(smooth * 255, 0, 255))
    return PicturePool([folder])


def test_the_ratio_of_a_known_error() -> None:
    clean = np.zeros((4, 4, 3), np.float32)
    assert ratio(clean, clean + np.float32(0.1)) == pytest.approx(20, abs=1e-4)
    assert ratio(clean, clean) == 60
    half = np.zeros((4, 4), bool)
    half[:2] = True
    changed = clean.copy()
    changed[:2] = 0.01
    assert ratio(clean, changed, half) == pytest.approx(40, abs=1e-3)
    assert ratio(clean, changed, ~half) == 60


def test_equal_pictures_are_similar_and_have_no_drift() -> None:
    picture = np.random.default_rng(1).random((16, 16, 3)).astype(np.float32)
    assert similarity(picture, picture) == pytest.approx(1)
    assert color_drift(picture, picture) == 0
    assert color_drift(picture, np.clip(picture * 0.8, 0, 1).astype(np.float32)) > 1


def line_map(shift: int, strength: float) -> MarkedMap:
    damage, probability = np.zeros((32, 32), np.uint8), np.full((32, 32), 0.1, np.float32)
    damage[16] = 1
    probability[16 + shift] = strength
    return MarkedMap(probability, damage, np.zeros_like(damage))


@pytest.mark.parametrize(("shift", "right"), [(0, 1.0), (2, 1.0), (3, 0.0)])
def test_a_line_may_lie_two_pixels_beside_the_truth(shift: int, right: float) -> None:
    found = line_map(shift, 0.9)
    score = detection_at([(found.probability > 0.5).astype(np.uint8)], [found])
    assert (score.precision, score.recall) == (right, right)


def test_claims_where_nobody_knows_do_not_count() -> None:
    unsure = np.zeros((32, 32), np.uint8)
    unsure[3] = 1
    truth = line_map(0, 0.9)
    truth = MarkedMap(truth.probability, truth.damage, unsure)
    claim = (truth.probability > 0.5).astype(np.uint8)
    claim[3] = 1
    assert detection_at([claim], [truth]).precision == 1


def test_the_area_under_the_curve_of_a_perfect_and_a_useless_map() -> None:
    assert area_under_curve([line_map(0, 0.9)]) == 1
    assert area_under_curve([line_map(0, 0.1)]) == 0.5


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_seeds_give_the_same_pictures(preset: Preset, pool: PicturePool) -> None:
    speck = Transplant(np.full((9, 9), 0.8, np.float32), np.zeros((9, 9), np.float32))
    first, again = (list(degraded_pictures(pool, preset, {}, [[speck]])) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.degraded, b.degraded)
        assert a.clean.shape == a.degraded.shape == (72, 96, 3)
    assert any(not np.array_equal(p.clean, p.degraded) for p in first)
    if preset in ("original", "shading"):
        assert not any(p.damage.any() for p in first)


def test_light_and_dark_marks_are_told_apart(pool: PicturePool) -> None:
    light, dark = (
        next(iter(marked_pictures(pool, partial(draw_marks, sprites={}, tone=tone), is_old=True)))
        for tone in ("light", "dark")
    )
    assert light.damage.any() or dark.damage.any()
    assert not np.array_equal(light.degraded, dark.degraded)


def test_lookalikes_are_drawn_over_every_picture(pool: PicturePool) -> None:
    assert len(list(lookalike_pictures(pool))) == 2


def test_scanned_prints_show_a_ground_on_all_sides(pool: PicturePool) -> None:
    for image, levels in zip(scanned_prints(pool), pool.pictures, strict=True):
        assert image.shape == levels.shape
        middle = len(image) // 2
        for side in (image[0, 1:-1], image[-1, 1:-1], image[1:-1, 0], image[1:-1, -1]):
            assert side.std() < 0.1
        assert image[middle].std() > 0.02


def test_the_classical_methods_fill_holes() -> None:
    image = np.full((32, 32, 3), 0.5, np.float32)
    image[::2] = 0.6
    broken, hole = image.copy(), np.zeros((32, 32), np.uint8)
    broken[10:14, 10:14], hole[10:14, 10:14] = 1, 1
    assert unchanged(broken, hole) is broken
    assert ratio(image, telea(broken, hole)) > ratio(image, broken) + 5
    assert classical(broken, hole).shape == image.shape


def test_a_report_holds_tables_and_sheets(tmp_path: Path) -> None:
    report = Report(tmp_path / "report", "Title")
    report.section("Figures", "Text.", Table(["a", "b"], [["1", "2"]]))
    image = np.random.default_rng(0).random((40, 60, 3)).astype(np.float32)
    mask = np.zeros((40, 60), np.uint8)
    mask[5] = 255
    cells = [fitted(image), fitted(overlaid(image, mask)), zoomed(np.tile(image, (4, 4, 1)), 1, 1)]
    report.sheet("A sheet", ["x", "y", "z"], [cells])
    text = (tmp_path / "report" / "report.md").read_text()
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |" in text
    assert "![A sheet](a-sheet.png)" in text
    sheet = cv2.imread(str(tmp_path / "report" / "a-sheet.png"))
    assert sheet is not None
    assert sheet.shape == (22 + 256 + 4, 3 * 260, 3)


def test_the_card_says_how_each_file_was_trained(tmp_path: Path) -> None:
    module = CompactScratchUNet(width=8, deepest_width=8, blocks=1)
    training = {
        "steps": 12,
        "hours": 0.5,
        "data": ["photos"],
        "config": {"batch_size": 3, "crop": 64},
        "loss": {"step": 12.0, "focal": 0.25},
    }
    parameters = {"width": 8, "deepest_width": 8, "blocks": 1}
    spec = ModelSpec("detection", "compact_scratch_unet", parameters, {}, training)
    save_bundled(module, spec, tmp_path / "detection.safetensors")
    (tmp_path / "README.md").write_text(f"# Card\n\n{BEGIN}\nold\n{END}\n\nMore.\n")
    update_card(tmp_path)
    text = (tmp_path / "README.md").read_text()
    count = sum(p.numel() for p in module.parameters()) / 1e6
    assert f"| {count:.2f} M |" in text
    assert "| 12 | 0.5 | 3, 64 px | photos | focal 0.2500 |" in text
    assert "old" not in text
    assert text.startswith("# Card")
    assert text.endswith("More.\n")


def test_a_compact_network_starts_with_its_bias_everywhere() -> None:
    network = CompactScratchUNet(width=8, deepest_width=8, blocks=1)
    with torch.inference_mode():
        assert not network(torch.rand(1, 1, 32, 48)).any()
    with pytest.raises(ValueError, match="multiples of 16, but got 30x48"):
        network(torch.rand(1, 1, 30, 48))


def test_a_pasted_face_has_a_seam_and_a_blended_one_has_none() -> None:
    columns = np.arange(120, dtype=np.float32)
    ramp = np.clip((columns - 20) / 60, 0, 1)
    mask = np.repeat(np.round(ramp * 255).astype(np.uint8)[None], 120, axis=0)
    plain = np.full((120, 120, 3), 100, np.uint8)
    blended = np.round(plain + 30 * ramp[None, :, None]).astype(np.uint8)
    pasted = np.where(mask[..., None] > 40, plain + np.uint8(30), plain).astype(np.uint8)
    assert edge_gradient(plain, mask) == 0
    # 30 levels over 60 pixels.
    assert edge_gradient(blended, mask) == pytest.approx(0.5, abs=0.05)
    # 30 levels in one place of the edge, which is about 29 pixels wide.
    assert edge_gradient(pasted, mask) == pytest.approx(30 / 29, abs=0.1)


def test_every_face_on_old_photos_gets_a_row(tmp_path: Path) -> None:
    pool = PicturePool.__new__(PicturePool)
    pool.pictures = [np.ascontiguousarray(portrait()[..., ::-1])]
    report_blended(Report(tmp_path, "Faces"), "random", random_networks(), pool)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "Faces on real old photos: 1." in text
    sheet = cv2.imread(str(tmp_path / "faces-on-old-photos-random.png"))
    assert sheet is not None
    assert sheet.shape[:2] == (22 + 260, 3 * 260)


def test_the_cards_pictures_show_every_photo_and_step(tmp_path: Path) -> None:
    sprites: Sprites = {"hair": []}
    examples = Path(skimage.__file__).parent / "data"
    card_pictures.picture_photos(tmp_path / "photos.webp", examples, random_networks(), sprites)
    card_pictures.picture_blended(tmp_path / "blended.webp", random_networks())
    card_pictures.picture_torn(tmp_path / "torn.webp", examples, random_networks())
    with (
        Image.open(tmp_path / "photos.webp") as photos,
        Image.open(tmp_path / "blended.webp") as blended,
        Image.open(tmp_path / "torn.webp") as torn,
    ):
        assert torn.size == (4 * 260, 22 + 3 * 260)
        assert photos.size == (6 * 260, 22 + 5 * 260)
        assert blended.size == (3 * 260, 22 + 260)
        # Wide columns of one colour are what a missing picture looks like.
        assert float(np.asarray(photos)[30:270, 4:250].std()) > 10
