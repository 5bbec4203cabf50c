"""The window of pywebview asks before it closes where something painted would be lost."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gimp.window import Screen, wait_for
from tests.provision_webview import PYTHON, folder

pytest_plugins = ["tests.webview_screen"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DRIVER = Path(__file__).with_name("drive_window.py")
PROJECT = Path(__file__).resolve().parents[3]
SCREENSHOTS = PROJECT / "build" / "screenshots"
QUESTION = "The strokes are lost with this window. Close it?"
CLOSE = "close"


class Window:
    """The window of a page on a screen, in a process of its own."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        variables = {"DISPLAY": screen.name, "PYTHONPATH": str(folder()), "NO_AT_BRIDGE": "1"}
        self.program = subprocess.Popen(
            [PYTHON, str(DRIVER)],
            cwd=PROJECT,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.await_done()
        # The question has no title, so all count.
        self.before = set(screen.windows(""))
        assert self.before

    def await_done(self) -> None:
        assert self.program.stdout is not None
        assert self.program.stdout.readline() == "done\n"

    def order(self, line: str) -> None:
        assert self.program.stdin is not None
        self.program.stdin.write(f"{line}\n")
        self.program.stdin.flush()
        self.await_done()

    def answer(self, key: str) -> None:
        asked = wait_for(lambda: set(self.screen.windows("")) - self.before, 20, "the question")
        time.sleep(0.5)
        self.screen.shoot(SCREENSHOTS / "review-window-asks.png")
        self.screen.focus(asked.pop())
        self.screen.press(key)
        wait_for(lambda: set(self.screen.windows("")) <= self.before, 20, "the end of the question")


@pytest.fixture
def window(screen: Screen) -> Iterator[Window]:
    window = Window(screen)
    yield window
    window.program.kill()
    window.program.communicate()


def test_a_window_whose_page_has_no_question_closes_at_once(window: Window) -> None:
    window.order(QUESTION)
    window.order("")
    window.order(CLOSE)
    assert window.program.wait(30) == 0


def test_a_window_closes_with_strokes_only_where_the_user_says_so(window: Window) -> None:
    window.order(QUESTION)
    window.order(CLOSE)
    window.answer("Escape")
    time.sleep(1)
    assert window.program.poll() is None
    window.order(CLOSE)
    window.answer("alt+o")
    assert window.program.wait(30) == 0
