"""The command line of the training scripts follows from their configs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.training.loop import LoopConfig
from models.training.settings import Settings, parse_settings


@dataclass(frozen=True)
class ToyConfig(LoopConfig):
    """A config with an option of its own."""

    is_bright: bool = True


def parsed(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, unused: tuple[str, ...] = ()
) -> Settings[ToyConfig]:
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    wide = ToyConfig(crop=512)
    return parse_settings("Train.", "toy", ToyConfig(), wide, unused=unused)


def test_every_field_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = parsed(
        monkeypatch, "--batch-size", "3", "--is-bright", "no", "--work", "w", "--start", "s"
    )
    assert settings.config == ToyConfig(batch_size=3, is_bright=False)
    assert settings.checkpoint == Path("w/toy.checkpoint")
    assert settings.output == Path("w/toy.safetensors")
    assert settings.start == Path("s")


def test_the_original_size_has_defaults_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed(monkeypatch).config.crop == 256
    assert parsed(monkeypatch, "--size", "original").config.crop == 512
    assert parsed(monkeypatch, "--size", "original", "--crop", "64").config.crop == 64


@pytest.mark.parametrize(
    "arguments", [("--is-bright", "perhaps"), ("--crop", "64"), ("--start", "s"), ("--steps", "x")]
)
def test_what_a_training_has_no_use_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(monkeypatch, *arguments, unused=("crop", "start"))
    assert caught.value.code == 2
    assert parsed(monkeypatch, unused=("crop", "start")).start is None
