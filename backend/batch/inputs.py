"""Which photos of an archive are restored, and what their results are called. No torch here."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backend.command_files import is_folder, is_photo
from backend.errors import InputError, OptionsError


@dataclass(frozen=True)
class Input:
    """A photo of the archive.

    Attributes:
        name: its path below the archive, with forward slashes.
        path: where it lies.
        result: path of its result below the folder of results, with forward slashes.
    """

    name: str
    path: Path
    result: str


def check_folders(folder: Path, output: Path) -> None:
    """See that no result can take the place of a photo.

    Raises:
        OptionsError: the folder does not exist, or lies in the folder of results.
    """
    if not is_folder(folder):
        raise OptionsError(f"{folder} is no folder: name the folder that holds the photos.")
    if os.path.exists(output) and not is_folder(output):  # noqa: PTH110
        raise OptionsError(f"{output} is a file: name a folder after -o.")
    if folder.resolve().is_relative_to(output.resolve()):
        raise OptionsError(
            f"The results would lie among the photos of {folder}: name another folder after -o."
        )


def find_inputs(folder: Path, output: Path) -> tuple[list[Input], list[InputError]]:
    """All photos below a folder, by name; hidden ones and those in `output` are left out.

    Returns:
        The photos, and a problem for each folder that cannot be read.
    """
    problems: list[InputError] = []

    def note(error: OSError) -> None:
        problems.append(
            InputError(
                f"The folder {error.filename} cannot be read ({error.strerror}): check its "
                "permissions.",
                code="folder-permission",
            )
        )

    found: list[Path] = []
    place = output.resolve()
    for parent, folders, files in os.walk(folder, onerror=note):
        here = Path(parent)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != place
        ]
        found += [here / name for name in files if is_photo(here / name)]
    if not found and not problems:
        problems.append(
            InputError(
                f"{folder} holds no PNG, JPEG, TIFF or WebP photo: name another folder.",
                code="folder-empty",
            )
        )
    names = sorted(path.relative_to(folder).as_posix() for path in found)
    results = _results_of(names)
    return [Input(name, folder / name, results[name]) for name in names], problems


def _results_of(names: list[str]) -> dict[str, str]:
    """The inputs' own names, made different where some disk would take two for one."""
    taken: set[str] = set()
    results = {}
    for name in names:
        path, number = PurePosixPath(name), 2
        result = name
        while _as_disks_compare(result) in taken:
            result = path.with_name(f"{path.stem}-{number}{path.suffix}").as_posix()
            number += 1
        taken.add(_as_disks_compare(result))
        results[name] = result
    return results


def _as_disks_compare(name: str) -> str:
    # Windows and macOS take "A.jpg" for "a.jpg", macOS both spellings of an accent for one.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
