"""The folder of results: opened by one batch at a time, and right whenever that one is killed.

A result is made in a hidden folder and moved to its place after its line in the manifest. A file
in that place whose line is missing is therefore none of ours, and is not replaced.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from backend.batch.inputs import Input
from backend.batch.interruption import interruptions_held
from backend.batch.manifest import HIDDEN, NAME, Manifest, Record, key_of
from backend.batch.work import Report, Task
from backend.errors import InputError, OptionsError
from backend.runtime import try_lock, version
from models.stored import sha256_of


@dataclass(frozen=True)
class Recipe:
    """What the results depend on, besides the photos.

    Attributes:
        options: what is to be done.
        weights: SHA-256 of each weight file.
        weights_name: what the user calls them; their sums alone count.
    """

    options: dict[str, Any]
    weights: dict[str, str]
    weights_name: str = "bundled"


class Archive:
    """The results of an archive of photos, and what is known of them.

    Args:
        folder: of the results; its lock is held.
        source: the folder that the photos are in.
        recipe: of this batch; the folder may hold results of others.

    Attributes:
        folder: see above.
        source_name: how the source is called.

    Raises:
        RestorationError: the manifest cannot be read.
    """

    def __init__(self, folder: Path, source: Path, recipe: Recipe) -> None:
        self.folder = folder
        self._source = str(source.resolve())
        self.source_name = source.resolve().name
        self._recipe = recipe
        self._manifest = Manifest(folder / NAME)
        self._count = 0

    def latest(self, photo: Input) -> Record | None:
        """What became of a photo at last."""
        return self._manifest.latest(photo.name)

    def has_result(self, photo: Input, sha256: str) -> bool:
        """Whether a photo with this content is restored already by this recipe.

        Where that was another photo, its result is copied.

        Raises:
            InputError: the place of the result is taken.
            RestorationError: the manifest cannot be written.
        """
        key = key_of(sha256, self._recipe.options, self._recipe.weights)
        latest, equal = self.latest(photo), self._manifest.like(key)
        is_own = latest is not None and latest.key == key and latest.result == photo.result
        if latest is not None and is_own and self.is_there(latest):
            return True
        if equal is None or equal.result is None or not self.is_there(equal):
            return False
        original = self.folder / equal.result
        if _suffix(equal.result) != _suffix(photo.result) or not _has_sum(original, equal):
            return False
        self.check_place(photo, sha256)
        copy = self.new_place(photo)
        try:
            shutil.copyfile(original, copy)
        except OSError as error:
            raise _not_written(copy, error) from error
        record = self._record(photo, sha256)
        self._put(copy, photo, replace(record, found=equal.found, notes=equal.notes))
        self.clear(copy)
        return True

    def check_place(self, photo: Input, sha256: str) -> None:
        """See that a photo's result replaces nothing but an older one, as the batch made it.

        Raises:
            InputError: it would, or nobody may look.
        """
        place = self.folder / photo.result
        try:
            if not os.path.lexists(place):
                return
        except OSError as error:
            raise _not_written(place, error) from error
        owner = self._manifest.owner(photo.result)
        if owner is None and self._manifest.is_torn(photo.name):
            return
        if owner is None:
            raise InputError(
                f"{place} exists, and is no result of this batch: move it away, or name another "
                "folder after -o.",
                code="file-exists",
            )
        if owner.folder != self._source and owner.input_sha256 != sha256:
            raise InputError(
                f"{place} is the result of another photo, from {owner.folder}: move it away, or "
                "name another folder after -o.",
                code="file-exists",
            )
        if not _has_sum(place, owner):
            raise InputError(
                f"{place} was changed since the batch made it: move it away, or name another "
                "folder after -o.",
                code="file-exists",
            )

    def new_place(self, photo: Input) -> Path:
        """Where a result is written at first.

        Raises:
            InputError: the folder cannot be made.
        """
        self._count += 1
        place = self.folder / HIDDEN / "work" / str(self._count)
        try:
            place.mkdir(parents=True)
        except OSError as error:
            raise _not_written(place, error) from error
        return place / PurePosixPath(photo.result).name

    def clear(self, target: Path) -> None:
        """Remove what is left in a place from `new_place`."""
        shutil.rmtree(target.parent, ignore_errors=True)

    def keep(self, task: Task, report: Report) -> None:
        """Put a result into its place, and into the manifest.

        Raises:
            InputError: the photo changed meanwhile, or the place cannot be written.
            RestorationError: the manifest cannot be written.
        """
        if _time_of_change(task.photo.path) != task.changed:
            raise InputError(
                f"{task.photo.path} was changed while it was restored: run the same command again.",
                code="file-changed",
            )
        record = replace(
            self._record(task.photo, task.sha256),
            seconds=round(report.seconds, 3),
            found=report.found,
            notes=report.notes,
        )
        for side, data in (("before", report.before), ("after", report.after)):
            path = self.thumbnail(record, side)
            try:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            except OSError as error:
                raise _not_written(path, error) from error
        self._put(task.target, task.photo, record)

    def note_failure(self, photo: Input, sha256: str | None, report: Report) -> None:
        """Write into the manifest why there is no result.

        Raises:
            RestorationError: the manifest cannot be written.
        """
        self._manifest.add(
            replace(
                self._record(photo, sha256),
                seconds=round(report.seconds, 3),
                error=report.error,
                error_code=report.error_code,
                trace=report.trace,
            )
        )

    def thumbnail(self, record: Record, side: str) -> Path:
        """Where the small picture of a photo lies; `side` is "before" or "after"."""
        return self.folder / HIDDEN / "thumbnails" / f"{record.key}-{side}.webp"

    def is_there(self, record: Record) -> bool:
        """Whether a record's result lies in its place, and no later one took that."""
        if record.result is None or self._manifest.owner(record.result) != record:
            return False
        return os.path.isfile(self.folder / record.result)  # noqa: PTH113 (Path's raises)

    def _record(self, photo: Input, sha256: str | None) -> Record:
        finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return Record(
            photo.name,
            self._source,
            sha256,
            self._recipe.options,
            self._recipe.weights,
            self._recipe.weights_name,
            version(),
            finished,
        )

    def _put(self, made: Path, photo: Input, record: Record) -> None:
        place = self.folder / photo.result
        try:
            sha256 = sha256_of(made)
            place.parent.mkdir(parents=True, exist_ok=True)
            with interruptions_held():
                with _set_aside(place, made.with_name("old")):
                    self._manifest.add(replace(record, result=photo.result, result_sha256=sha256))
                made.replace(place)
        except OSError as error:
            raise _not_written(place, error) from error


