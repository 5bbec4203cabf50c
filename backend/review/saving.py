"""Files that a page ordered: written into a private folder, and handed out once."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from backend.errors import InputError
from backend.review.document import Document
from backend.runtime import run_folder

Format = Literal["png", "tiff", "openraster"]
FORMATS = get_args(Format)

_ENDINGS: dict[Format, str] = {
    "png": "-restored.png",
    "tiff": "-layers.tif",
    "openraster": "-layers.ora",
}
_MEDIA_TYPES: dict[Format, str] = {
    "png": "image/png",
    "tiff": "image/tiff",
    "openraster": "image/openraster",
}
_PREFIX = "review-"
# A page orders one file and fetches it; a second order means that the first was lost.
_MOST_FILES = 2


@dataclass(frozen=True)
class SavedFile:
    """A finished file.

    Attributes:
        path: where it lies until it is fetched.
        name: what the user will read.
        media_type: for the browser.
    """

    path: Path
    name: str
    media_type: str


class SavedFiles:
    """Finished files by a secret that works once."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._files: dict[str, SavedFile] = {}

    def folder(self) -> Path:
        """A private folder, emptied of what a backend that was killed left behind."""
        # Some systems clear temporary folders while this runs.
        if self._folder is None or not self._folder.is_dir():
            for left_over in run_folder().glob(f"{_PREFIX}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=run_folder()))
        return self._folder

    @contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """A place for a file that came under this name, which messages about it say; gone after.

        Raises:
            InputError: the disk takes nothing.
        """
        try:
            with tempfile.TemporaryDirectory(dir=self.folder()) as folder:
                yield Path(folder) / name
        except OSError as error:
            raise InputError(
                "{name} could not be taken in ({reason}): free some space in {folder} and open it "
                "again.",
                code="photo-not-kept",
                name=name,
                reason=str(error.strerror or error),
                folder=str(run_folder()),
            ) from error

    def write(self, document: Document, kind: Format) -> tuple[str, str]:
        """Write a document.

        Returns:
            The secret under which it is fetched, and the file's name for the user.

        Raises:
            InputError: the format cannot hold it, or there is no room on the disk.
        """
        secret = secrets.token_urlsafe(32)
        path = self.folder() / secrets.token_hex(8)
        try:
            _write(document, kind, path)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if not isinstance(error, OSError):
                raise
            raise InputError(
                "The file could not be written ({reason}): free some space in {folder} and save "
                "again.",
                code="save-failed",
                reason=str(error.strerror or error),
                folder=str(run_folder()),
            ) from error
        name = Path(document.name).stem + _ENDINGS[kind]
        self._files[secret] = SavedFile(path, name, _MEDIA_TYPES[kind])
        while len(self._files) > _MOST_FILES:
            self._files.pop(next(iter(self._files))).path.unlink(missing_ok=True)
        return secret, name

    def take(self, secret: str) -> SavedFile:
        """Hand a file out; who takes it deletes it.

        Raises:
            InputError: there is none under this secret, or no more.
        """
        file = self._files.pop(secret, None)
        if file is None:
            raise InputError("This file was fetched already: save it again.", code="unknown-file")
        return file

    def close(self) -> None:
        """Delete everything."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _write(document: Document, kind: Format, path: Path) -> None:
    from backend.files import write_picture
    from backend.review.layered_tiff import write_layered_tiff
    from backend.review.openraster import write_openraster

    with path.open("xb") as stream:
        if kind == "png":
            write_picture(document.flattened(), "PNG", stream)
        elif kind == "tiff":
            write_layered_tiff(document, stream)
        else:
            write_openraster(document, stream)
