"""A real GIMP window on a screen of its own: Xvfb, keys, clicks and screenshots."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .provision import Tree

SCREEN = "1280x900x24"
START_SECONDS = 20.0
Answer = TypeVar("Answer")


class Screen:
    """A virtual display."""

    def __init__(self) -> None:
        read_end, write_end = os.pipe()
        # Xvfb picks a free number itself and tells it, so that two runs cannot collide.
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write_end), "-screen", "0", SCREEN, "-nolisten", "tcp"],
            pass_fds=(write_end,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            self.name = f":{answer.readline().strip()}"

    def close(self) -> None:
        self.server.terminate()
        self.server.wait()

    def shoot(self, target: Path) -> Path:
        """Save a picture of the whole screen."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self.run("import", "-window", "root", str(target))
        return target

    def windows(self, title: str) -> list[str]:
        """The visible windows whose title contains this expression."""
        found = self.run("xdotool", "search", "--onlyvisible", "--name", title, check=False)
        return found.split()

    def await_window(self, title: str, seconds: float = START_SECONDS) -> str:
        return wait_for(lambda: next(iter(self.windows(title)), None), seconds, f"window {title}")

    def await_no(self, window: str, seconds: float = START_SECONDS) -> None:
        wait_for(lambda: window not in self.windows("."), seconds, f"end of window {window}")

    def move(self, window: str) -> None:
        """Put a dialog into the middle, where a window manager would, and give it the keys."""
        self.run("xdotool", "windowmove", window, "380", "260")
        self.focus(window)

    def box(self, window: str) -> tuple[int, int, int, int]:
        """Where it lies on the screen: left, top, right, bottom; the last two excluded."""
        facts = dict(
            line.split("=", 1)
            for line in self.run("xdotool", "getwindowgeometry", "--shell", window).splitlines()
        )
        x, y, width, height = (int(facts[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))
        return x, y, x + width, y + height

    def focus(self, window: str) -> None:
        self.run("xdotool", "windowfocus", window)
        time.sleep(0.2)

    def press(self, *keys: str) -> None:
        self.run("xdotool", "key", "--delay", "120", *keys)

    def run(self, *command: str, check: bool = True) -> str:
        finished = subprocess.run(
            command,
            env={**os.environ, "DISPLAY": self.name},
            capture_output=True,
            text=True,
            check=check,
            timeout=30,
        )
        return finished.stdout


def wait_for(look: Callable[[], Answer | None], seconds: float, what: str) -> Answer:
    """The first true answer of `look`.

    Raises:
        AssertionError: none came in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:g} s in vain for: {what}")
        time.sleep(0.1)


def private_mounts(tree: Tree, *commands: str) -> tuple[str, ...]:
    """A command prefix that mounts /proc and a /tmp inside the tree, for one process family only.

    In a mount namespace of its own nothing of this is seen by, or outlives into, any other
    process: deleting files in the tree from outside cannot follow these mounts.
    """
    root = str(tree.folder)
    mounts = (f"mount -t proc proc '{root}/proc'", f"mount -t tmpfs tmpfs '{root}/tmp'", *commands)
    script = " && ".join((*mounts, 'exec "$@"'))
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")


def is_available() -> bool:
    return all(shutil.which(program) for program in ("Xvfb", "xdotool", "import", "unshare"))
