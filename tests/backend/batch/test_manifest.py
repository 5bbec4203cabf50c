"""The manifest keeps what was written, whatever happened to its end."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backend.batch.manifest import Manifest, Record, key_of
from backend.errors import RestorationError

RECORD = Record(
    "a/b.jpg",
    "scans",
    "1" * 64,
    {"strength": 1.0, "threshold": None},
    {"detection": "2" * 64},
    "bundled",
    "0.1.0",
    "2026-01-01T00:00:00+00:00",
    1.5,
    "a/b.jpg",
    "3" * 64,
    "no face",
    ("one note", "another"),
)

WRONG = {"result": 3, "folder": None, "notes": [1], "seconds": "2", "options": [], "weights": "w"}


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    # The last one is a file name on a disk that was written with another encoding.
    names = ["a.jpg", "祖母 été.jpg", "line\nbreak\u2028.jpg", os.fsdecode(b"\xff.jpg")]
    manifest = Manifest(path)
    for name in names:
        manifest.add(replace(RECORD, input=name))
    read = Manifest(path)
    assert [read.latest(name) for name in names] == [replace(RECORD, input=n) for n in names]
    assert len(path.read_bytes().splitlines()) == len(names)


def test_the_latest_record_of_a_photo_counts(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "m")
    manifest.add(RECORD)
    failed = replace(RECORD, result=None, error="It is damaged.")
    manifest.add(failed)
    for known in (manifest, Manifest(tmp_path / "m")):
        assert known.latest("a/b.jpg") == failed
        assert known.like(RECORD.key) == RECORD
        assert known.owner("a/b.jpg") == RECORD
        assert known.latest("b.jpg") is None


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_torn_last_line_costs_only_itself(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "m"
    for name in ("a", "b"):
        Manifest(path).add(replace(RECORD, input=name))
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    manifest = Manifest(path)
    assert manifest.latest("a") is not None
    assert manifest.latest("b") is None
    manifest.add(replace(RECORD, input="c"))
    assert path.read_bytes().startswith(first + second[:kept]), "nothing is ever taken away"
    again = Manifest(path)
    assert [again.latest(name) is not None for name in "abc"] == [True, False, True]


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "m"
    Manifest(path).add(RECORD)
    newer = {**json.loads(path.read_bytes()), "input": "new", "mood": "sepia"}
    wrong = [{**newer, "input": "wrong", name: value} for name, value in WRONG.items()]
    lines = [b"[]", b"7", b"{}", b"\xff\xfe", b'{"input": 3}', rb'{"input": "\x", "folder"']
    lines += [json.dumps(values).encode() for values in (newer, *wrong)]
    with path.open("ab") as file:
        file.write(b"\n".join(lines) + b"\n")
    manifest = Manifest(path)
    assert manifest.latest("a/b.jpg") == RECORD
    assert manifest.latest("new") == replace(RECORD, input="new")
    assert manifest.latest("wrong") is None


def test_content_options_and_weights_make_the_key() -> None:
    keys = {
        key_of("1", {"a": 1, "b": 2}, {"w": "3"}),
        key_of("1", {"b": 2, "a": 1}, {"w": "3"}),
        key_of("2", {"a": 1, "b": 2}, {"w": "3"}),
        key_of("1", {"a": 1, "b": 3}, {"w": "3"}),
        key_of("1", {"a": 1, "b": 2}, {"w": "4"}),
    }
    assert len(keys) == 4


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /dev/full")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "m").symlink_to("/dev/full")
    manifest = Manifest(tmp_path / "nothing")
    manifest._path = tmp_path / "m"
    with pytest.raises(RestorationError, match=r"cannot be written \(No space left"):
        manifest.add(RECORD)
