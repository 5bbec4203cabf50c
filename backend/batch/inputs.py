"""Which photos of an archive are restored, and what their results are called. No torch here."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backend.batch.manifest import HIDDEN, NAME
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
    # Unlike Path's, this bears links that lead round in a circle.
    if Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(output)):
        raise OptionsError(
            f"The results would lie among the photos of {folder}: name another folder after -o."
        )


def unreadable(photo: Input, error: OSError) -> InputError:
    """What is wrong with a photo's file."""
    if isinstance(error, FileNotFoundError):
        return InputError(
            f"{photo.path} is not there any more: put it back, or leave it away.",
            code="file-missing",
        )
    return InputError(
        f"{photo.path} cannot be read ({error.strerror}): check its permissions.",
        code="file-permission",
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
    place = os.path.realpath(output)
    for parent, folders, files in os.walk(folder, onerror=note):
        here = Path(parent)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and os.path.realpath(here / name) != place
            and not holds_results(here / name)
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


def holds_results(folder: Path) -> bool:
    """Whether it is the folder of results of a batch, whose pictures are no photos."""
    # Asked of the system, which unlike Path says no where nobody may look.
    return all(os.path.exists(folder / name) for name in (HIDDEN, NAME))  # noqa: PTH110


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
