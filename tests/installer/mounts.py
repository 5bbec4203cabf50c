"""Full and read-only disks, where root may mount some."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_mounts = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0,
    reason="only root can mount a small disk",
)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """An empty disk of this size at a folder that is made."""
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run([_program("umount"), str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder in which nobody can write, root included."""
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        subprocess.run([_program("umount"), str(folder)], check=True)


def _mount(*arguments: str) -> None:
    answer = subprocess.run([_program("mount"), *arguments], capture_output=True, text=True)
    if answer.returncode != 0:
        pytest.skip(f"this root may not mount: {answer.stderr.strip()}")


def _program(name: str) -> str:
    # Tests set PATH as they need it.
    return shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin") or name
