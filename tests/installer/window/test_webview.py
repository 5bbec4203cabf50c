"""The window with the toolkit that people have: pywebview over GTK's WebKit, on a screen."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.gimp.window import Screen
from tests.installer.conftest import User
from tests.installer.window.conftest import SCREENSHOTS
from tests.provision_webview import PYTHON, folder

pytest_plugins = ["tests.webview_screen"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DRIVER = Path(__file__).with_name("drive_webview.py")


def test_an_installation_in_a_window_of_its_own_in_the_language_of_the_system(
    user: User, screen: Screen
) -> None:
    user.profile.mkdir(parents=True)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    user.variables |= {
        "DISPLAY": screen.name,
        "LANG": "de_DE.UTF-8",
        "PYTHONPATH": str(folder()),
        "NO_AT_BRIDGE": "1",
    }
    answer = subprocess.run(
        [PYTHON, str(DRIVER), str(SCREENSHOTS)],
        cwd=user.checkout,
        env=dict(user.all_variables),
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    # The terminal tells the same in English.
    assert "Everything is in place." in answer.stdout
    seen = json.loads(answer.stdout.splitlines()[-1])
    assert seen["headlines"] == ["Restore Old Photo einrichten", "Fertig"]
    assert seen["language"] == "de"
    assert seen["before"] == 1, "the example's picture is not shown"
    assert seen["overflow"] <= 0
    assert not seen["hasToken"]
    assert (user.profile / "plug-ins" / "restore-old-photo").is_dir()
