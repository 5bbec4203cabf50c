"""The command line that all training scripts share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from models.training.loop import LoopConfig

_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """Where a training run reads and writes.

    Attributes:
        data: folder with train/photos, train/faces, train/old, train/damage and perceptual.
        work: folder for what training makes; aligned faces are expected in work/aligned-faces.
        checkpoint: training state, resumed when present.
        output: the safetensors file, replaced with each checkpoint.
    """

    data: Path
    work: Path
    checkpoint: Path
    output: Path
    loop: LoopConfig


def parse_settings(description: str | None, network: str, loop: LoopConfig) -> Settings:
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=_PROJECT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=_PROJECT / "build" / "training")
    parser.add_argument("-o", "--output", type=Path, help="default: WORK/<network>.safetensors")
    parser.add_argument("--steps", type=int, default=loop.steps)
    parser.add_argument("--batch-size", type=int, default=loop.batch_size)
    parser.add_argument("--crop", type=int, default=loop.crop)
    parser.add_argument("--seed", type=int, default=loop.seed)
    chosen = parser.parse_args()
    return Settings(
        data=chosen.data,
        work=chosen.work,
        checkpoint=chosen.work / f"{network}.checkpoint",
        output=chosen.output or chosen.work / f"{network}.safetensors",
        loop=replace(
            loop,
            steps=chosen.steps,
            batch_size=chosen.batch_size,
            crop=chosen.crop,
            seed=chosen.seed,
        ),
    )
