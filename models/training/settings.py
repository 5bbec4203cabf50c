"""The command line that all training scripts share, made from their config's fields."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
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


def parse_settings(
    description: str | None,
    name: str | Callable[[Config], str],
    config: Config,
    original: Config | None = None,
    unused: Collection[str] = (),
) -> Settings[Config]:
    """Read the command line; every field of the config is an option with its value as default.

    Args:
        description: of the command.
        name: of the files that are made, without suffix; or how it follows from the config.
        config: defaults for the bundled size.
        original: defaults for the original's widths, chosen by `--size original`.
        unused: options that this training has no use for, by their names in the config; "start" for
            weights to begin with.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    if "start" in unused:
        parser.set_defaults(start=None)
    else:
        parser.add_argument("--start", type=Path, metavar="FILE", help="weights to begin with")
    parser.add_argument("-o", "--output", type=Path, help="default: WORK/<network>.safetensors")
    if original is not None:
        parser.add_argument("--size", choices=("bundled", "original"), default="bundled")
        if parser.parse_known_args()[0].size == "original":
            config = original
    options = [item for item in fields(config) if item.name not in unused]
    for item in options:
        value = getattr(config, item.name)
        option = "--" + item.name.replace("_", "-")
        reader: Any = _yes_or_no if isinstance(value, bool) else type(value)
        parser.add_argument(option, type=reader, default=value, help=f"default: {value}")
    chosen = parser.parse_args()
    values: dict[str, Any] = {item.name: getattr(chosen, item.name) for item in options}
    config = replace(config, **values)
    file_name = name if isinstance(name, str) else name(config)
    return Settings(
        data=chosen.data,
        work=chosen.work,
        start=chosen.start,
        checkpoint=chosen.work / f"{file_name}.checkpoint",
        output=chosen.output or chosen.work / f"{file_name}.safetensors",
        config=config,
    )


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError("say yes or no")
    return text == "yes"
