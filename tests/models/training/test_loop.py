"""The loop: learning, averaging, resuming, two players; and the streams of batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from models.training.datasets import Batch, Sample, batches
from models.training.degradations.dice import Dice
from models.training.loop import (
    LoopConfig,
    Player,
    Progress,
    Training,
    begin_with,
    learning_rate_at,
)


class Line(nn.Module):
    """y = a x + b."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x)
        return result


def line_batches(start: int) -> Iterator[Batch]:
    for number in itertools.count(start):
        x = torch.from_numpy(np.random.default_rng(number).random((4, 1), dtype=np.float32))
        yield {"x": x.view(4, 1, 1, 1), "y": 2 * x.view(4, 1, 1, 1) + 1}


def line_loss(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
    return {"square": ((module(batch["x"]).float() - batch["y"]) ** 2).mean()}


def line_training(checkpoint: Path, steps: int, **values: float) -> Training:
    torch.manual_seed(0)
    config = LoopConfig(
        steps=steps,
        batch_size=4,
        crop=1,
        learning_rate=0.05,
        warm_up_steps=1,
        average=0.5,
        **values,  # type: ignore[arg-type]
    )
    return Training(Line(), config, [Player(line_loss)], checkpoint)


def run_line(checkpoint: Path, steps: int) -> nn.Module:
    return line_training(checkpoint, steps).run(line_batches, lambda *_: None)


def test_training_learns_a_line(tmp_path: Path) -> None:
    trained = run_line(tmp_path / "line.checkpoint", 300)
    batch = next(line_batches(10_000))
    assert line_loss(trained, batch)["square"].item() < 0.01


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    checkpoint = tmp_path / "cut.checkpoint"

    def cut(start: int) -> Iterator[Batch]:
        yield from itertools.islice(line_batches(start), 25)

    with pytest.raises(StopIteration):
        line_training(checkpoint, 60, checkpoint_seconds=0).run(cut, lambda *_: None)
    resumed = run_line(checkpoint, 60)
    whole = run_line(tmp_path / "whole.checkpoint", 60)
    for a, b in zip(resumed.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = run_line(tmp_path / "line.checkpoint", 50)
    again = run_line(tmp_path / "line.checkpoint", 50)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_checkpoint_tells_steps_time_and_losses(tmp_path: Path) -> None:
    seen: list[Progress] = []
    training = line_training(tmp_path / "line.checkpoint", 5)
    training.run(line_batches, lambda _, progress: seen.append(progress))
    summary = seen[-1].summary(training.config, ["lines"])
    assert summary["steps"] == 5
    assert summary["data"] == ["lines"]
    assert summary["config"]["learning_rate"] == 0.05
    assert set(summary["loss"]) == {"step", "square"}


def test_a_run_can_begin_with_the_weights_of_another(tmp_path: Path) -> None:
    trained = run_line(tmp_path / "line.checkpoint", 50)
    weights = tmp_path / "line.safetensors"
    state = {name: value.half() for name, value in trained.state_dict().items()}
    safetensors.torch.save_file(state, weights)
    fresh = Line()
    begin_with(fresh, weights)
    torch.testing.assert_close(
        fresh.layer.weight, trained.get_submodule("layer").weight, rtol=1e-3, atol=1e-3
    )
    with pytest.raises(RuntimeError, match="Missing key"):
        begin_with(nn.Sequential(nn.Linear(2, 2)).requires_grad_(False).append(Line()), weights)


class Duel(nn.Module):
    """A made number and a judge of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = nn.Linear(1, 1)
        self.judge = nn.Linear(1, 1)


def test_each_player_changes_its_own_part_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)

    def make(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        made = module.get_submodule("maker")(batch["x"])
        batch["made"] = made.detach()
        return {"fooled": (module.get_submodule("judge")(made) - 1).square().mean()}

    def judge(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {"caught": module.get_submodule("judge")(batch["made"]).square().mean()}

    config = LoopConfig(steps=1, batch_size=4, crop=1, learning_rate=0.1, warm_up_steps=0)
    players = [Player(make, ("maker",)), Player(judge, ("judge",), rate=0.0)]
    training = Training(Duel(), config, players, tmp_path / "duel.checkpoint")
    before = {key: value.clone() for key, value in training.module.state_dict().items()}
    training.run(line_batches, lambda *_: None)
    after = training.module.state_dict()
    assert not torch.equal(after["maker.weight"], before["maker.weight"])
    assert torch.equal(after["judge.weight"], before["judge.weight"])  # its rate is 0


def test_the_learning_rate_rises_then_falls() -> None:
    config = LoopConfig(steps=100, learning_rate=1.0, warm_up_steps=10)
    rates = [learning_rate_at(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[-1] < 0.02


def draw(rng: np.random.Generator) -> Sample:
    return {"value": torch.tensor(rng.random())}


def add_noise(batch: Batch, dice: Dice) -> Batch:
    return {"value": batch["value"] + dice.noise(*batch["value"].shape)}


def test_a_stream_is_the_same_for_any_number_of_workers_and_can_be_entered_anywhere() -> None:
    def values(start: int, workers: int, count: int) -> list[list[float]]:
        stream = batches(draw, add_noise, batch_size=2, seed=9, start=start, workers=workers)
        return [next(stream)["value"].tolist() for _ in range(count)]

    whole = values(0, 0, 6)
    assert values(0, 2, 6) == whole
    assert values(3, 1, 3) == whole[3:]
    assert len({value for batch in whole for value in batch}) == 12
