"""Provide pywebview and WebKit for the tests of the window: `python tests/provision_webview.py`.

Needs root on Debian. WebKit comes as a package of Debian for its own Python; pywebview, which is
Python alone, goes into a folder beside the GIMP trees, so that no other test finds it. Standard
library only, so that it runs before any environment exists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PYTHON = "/usr/bin/python3"
PACKAGES = (
    *("python3", "python3-venv", "python3-gi", "gir1.2-webkit2-4.1"),
    *("xvfb", "imagemagick", "fonts-dejavu-core"),
)
_QUESTION = """
import venv, ensurepip, gi
gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2
import webview
"""


def folder() -> Path:
    """Where pywebview lies."""
    chosen = os.environ.get("RESTORE_OLD_PHOTO_TEST_CACHE")
    cache = Path(chosen) if chosen else Path.home() / ".cache" / "restore-old-photo-tests"
    return cache / "webview"


def missing() -> str | None:
    """What is missing, in words; None when nothing is."""
    for program in ("Xvfb", "import"):
        if shutil.which(program) is None:
            return f"there is no program {program}"
    environment = {**os.environ, "PYTHONPATH": str(folder())}
    try:
        answer = subprocess.run(
            [PYTHON, "-c", _QUESTION], env=environment, capture_output=True, text=True
        )
    except OSError as error:
        return f"{PYTHON} does not start ({error})"
    return None if answer.returncode == 0 else answer.stderr.strip().splitlines()[-1]


def main() -> int:
    """Install what is missing; returns an exit code."""
    if missing() is None:
        return 0
    apt = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", str(folder())]
    return (
        subprocess.call(["apt-get", "update", "-qq"])
        or subprocess.call(apt)
        or subprocess.call([*pip, "pywebview>=6"])
    )


if __name__ == "__main__":
    sys.exit(main())
