"""Write the table of the model card from the weight files: `python -m models.training.card`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import safetensors
from torch import nn

from models.loading import save_bundled
from models.registry import ModelSpec, WeightFileError, bundled_folder, read_spec

BEGIN, END = "<!-- table of weights: begin -->", "<!-- table of weights: end -->"

_COLUMNS = (
    "file",
    "network",
    "parameters",
    "MiB",
    "steps",
    "hours",
    "batch, crop",
    "trained on",
    "last loss",
)


def export_weights(module: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write a weight file, and its line in the card beside it."""
    save_bundled(module, spec, path)
    update_card(path.parent)


def update_card(folder: Path) -> None:
    """Replace the table between the two markers in the folder's README.md.

    The table is made from what training wrote into the files. A card without markers, or none at
    all, gets the table at its end.
    """
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else "# Model card\n"
    table = "\n".join([BEGIN, *_table(folder), END])
    if BEGIN in text and END in text:
        head, rest = text.split(BEGIN, 1)
        text = head + table + rest.split(END, 1)[1]
    else:
        text = text.rstrip("\n") + "\n\n" + table + "\n"
    card.write_text(text, encoding="utf-8")


def _table(folder: Path) -> Iterator[str]:
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|" + "---|" * len(_COLUMNS)
    for path in sorted(folder.glob("*.safetensors")):
        try:
            yield "| " + " | ".join(_cells(path)) + " |"
        except WeightFileError:
            continue  # not one of ours: a user's own file may lie beside them


def _cells(path: Path) -> list[str]:
    spec = read_spec(path)
    training, config = spec.training, spec.training.get("config", {})
    sizes = ", ".join(f"{key} {value}" for key, value in spec.hyper_parameters.items())
    loss = {k: v for k, v in training.get("loss", {}).items() if k != "step"}
    return [
        path.name,
        f"{spec.family} ({sizes})",
        f"{_count(path) / 1e6:.2f} M",
        f"{path.stat().st_size / 2**20:.1f}",
        str(training.get("steps", "unknown")),
        str(training.get("hours", "unknown")),
        f"{config['batch_size']}, {config['crop']} px" if config else "unknown",
        ", ".join(training.get("data", [])) or "unknown",
        ", ".join(f"{key} {value:.4f}" for key, value in loss.items()) or "unknown",
    ]


def _count(path: Path) -> int:
    with safetensors.safe_open(path, "pt") as file:
        total = 0
        for key in file.keys():  # noqa: SIM118  (it is no mapping)
            size = 1
            for length in file.get_slice(key).get_shape():
                size *= length
            total += size
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", default=bundled_folder())
    update_card(parser.parse_args().folder)


if __name__ == "__main__":
    main()
