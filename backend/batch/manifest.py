"""The manifest of a batch: one line of JSON for each photo that was tried. No torch here.

Lines are only ever added, each with one write that is on the disk before the next photo counts.
A line that a crash tore is closed by the next line's beginning and is no record.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from backend.errors import RestorationError

NAME = "manifest.jsonl"

HIDDEN = ".batch"
"""Folder beside it for what is not finished."""

_BEGINNING = re.compile(rb'\{"input": ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class Record:
    """What became of one photo.

    Attributes:
        input: its path below `folder`, with forward slashes.
        folder: the archive.
        input_sha256: None where it could not be read.
        options: what was chosen to be done; device and memory do not count.
        weights: SHA-256 of each weight file.
        weights_name: "bundled", "official" or their folder.
        version: of this program.
        result: path below the folder of results, with forward slashes; None after a failure.
        result_sha256: of its file, which somebody may change later.
        found: in words, for example "no face".
        notes: sentences that are no errors.
        seconds: that it took; 0 for a copy of an equal photo's result.
        error: why there is no result, in one sentence.
        error_code: a stable word for the error.
        trace: where in this program, if the error is one of it.
        finished: when, as ISO 8601 in UTC.
    """

    input: str
    folder: str
    input_sha256: str | None
    options: dict[str, Any]
    weights: dict[str, str]
    weights_name: str
    version: str
    finished: str
    seconds: float = 0.0
    result: str | None = None
    result_sha256: str | None = None
    found: str = ""
    notes: tuple[str, ...] = ()
    error: str | None = None
    error_code: str | None = None
    trace: str | None = None

    @property
    def key(self) -> str:
        """The same for two photos whose results are the same."""
        return key_of(self.input_sha256 or "", self.options, self.weights)


def key_of(sha256: str, options: dict[str, Any], weights: dict[str, str]) -> str:
    """A name for a photo's content and all that its result depends on, fit for a file."""
    text = json.dumps([sha256, options, weights], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Manifest:
    """The records of a folder of results, the latest of each photo at hand.

    Args:
        path: read if it is there; made with the first record.

    Raises:
        RestorationError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._latest: dict[str, Record] = {}
        self._by_key: dict[str, Record] = {}
        self._by_result: dict[str, Record] = {}
        self._torn: set[str] = set()
        try:
            content = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise RestorationError(
                f"{path} cannot be read ({error.strerror}): check its permissions."
            ) from error
        self._lacks_end = bool(content) and not content.endswith(b"\n")
        for line in content.splitlines():
            record = _read(line)
            if record is not None:
                self._learn(record)
            elif (name := _beginning(line)) is not None:
                self._torn.add(name)

    def latest(self, name: str) -> Record | None:
        """What became of the photo with this name at last."""
        return self._latest.get(name)

    def like(self, key: str) -> Record | None:
        """The latest result of a photo with this content, options and weights."""
        return self._by_key.get(key)

    def owner(self, result: str) -> Record | None:
        """Which photo's result was written to this path at last."""
        return self._by_result.get(result)

    def is_torn(self, name: str) -> bool:
        """Whether a line of the photo with this name was torn; its result may be there."""
        return name in self._torn

    def add(self, record: Record) -> None:
        """Write a record; it is on the disk when this returns.

        Raises:
            RestorationError: it cannot be written.
        """
        # Plain ASCII: names on a disk need not be valid Unicode, JSON escapes must be.
        line = json.dumps(asdict(record)).encode("ascii") + b"\n"
        try:
            self._write(b"\n" + line if self._lacks_end else line)
        except OSError as error:
            self._lacks_end = True
            raise RestorationError(
                f"{self._path} cannot be written ({error.strerror}): see to the disk, then run "
                "the same command again to go on."
            ) from error
        self._lacks_end = False
        self._learn(record)

    def _write(self, data: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())

    def _learn(self, record: Record) -> None:
        self._latest[record.input] = record
        if record.result is not None:
            self._by_key[record.key] = record
            self._by_result[record.result] = record


def _read(line: bytes) -> Record | None:
    """The record in a line; None for a torn one. What a later version added is left out."""
    known = {field.name for field in fields(Record)}
    try:
        values = json.loads(line)
        values = {name: value for name, value in values.items() if name in known}
        record = Record(**{**values, "notes": tuple(values.get("notes", ()))})
    except (ValueError, TypeError, AttributeError):
        return None
    return record if _is_sound(record) else None


def _is_sound(record: Record) -> bool:
    """Whether the values have their types, so that all who use them may rely on it."""
    texts = ("input", "folder", "weights_name", "version", "finished", "found")
    perhaps = ("input_sha256", "result", "result_sha256", "error", "error_code", "trace")
    return (
        all(isinstance(getattr(record, name), str) for name in texts)
        and all(isinstance(getattr(record, name), str | None) for name in perhaps)
        and all(isinstance(note, str) for note in record.notes)
        and isinstance(record.options, dict)
        and isinstance(record.weights, dict)
        and isinstance(record.seconds, int | float)
    )


def _beginning(line: bytes) -> str | None:
    """The photo's name at the beginning of a line that is no record."""
    begun = _BEGINNING.match(line)
    try:
        return None if begun is None else str(json.loads(begun.group(1)))
    except ValueError:
        return None
