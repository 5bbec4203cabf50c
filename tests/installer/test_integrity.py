"""Packages that are not whole are noticed: in an environment laid out as pip does it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from installer import integrity

CONTENT = b"answer = 42\n"


def install(folder: Path, name: str) -> Path:
    """A package with one module, recorded; returns the module."""
    module = folder / name / "__init__.py"
    module.parent.mkdir()
    module.write_bytes(CONTENT)
    (folder / name / "made_by_python.pyc").touch()
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(CONTENT).digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(
        f"{name}/__init__.py,sha256={digest},{len(CONTENT)}\n"
        f"{name}/made_by_python.pyc,,\n{name}-1.0.dist-info/RECORD,,\n"
    )
    return module


def look(folder: Path, *arguments: str) -> dict[str, object]:
    code = (
        f"import sys, runpy; sys.path[:] = [{str(folder)!r}, *sys.path]; "
        f"runpy.run_path({integrity.__file__!r}, run_name='__main__')"
    )
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *arguments],
        capture_output=True,
        check=True,
        timeout=60,
    )
    facts: dict[str, object] = json.loads(answer.stdout)
    return facts


def test_a_whole_package_is_whole(tmp_path: Path) -> None:
    install(tmp_path, "Some_Package")
    versions = {"some-package": "1.0"}
    assert look(tmp_path) == {"versions": versions, "damaged": [], "unknown": 0}
    assert look(tmp_path, "--contents")["damaged"] == []


@pytest.mark.parametrize("content", [b"", CONTENT + b"more", None])
def test_a_missing_or_shorter_or_longer_file_is_noticed(
    tmp_path: Path, content: bytes | None
) -> None:
    install(tmp_path, "whole")
    module = install(tmp_path, "other")
    if content is None:
        module.unlink()
    else:
        module.write_bytes(content)
    assert look(tmp_path)["damaged"] == ["other"]


def test_other_bytes_of_the_same_number_are_noticed_by_a_thorough_look(tmp_path: Path) -> None:
    install(tmp_path, "other").write_bytes(CONTENT[::-1])
    assert look(tmp_path)["damaged"] == []
    assert look(tmp_path, "--contents")["damaged"] == ["other"]


def test_a_package_that_was_never_completely_written_is_counted(tmp_path: Path) -> None:
    install(tmp_path, "half")
    (tmp_path / "half-1.0.dist-info" / "RECORD").unlink()
    assert look(tmp_path) == {"versions": {}, "damaged": [], "unknown": 1}


def test_an_older_version_that_was_set_aside_is_counted(tmp_path: Path) -> None:
    install(tmp_path, "twice")
    (tmp_path / "twice-1.0.dist-info").rename(tmp_path / "~wice-1.0.dist-info")
    (tmp_path / "twice" / "__init__.py").unlink()
    (tmp_path / "twice" / "made_by_python.pyc").unlink()
    (tmp_path / "twice").rmdir()
    install(tmp_path, "twice")
    assert look(tmp_path)["unknown"] == 1
