"""Ordered steps that can be repeated, resumed and taken back.

Before the first change a marker file says "incomplete" and names the step in progress; it goes when
all steps are done. An installation that was cut short therefore shows what was half done: the next
run takes that step back and does it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

Say = Callable[[str], None]


class Step(Protocol):
    """One thing the installer does."""

    @property
    def title(self) -> str:
        """What the step makes, for people; it also names the step in the marker."""
        ...

    def is_done(self) -> bool:
        """Whether nothing is left to do; changes nothing."""
        ...

    def do(self) -> None:
        """Make it. Raises InstallationError."""
        ...

    def undo(self) -> None:
        """Take it back; also what a broken-off `do` left. Nothing to take back is no error."""
        ...


class Marker:
    """The file that says that an installation is incomplete, and at which step it was."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str | None:
        """The title of the step in progress; None when no installation is incomplete."""
        try:
            return self.path.read_text(encoding="utf-8").strip()
        except OSError:
            return None

    def write(self, title: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(title + "\n", encoding="utf-8")

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


def run_steps(steps: Sequence[Step], marker: Marker, say: Say) -> None:
    """Do what is not done yet, in order.

    Raises:
        InstallationError: a step failed; the marker stays, and the next run repairs.
    """
    interrupted = marker.read()
    for step in steps:
        if step.title == interrupted:
            say(f"The last installation was cut short here: {step.title}. Repairing it.")
            step.undo()
    for number, step in enumerate(steps, start=1):
        heading = f"[{number}/{len(steps)}] {step.title}"
        if step.is_done():
            say(f"{heading}: already there")
            continue
        marker.write(step.title)
        say(heading)
        started = time.monotonic()
        step.do()
        say(f"      done in {time.monotonic() - started:.0f} s")
    marker.clear()


def undo_steps(steps: Sequence[Step], marker: Marker, say: Say) -> None:
    """Take all steps back, the last one first."""
    for step in reversed(steps):
        say(f"Removing: {step.title}")
        step.undo()
    marker.clear()
