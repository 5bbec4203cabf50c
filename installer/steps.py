"""Ordered steps that can be repeated, resumed and taken back.

Before the first change a marker file says "incomplete" and names the step in progress; it goes when
all steps are done. An installation that was cut short therefore shows what was half done: the next
run takes that step back and does it again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from installer.messages import Message, Seconds, Value, message
from installer.report import Report

# In the marker while no step is half done.
_BETWEEN = "-"

Condition = Literal["done", "absent", "outdated", "damaged"]
"""Of what a step makes: whole; not there; of another version or choice; there but not whole."""


@dataclass(frozen=True)
class Cost:
    """What a step takes, about.

    Attributes:
        download_bytes: from the network.
        disk_bytes: in the end, in the data folder.
    """

    download_bytes: int = 0
    disk_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.download_bytes + other.download_bytes, self.disk_bytes + other.disk_bytes)


class Step(Protocol):
    """One thing the installer does."""

    @property
    def key(self) -> str:
        """A word for programs: it names the step in the marker."""
        ...

    @property
    def title(self) -> Message:
        """What the step makes."""
        ...

    @property
    def place(self) -> Path | None:
        """The folder that it is made in; None where that is of no interest."""
        ...

    @property
    def cost(self) -> Cost:
        """What doing it takes."""
        ...

    def condition(self) -> Condition:
        """What is there; changes nothing."""
        ...

    def do(self) -> None:
        """Make it. Raises InstallationError."""
        ...

    def undo(self) -> None:
        """Take it back; also what a broken-off `do` left. Nothing to take back is no error."""
        ...


class Marker:
    """The file that says that an installation is incomplete, and at which step it was.

    A step's key may hold a path, which need not be UTF-8, and the file may end within a letter.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str | None:
        """The key of the step in progress; None when no installation is incomplete."""
        try:
            return self.path.read_text(encoding="utf-8", errors="surrogateescape").strip()
        except OSError:
            return None

    def write(self, key: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(key + "\n", encoding="utf-8", errors="surrogateescape")

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


def run_steps(steps: Sequence[Step], marker: Marker, report: Report) -> None:
    """Do what is not done yet, in order.

    Raises:
        InstallationError: a step failed; the marker stays, and the next run repairs.
        StoppedError: the user stopped it; the same holds.
    """
    _undo_interrupted(steps, marker, report)
    for number, step in enumerate(steps, start=1):
        report.stop.check()
        place: dict[str, Value] = {"number": number, "count": len(steps), "title": step.title}
        if step.condition() == "done":
            report.say(message("log.step-there", **place))
            continue
        marker.write(step.key)
        report.begin(number, len(steps), step.key, step.title)
        report.say(message("log.step", **place))
        started = time.monotonic()
        step.do()
        marker.write(_BETWEEN)
        report.detail(message("log.step-done", time=Seconds(time.monotonic() - started)))
    marker.clear()


def interrupted_steps(steps: Sequence[Step], marker: Marker) -> Sequence[Step]:
    """The steps that the next run takes back first, because they may be half done."""
    interrupted = marker.read()
    if interrupted in (None, _BETWEEN):
        return []
    named = [step for step in steps if step.key == interrupted]
    if not named and interrupted.startswith(("plug-in ", "weights")):
        # Of another profile or offline folder: nothing else can be half done.
        return []
    # A marker cut short by a full disk, or of another version, names no step: nothing is sure.
    return named or steps


def _undo_interrupted(steps: Sequence[Step], marker: Marker, report: Report) -> None:
    for step in interrupted_steps(steps, marker):
        report.say(message("log.cut-short", title=step.title))
        step.undo()


def undo_steps(steps: Sequence[Step], marker: Marker, report: Report) -> None:
    """Take all steps back, the last one first."""
    for number, step in enumerate(reversed(steps), start=1):
        report.begin(number, len(steps), step.key, step.title)
        report.say(message("log.removing", title=step.title))
        step.undo()
    marker.clear()
