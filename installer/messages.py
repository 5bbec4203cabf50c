"""What the installer says: a code with values, put into words only where somebody reads it.

A terminal reads English, the window the language of its user. The words of all languages lie in
catalogue/, a flat JSON object each: English has every code, and {names} stand for the values.
"""

from __future__ import annotations

import errno
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Union

ENGLISH: Final = "en"
_FOLDER = Path(__file__).resolve().parent / "catalogue"
# What people can do something about; the rest keeps the system's own words.
_REASONS = {
    errno.ENOSPC: "reason.no-space",
    errno.EDQUOT: "reason.no-space",
    errno.EACCES: "reason.permission",
    errno.EPERM: "reason.permission",
    errno.EROFS: "reason.read-only",
    errno.ENOENT: "reason.missing",
    errno.ENOTDIR: "reason.no-folder",
    errno.EEXIST: "reason.in-the-way",
    errno.EBUSY: "reason.busy",
}


@dataclass(frozen=True)
class Bytes:
    """A size; readers see MB or GB."""

    count: int


@dataclass(frozen=True)
class Seconds:
    """A duration."""

    count: float


Value = Union["Message", Bytes, Seconds, Path, str, int]


@dataclass(frozen=True)
class Message:
    """Something to say.

    Attributes:
        code: its key in the catalogues.
        values: by the names in braces there; a value may be a message itself.
    """

    code: str
    values: Mapping[str, Value]

    def __str__(self) -> str:
        """In English."""
        words = {name: _in_english(value) for name, value in self.values.items()}
        return read_texts(ENGLISH)[self.code].format_map(words)

    def facts(self) -> dict[str, Any]:
        """As JSON for the window, which words it."""
        values = {name: _facts_of(value) for name, value in self.values.items()}
        return {"code": self.code, "values": values}


def message(code: str, /, **values: Value) -> Message:
    """A message with these values."""
    return Message(code, values)


def reason_of(error: OSError) -> Message | str:
    """Why the system refused something, as the end of a sentence or in brackets."""
    code = _REASONS.get(error.errno or 0)
    return message(code) if code is not None else error.strerror or str(error)


@functools.cache
def read_texts(language: str) -> Mapping[str, str]:
    """The catalogue of a language that `languages` lists."""
    texts: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def languages() -> list[str]:
    """The languages that there are, by their tags ("zh-CN"), sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def size_text(size_bytes: int) -> str:
    """ "450 MB", "3.1 GB"."""
    if size_bytes < 1_000_000_000:
        return f"{max(size_bytes / 1e6, 1):.0f} MB"
    return f"{size_bytes / 1e9:.1f} GB"


def _in_english(value: Value) -> str:
    if isinstance(value, Bytes):
        return size_text(value.count)
    return f"{value.count:.0f} s" if isinstance(value, Seconds) else str(value)


def _facts_of(value: Value) -> Any:
    if isinstance(value, Message):
        return value.facts()
    if isinstance(value, Bytes):
        return {"bytes": value.count}
    if isinstance(value, Seconds):
        return {"seconds": value.count}
    return str(value) if isinstance(value, Path) else value
