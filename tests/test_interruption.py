"""Ctrl+C at the very beginning, while Python still loads the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
# Python runs a module of this name at its start: here it presses Ctrl+C as soon as the module named
# in INTERRUPTED_MODULE is looked for.
KEY_PRESS = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_MODULE"]:
            signal.raise_signal(signal.SIGINT)
        return None

# What runs in the background of a shell without a terminal inherits that Ctrl+C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
"""
PROGRAM = ("-m", "backend", "restore", "photo.png")
INSTALLER = ("-m", "installer", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "module", "sentence"),
    [
        (PROGRAM, "backend.cli", "restore-old-photo: stopped."),
        (PROGRAM, "backend.errors", "restore-old-photo: stopped."),
        (PROGRAM, "backend.command_restore", "restore-old-photo: stopped."),
        (INSTALLER, "installer.command", "Stopped. Run the same command again to go on."),
        (INSTALLER, "installer.messages", "Stopped. Run the same command again to go on."),
        (INSTALLER, "plugin.profiles", "Stopped. Run the same command again to go on."),
    ],
)
def test_ctrl_c_while_the_program_loads_ends_it_in_a_sentence(
    arguments: tuple[str, ...], module: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(KEY_PRESS)
    variables = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(CHECKOUT)]),
        "INTERRUPTED_MODULE": module,
        "RESTORE_OLD_PHOTO_HOME": str(tmp_path / "data"),
    }
    answer = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.stderr.strip() == sentence
    assert answer.returncode == 130


def test_the_installed_program_begins_where_ctrl_c_is_awaited() -> None:
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^restore-old-photo = "backend\.__main__:main"$', text, re.MULTILINE)
