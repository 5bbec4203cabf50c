"""What --stages writes: the picture after each stage, in a folder of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from backend.command_files import prepare_folder
from backend.composition import composite
from backend.errors import InputError
from backend.files import save_picture
from backend.images import Picture
from backend.results import Result

STAGE_FILE = re.compile(r"(final|restored|mask|face-\d+)\.png", re.IGNORECASE)
"""What --stages writes."""

MARK = ".restore-old-photo"
"""Empty file in a folder whose stages this program wrote, and may write anew."""


def claim_stages(folder: Path, others: Iterable[Path]) -> None:
    """Make the folder for stages, and see that nothing else is replaced.

    Args:
        folder: named after --stages.
        others: what is read, and the result.

    Raises:
        RestorationError: it cannot be made, or a file would be replaced.
    """
    prepare_folder(folder)
    for path in others:
        if STAGE_FILE.fullmatch(path.name) and _is_same(path.parent, folder):
            raise InputError(
                f"{path} would be replaced by a stage of that name: name another folder after "
                "--stages.",
                code="output-is-input",
            )
    there = _stages_in(folder)
    if there and not (folder / MARK).exists():
        raise InputError(
            f"{there[0]} is there already, and would be replaced: name another folder after "
            "--stages.",
            code="file-exists",
        )
    (folder / MARK).touch()


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _stages_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if STAGE_FILE.fullmatch(path.name))


def stage_folders(folder: Path | None, photos: Sequence[Path]) -> list[Path | None]:
    """Where the stages of each photo go: one photo's into the folder, else each into its own."""
    if folder is None or len(photos) < 2:
        return [folder] * len(photos)
    folders: list[Path | None] = []
    for photo in photos:
        own, number = folder / photo.name, 2
        while own in folders:
            own = folder / f"{photo.name}-{number}"
            number += 1
        folders.append(own)
    return folders


def write_stages(folder: Path, picture: Picture, result: Result) -> None:
    """Write what the stages made of a picture."""
    metadata = picture.metadata
    pictures = {"final": Picture(result.final, metadata)}
    # The mask's profile and orientation would be the photo's, but it is no photo.
    whole = [layer for layer in result.layers if layer.kind in ("restored", "repair")]
    restored = picture.with_color(composite(picture.color, whole))
    pictures["restored"] = restored
    for layer in result.layers:
        if layer.kind == "mask":
            pictures["mask"] = Picture(layer.pixels)
        elif layer.kind == "face":
            number = 1 + sum(name.startswith("face-") for name in pictures)
            pictures[f"face-{number}"] = Picture(layer.pixels, metadata)
    write_pictures(folder, pictures)


def write_pictures(folder: Path, pictures: dict[str, Picture]) -> None:
    """Write the stages by name, and remove those that an earlier run had besides."""
    for name, picture in pictures.items():
        save_picture(picture, folder / f"{name}.png", overwrite=True)
    for path in _stages_in(folder):
        if path.stem.lower() not in pictures:
            path.unlink()
