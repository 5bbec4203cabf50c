"""Each training script's own parts: samples, and a few steps that measurably learn."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from models.compact_unet import RestorationUNet
from models.tone_grid import ToneGrid, apply_grid
from models.training import train_detection, train_face, train_restoration, train_tone
from models.training.damage_labels import LabelledPhotos
from models.training.datasets import Batch, DrawSample, FinishBatch, PicturePool, batches
from models.training.degradations.aging import Aging
from models.training.degradations.dice import Dice
from models.training.loop import Player, Training


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> LabelledPhotos:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(3):
        smooth = cv2.resize(rng.random((6, 8, 3)), (160, 120), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), np.clip(smooth * 255, 0, 255))
    return LabelledPhotos([folder], 1024, {})


def stream(draw: DrawSample, finish: FinishBatch, start: int = 0) -> Iterator[Batch]:
    return batches(draw, finish, batch_size=4, seed=1, start=start, workers=0)


def detector_batches(photos: LabelledPhotos, start: int = 0) -> Iterator[Batch]:
    draw = partial(
        train_detection.draw_sample,
        photos=photos,
        old=photos,
        sprites={"hair": []},
        lifted=[],
        crop=64,
    )
    return stream(draw, train_detection.finish_batch, start)


def test_the_detector_learns_to_see_drawn_marks(photos: LabelledPhotos, tmp_path: Path) -> None:
    config = train_detection.DetectionConfig(
        steps=500, width=12, deepest_width=12, blocks=1, warm_up_steps=5, learning_rate=2e-3
    )
    loss = partial(train_detection.compute_loss, config=config)
    torch.manual_seed(1)
    network = train_detection.make_network(config)
    test = [next(detector_batches(photos, 500 + n)) for n in range(16)]

    def judge(module: torch.nn.Module) -> float:
        """Area under the ROC curve; 0.5 is chance."""
        with torch.inference_mode():
            scores = torch.cat([module(batch["gray"]) for batch in test])
        truth, weight = (torch.cat([batch[name] for batch in test]) for name in ("mask", "weight"))
        return float(roc_auc_score(truth[weight > 0], scores[weight > 0]))

    assert judge(network) < 0.7
    training = Training(network, config, [Player(loss)], tmp_path / "detection.checkpoint")
    trained = training.run(lambda start: detector_batches(photos, start), lambda *_: None)
    assert judge(trained) > 0.8


def test_samples_of_the_detector_do_not_judge_what_nobody_can_see(photos: LabelledPhotos) -> None:
    batch = next(detector_batches(photos))
    assert batch["gray"].shape == batch["mask"].shape == batch["weight"].shape == (4, 1, 64, 64)
    assert float(batch["gray"].min()) >= -1
    assert bool((batch["weight"][batch["mask"] > 0] == 1).all())


def test_the_tone_network_learns_to_undo_shading(photos: PicturePool, tmp_path: Path) -> None:
    config = train_tone.ToneConfig(
        steps=150, width=12, warm_up_steps=5, learning_rate=3e-3, average=0.9
    )
    draw = partial(train_tone.draw_sample, photos=photos, crop=32)
    finish = partial(train_tone.finish_batch, alone=0.5)
    torch.manual_seed(1)
    network = ToneGrid(**config.hyper_parameters)
    test = [next(stream(draw, finish, 500 + n)) for n in range(8)]

    def error(module: torch.nn.Module) -> float:
        with torch.inference_mode():
            after = [apply_grid(batch["image"], module(batch["image"])) for batch in test]
        return float(
            np.mean(
                [float(((a - b["target"]) ** 2).mean()) for a, b in zip(after, test, strict=True)]
            )
        )

    before = error(network)
    players = [Player(partial(train_tone.compute_loss, config=config))]
    trained = Training(network, config, players, tmp_path / "tone.checkpoint").run(
        lambda start: stream(draw, finish, start), lambda *_: None
    )
    assert error(trained) < 0.7 * before


def test_the_restoration_is_given_filled_holes_and_asked_for_the_same_tone(
    photos: PicturePool,
) -> None:
    draw = partial(
        train_restoration.draw_sample,
        photos=photos,
        old=photos,
        sprites={"hair": []},
        lifted=[],
        crop=64,
    )
    batch = next(stream(draw, train_restoration.finish_batch))
    assert batch["filled"].shape == batch["photo"].shape == batch["target"].shape == (4, 3, 64, 64)
    assert set(batch["mask"].unique().tolist()) <= {0.0, 1.0}
    # Fading and shading are in both, so the means agree though the pixels do not.
    means = batch["filled"].mean((2, 3)) - batch["target"].mean((2, 3))
    assert float(means.abs().max()) < 0.1
    assert not torch.equal(batch["filled"], batch["target"])
    outside = (batch["mask"] == 0).expand_as(batch["photo"])
    assert torch.equal(batch["filled"][outside], batch["photo"][outside])
    assert not torch.equal(batch["filled"], batch["photo"])
    assert batch["grain"].shape == batch["mask"].shape
    assert float(batch["grain"].min()) >= 0
    assert 0 < float(batch["grain"].mean()) < 0.2


def test_what_hides_a_picture_is_damage_and_white_paper_or_as_gray_as_the_picture() -> None:
    gray = torch.full((40, 3, 8, 8), 0.5)
    colored = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    mixed = torch.stack([gray, colored], dim=1).flatten(0, 1)
    aging = Aging.of(mixed)
    covered = torch.zeros(80, 1, 8, 8)
    covered[:, :, 2:4] = 1
    train_restoration.hide(aging, covered, Dice(1))
    assert torch.equal(aging.mask, covered)
    assert torch.equal(aging.image[:, :, 4:], mixed[:, :, 4:])
    hidden = aging.image[:, :, 2:4]
    is_torn = (hidden == 1).flatten(1).all(1)
    assert 20 <= int(is_torn.sum()) <= 60
    of_gray = hidden[::2]
    assert torch.equal(of_gray[:, 0], of_gray[:, 1])
    shows_another = (hidden != mixed[:, :, 2:4]).flatten(1).any(1)
    assert bool(shows_another.all())


def test_the_restoration_learns_to_keep_texture_that_was_selected_without_damage() -> None:
    config = train_restoration.RestorationConfig(width=8, deepest_width=8, blocks=1)
    torch.manual_seed(1)
    photo = torch.rand(2, 3, 32, 32) * 2 - 1
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    batch = {"photo": photo, "filled": photo * (1 - mask), "mask": mask, "target": photo}
    batch["grain"] = torch.zeros_like(mask)
    network = RestorationUNet(**config.hyper_parameters)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    errors = []
    for _ in range(80):
        terms = train_restoration.compute_loss(network, batch, config, None)
        optimiser.zero_grad()
        terms["repair"].backward()
        optimiser.step()
        errors.append(float(terms["repair"].detach()) / config.repair)
    # Logarithms: a tenth of the squared error, which nobody reaches who has to guess such texture.
    assert min(errors) < errors[0] - 1


def test_some_faces_are_given_clean(photos: PicturePool) -> None:
    faces = PicturePool.__new__(PicturePool)
    faces.pictures = [np.ascontiguousarray(p[:96, :96]) for p in photos.pictures]
    draw = partial(train_face.draw_sample, faces=faces)
    restoration = RestorationUNet(width=8, deepest_width=16, blocks=1).eval()
    finish = partial(train_face.finish_batch, restoration=restoration)
    same = total = 0
    for number in range(12):
        batch = next(stream(draw, finish, number))
        for clean, face, photo in zip(*(batch[k] for k in ("clean", "face", "photo")), strict=True):
            is_clean = torch.equal(clean, face)
            assert torch.equal(clean, photo) == is_clean
            same, total = same + int(is_clean), total + 1
    assert 0 < same < total / 2


def test_a_face_that_is_no_nearer_to_the_person_costs_more() -> None:
    true, shown = torch.zeros(1, 128), torch.full((1, 128), 0.5 / 128**0.5)
    far, near = shown * 2, shown * 0.8
    assert float(train_face.identity_loss(shown, true, far, 4.0)) == pytest.approx(0.5)
    further = 0.1 + train_face.NEARER
    expected = pytest.approx(0.5 + 4 * further)
    assert float(train_face.identity_loss(shown, true, near, 4.0)) == expected


def test_eyes_and_mouth_weigh_most() -> None:
    weights = train_face.feature_weights(64, 3.0)[0, 0]
    # The template's eye and mouth middles, and two places far from all of them.
    assert float(weights[27, 22]) > 2.9
    assert float(weights[27, 42]) > 2.9
    assert float(weights[49, 32]) > 2.9
    assert float(weights[2, 2]) == pytest.approx(1.0, abs=0.01)
    assert float(weights[34, 2]) < 1.1
