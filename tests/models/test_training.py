"""Training material, losses and the loop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.training import losses
from models.training.damage import FloatArray, add_damage
from models.training.datasets import Sample
from models.training.degradations import Severity, degrade, develop, to_gray
from models.training.distractors import add_distractors
from models.training.loop import LoopConfig, learning_rate_at, train
from models.training.train_restoration import FIRST_CHANGE, Restorer


def a_picture(seed: int = 0) -> FloatArray:
    rows, columns = np.mgrid[:64, :80] / 80
    noise = np.random.default_rng(seed).random((64, 80))
    picture = np.stack([rows, columns, 0.5 * noise], axis=2)
    return np.asarray(0.2 + 0.6 * picture, dtype=np.float32)


@pytest.mark.parametrize("change", [degrade, develop, add_distractors])
def test_a_seed_fixes_what_happens_to_a_picture(change: object) -> None:
    assert callable(change)
    first, again, other = (change(a_picture(), np.random.default_rng(seed)) for seed in (5, 5, 11))
    assert first.shape == (64, 80, 3)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(8))
def test_the_mask_lies_where_marks_changed_the_picture(seed: int) -> None:
    before = a_picture()
    damaged = add_damage(before, np.random.default_rng(seed), {}, amount=3)
    change = np.abs(damaged.image - before).max(axis=2)
    assert set(np.unique(damaged.mask)) <= {0.0, 1.0}
    assert (change[damaged.mask == 1] > 0).all()
    # Unmasked changes are too faint to see; a single pixel may stand out of a faint neighbourhood.
    assert np.mean(change[damaged.mask == 0] > 0.2) < 0.02
    assert damaged.image.min() >= 0
    assert damaged.image.max() <= 1


def test_gray_stays_gray_through_all_degradations() -> None:
    gray = to_gray(a_picture())
    for seed in range(10):
        degraded = degrade(gray, np.random.default_rng(seed), Severity())
        assert np.ptp(degraded, axis=2).max() < 1e-5


def test_the_focal_loss_of_one_pixel_is_as_worked_by_hand() -> None:
    # p = 0.75 on a damaged pixel: -0.6 * (1 - 0.75)² * log(0.75)
    logit = torch.log(torch.tensor(3.0)).view(1, 1, 1, 1)
    loss = losses.focal(logit, torch.ones(1, 1, 1, 1), gamma=2, positive_weight=0.6)
    assert float(loss) == pytest.approx(0.6 * 0.0625 * -np.log(0.75), rel=1e-5)


def test_the_tversky_loss_weighs_false_alarms_as_worked_by_hand() -> None:
    logits = torch.tensor([20.0, 20.0, -20.0]).view(1, 1, 1, 3)  # claimed, claimed, not claimed
    target = torch.tensor([1.0, 0.0, 1.0]).view(1, 1, 1, 3)  # hit, false alarm, missed
    loss = losses.tversky(logits, target, false_alarms=0.75)
    assert float(loss) == pytest.approx(1 - 2 / (1 + 0.75 + 0.25 + 1), abs=1e-5)


def test_charbonnier_is_the_weighted_mean_distance() -> None:
    output, target = torch.tensor([[[[3.0, 0.0]]]]), torch.zeros(1, 1, 1, 2)
    weight = torch.tensor([[[[2.0, 1.0]]]])
    assert float(losses.charbonnier(output, target, weight)) == pytest.approx(3.0005, abs=1e-4)


def test_an_untrained_restorer_blurs_a_little_and_keeps_even_areas() -> None:
    torch.manual_seed(0)
    network = Restorer().eval()
    mask = torch.zeros(1, 1, 32, 32)
    with torch.inference_mode():
        even = network(torch.full((1, 3, 32, 32), 0.3), mask)
        noise = 0.3 * torch.randn(1, 1, 32, 32).repeat(1, 3, 1, 1)
        smoothed = network(noise, mask)
    assert float((even - 0.3).abs().max()) < 0.05
    assert float(smoothed.std() / noise.std()) == pytest.approx(1 - FIRST_CHANGE * 0.75, abs=0.1)


class Line(nn.Module):
    """y = a x + b."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x)
        return result


def line_batches(start: int) -> Iterator[Sample]:
    number = start // 4
    while True:
        x = torch.from_numpy(np.random.default_rng(number).random((4, 1), dtype=np.float32))
        yield {"x": x.view(4, 1, 1, 1), "y": 2 * x.view(4, 1, 1, 1) + 1}
        number += 1


def line_loss(module: nn.Module, batch: Sample) -> dict[str, Tensor]:
    return {"square": ((module(batch["x"]).float() - batch["y"]) ** 2).mean()}


def run_line(checkpoint: Path, steps: int) -> nn.Module:
    torch.manual_seed(0)
    config = LoopConfig(steps, 4, 1, 0.05, warm_up_steps=1, average=0.5)
    return train(Line(), config, line_batches, line_loss, checkpoint, lambda *_: None)


def test_training_learns_a_line(tmp_path: Path) -> None:
    trained = run_line(tmp_path / "line.checkpoint", 300)
    batch = next(line_batches(10_000))
    assert line_loss(trained, batch)["square"].item() < 0.01


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    checkpoint = tmp_path / "cut.checkpoint"
    torch.manual_seed(0)
    config = LoopConfig(60, 4, 1, 0.05, warm_up_steps=1, average=0.5, checkpoint_seconds=0)

    def cut(start: int) -> Iterator[Sample]:
        yield from itertools.islice(line_batches(start), 25)

    with pytest.raises(StopIteration):
        train(Line(), config, cut, line_loss, checkpoint, lambda *_: None)
    resumed = train(Line(), config, line_batches, line_loss, checkpoint, lambda *_: None)
    whole = run_line(tmp_path / "whole.checkpoint", 60)
    for a, b in zip(resumed.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = run_line(tmp_path / "line.checkpoint", 50)
    again = run_line(tmp_path / "line.checkpoint", 50)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_learning_rate_rises_then_falls() -> None:
    config = LoopConfig(100, 1, 1, 1.0, warm_up_steps=10)
    rates = [learning_rate_at(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[-1] < 0.02
