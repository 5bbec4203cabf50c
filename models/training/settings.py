"""The command line that all training scripts share, made from their config's fields."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from models.training.loop import LoopConfig

_PROJECT = Path(__file__).resolve().parents[2]
DATA = _PROJECT.parent / "shared" / "data"
WORK = _PROJECT / "build" / "training"

Config = TypeVar("Config", bound=LoopConfig)


@dataclass(frozen=True)
class Settings(Generic[Config]):
    """Where a training run reads and writes, and its config.

    Attributes:
        data: folder with train/photos, train/faces, train/old, train/damage and perceptual.
        work: folder for what training makes.
        start: weight file whose values a new run begins with, instead of random ones.
        checkpoint: training state, resumed when present.
        output: the safetensors file, replaced with each checkpoint.
    """

    data: Path
    work: Path
    start: Path | None
    checkpoint: Path
    output: Path
    config: Config


def parse_settings(description: str | None, network: str, config: Config) -> Settings[Config]:
    """Read the command line; every field of the config is an option with its value as default."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--start", type=Path, metavar="FILE", help="weights to begin with")
    parser.add_argument("-o", "--output", type=Path, help="default: WORK/<network>.safetensors")
    for item in fields(config):
        value = getattr(config, item.name)
        option = "--" + item.name.replace("_", "-")
        parser.add_argument(option, type=type(value), default=value, help=f"default: {value}")
    chosen = parser.parse_args()
    values: dict[str, Any] = {item.name: getattr(chosen, item.name) for item in fields(config)}
    return Settings(
        data=chosen.data,
        work=chosen.work,
        start=chosen.start,
        checkpoint=chosen.work / f"{network}.checkpoint",
        output=chosen.output or chosen.work / f"{network}.safetensors",
        config=replace(config, **values),
    )
