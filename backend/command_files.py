"""Which photos a command line means, and what their restored copies are called. No torch here."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.errors import InputError, OptionsError, RestorationError
from backend.files import FORMATS, format_of

OWN_OUTPUT = re.compile(r"-(restored|scratches)(-\d+)?$")
"""Endings of names given by this program, which a folder's photos are not taken from."""

LONGEST_NAME = 255
"""Bytes of a file's name; hardly any disk takes more."""


@dataclass(frozen=True)
class Output:
    """Where a result goes.

    Attributes:
        path: a file, or None while it follows from the photo's name and format.
        folder: for results whose name follows; None is the photo's own folder.
    """

    path: Path | None = None
    folder: Path | None = None


def find_photos(arguments: Iterable[Path]) -> tuple[list[Path], list[InputError]]:
    """Take files as they are, and from folders the photos directly inside.

    Returns:
        The photos, each once, and what is wrong with the other arguments.
    """
    photos: dict[Path, None] = {}
    problems = []
    for argument in arguments:
        if not is_folder(argument):
            photos[argument] = None
            continue
        try:
            inside = [path for path in sorted(argument.iterdir()) if is_photo(path)]
        except OSError as error:
            problems.append(
                InputError(
                    f"{argument} cannot be read ({error.strerror}): check its permissions.",
                    code="folder-not-read",
                )
            )
            continue
        photos.update(dict.fromkeys(inside))
        if not inside:
            problems.append(
                InputError(
                    f"{argument} holds no PNG, JPEG, TIFF or WebP photo: name another folder.",
                    code="folder-empty",
                )
            )
    return list(photos), problems


def is_folder(path: Path) -> bool:
    """Whether it is one; no where the system does not let anybody look, which Path's raises."""
    return os.path.isdir(path)  # noqa: PTH112


def is_photo(path: Path) -> bool:
    """Whether a folder's file is taken: by its ending, and not one that this program made."""
    is_own = OWN_OUTPUT.search(path.stem) is not None
    known = path.suffix.lower() in FORMATS
    return known and not is_own and not path.name.startswith(".") and _may_be_file(path)


def _may_be_file(path: Path) -> bool:
    try:
        # A link to nothing is taken, too: reading it says what is wrong.
        return path.is_file() or (path.is_symlink() and not path.exists())
    except (PermissionError, RuntimeError):
        # Nobody may look what it is; reading it will say so, where leaving it out would not.
        return True


def resolve_output(chosen: Path | None, arguments: Sequence[Path]) -> Output:
    """Decide whether `-o` names a file or a folder.

    Raises:
        OptionsError: one file cannot take several photos, or has an unknown ending.
    """
    if chosen is None:
        return Output()
    several = len(arguments) > 1 or any(is_folder(path) for path in arguments)
    if is_folder(chosen) or not chosen.suffix:
        return Output(folder=chosen)
    if several:
        if chosen.suffix.lower() in FORMATS or chosen.exists():
            raise OptionsError(
                f"{chosen} is one file, but there are several photos: name a folder after -o."
            )
        return Output(folder=chosen)
    try:
        format_of(chosen)
    except InputError as error:
        raise OptionsError(f"{error} A folder has to exist if its name looks like that.") from error
    return Output(path=chosen)


def output_path(photo: Path, suffix: str, output: Output, ending: str) -> Path:
    """The file for one photo's result; where the name follows, one that does not exist yet.

    A photo's name that leaves no room for what is put behind it is cut.

    Args:
        photo: the input.
        suffix: ending of the photo's format, used where its own name has none or another format's.
        output: from `resolve_output`.
        ending: what is put behind the photo's name, for example "-restored".
    """
    if output.path is not None:
        return output.path
    folder = photo.parent if output.folder is None else output.folder
    own = FORMATS.get(photo.suffix.lower())
    if own == FORMATS[suffix.lower()]:
        suffix = photo.suffix
    # What follows the last dot may be a year.
    name = photo.name if own is None else photo.stem
    candidate = folder / _fitting(name, f"{ending}{suffix}")
    number = 2
    # A link to nothing takes the name, too.
    while os.path.lexists(candidate):
        candidate = folder / _fitting(name, f"{ending}-{number}{suffix}")
        number += 1
    return candidate


def _fitting(name: str, ending: str) -> str:
    # By whole letters, of which each takes one to four bytes.
    while len(os.fsencode(name + ending)) > LONGEST_NAME:
        name = name[:-1]
    return name + ending


def prepare_folder(folder: Path) -> None:
    """Make a folder for results and write a file into it and away again, before the work.

    Raises:
        RestorationError: it cannot be made, or takes no files.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RestorationError(
            f"The folder {folder} cannot be made ({error.strerror}): name another one.",
            code="folder-not-made",
        ) from error
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RestorationError(
            f"The folder {folder} takes no files ({error.strerror}): name another place after -o.",
            code="folder-not-writable",
        ) from error


def check_replaces_nothing_precious(path: Path, inputs: Iterable[Path]) -> None:
    """A file named after -o is replaced, but never a photo or mask that is being read.

    Args:
        path: what is to be written.
        inputs: what is read.

    Raises:
        InputError: `path` is one of `inputs`.
    """
    if path.exists() and any(other.exists() and path.samefile(other) for other in inputs):
        raise InputError(
            f"{path} is being read, and would be replaced: name another place after -o.",
            code="output-is-input",
        )