@contextmanager
def _set_aside(place: Path, aside: Path) -> Iterator[None]:
    """Take an old result out of its place, and put it back if the new line is not written.

    It is away before, because the line would otherwise speak of it for a moment.
    """
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    has_old = os.path.lexists(place)
    if has_old:
        place.replace(aside)
    try:
        yield
    except BaseException:
        if has_old:
            aside.replace(place)
        raise


@contextmanager
def open_archive(folder: Path, source: Path, recipe: Recipe) -> Iterator[Archive]:
    """Open a folder of results, made if need be, for this batch alone.

    Raises:
        OptionsError: another batch is at work on it, or it cannot be written.
        RestorationError: the manifest cannot be read.
    """
    work = folder / HIDDEN / "work"
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = (folder / HIDDEN / "lock").open("ab")
    except OSError as error:
        raise OptionsError(
            f"{folder} cannot be written ({error.strerror}): name another folder after -o."
        ) from error
    with file:
        if not try_lock(file):
            raise OptionsError(
                f"Another batch is writing to {folder}: wait until it has ended, or name another "
                "folder after -o."
            )
        # What a killed batch left behind.
        shutil.rmtree(work, ignore_errors=True)
        try:
            yield Archive(folder, source, recipe)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _has_sum(result: Path, record: Record) -> bool:
    try:
        return sha256_of(result) == record.result_sha256
    except OSError:
        return False


def _time_of_change(photo: Path) -> int | None:
    try:
        return photo.stat().st_mtime_ns
    except OSError:
        return None


def _suffix(result: str) -> str:
    return PurePosixPath(result).suffix.lower()


def _not_written(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} cannot be written ({error.strerror or error}): see to the disk and its "
        "permissions, then run the same command again.",
        code="file-not-written",
    )
