"""The plan and its progress in a terminal."""

from __future__ import annotations

import functools
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from installer.messages import Message, message, size_text
from installer.plan import Plan
from installer.project import project_version
from installer.report import Report, Transfer

# Whoever reads along in a file or a pipe sees each line at once, in the right order with pip's.
say = functools.partial(print, flush=True)

_HEADINGS = {
    "absent": "Restore Old Photo {version} sets up:",
    "incomplete": "Restore Old Photo {version} finishes an installation that was cut short:",
    "outdated": "Restore Old Photo {version} updates:",
    "damaged": "Restore Old Photo {version} repairs:",
    "complete": "Restore Old Photo {version} is set up already.",
}
_CONDITIONS = {"absent": "", "outdated": " (older)", "damaged": " (damaged)"}
_FACES_NOTE = message("faces")
# Nobody reads faster.
_PAINT_SECONDS = 0.2
# Speed over the last seconds, since the whole average hides that a line has become slow.
_WINDOW_SECONDS = 5.0


class ConsoleReport(Report):
    """Prints lines and, in a terminal, how far a download is."""

    def __init__(self) -> None:
        super().__init__()
        self._painted_at = 0.0
        self._is_painted = False
        self._speed = Speed()
        self._name = ""

    def say(self, line: Message) -> None:
        self.end_transfers()
        say(line)

    def detail(self, line: Message) -> None:
        self.end_transfers()
        say(f"      {line}")

    def transfer(self, transfer: Transfer) -> None:
        if transfer.name != self._name:
            self._name, self._speed = transfer.name, Speed()
        self._speed.add(transfer.done_bytes)
        now = time.monotonic()
        if not sys.stdout.isatty() or now - self._painted_at < _PAINT_SECONDS:
            return
        self._painted_at, self._is_painted = now, True
        line = transfer_line(transfer, self._speed)[: shutil.get_terminal_size().columns - 1]
        print(f"\r\033[K{line}", end="", flush=True)

    def end_transfers(self) -> None:
        if self._is_painted:
            print("\r\033[K", end="", flush=True)
            self._is_painted = False


@dataclass
class Speed:
    """Bytes per second over the last seconds."""

    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def add(self, done_bytes: int) -> None:
        now = self.clock()
        self._marks.append((now, done_bytes))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW_SECONDS:
            self._marks.pop(0)

    @property
    def bytes_per_second(self) -> float | None:
        """None while there is too little to tell."""
        if len(self._marks) < 2:
            return None
        (begin, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / (end - begin) if end - begin > 0.5 else None


def transfer_line(transfer: Transfer, speed: Speed) -> str:
    """ "      torch.whl  45 of 190 MB, 3.2 MB/s, 45 s left"."""
    line = f"      {transfer.name}  {transfer.done_bytes / 1e6:.0f}"
    if transfer.total_bytes is not None:
        line += f" of {transfer.total_bytes / 1e6:.0f}"
    line += " MB"
    rate = speed.bytes_per_second
    if rate:
        line += f", {rate / 1e6:.1f} MB/s"
        if transfer.total_bytes is not None:
            line += f", {time_left((transfer.total_bytes - transfer.done_bytes) / rate)} left"
    return line


def time_left(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def show_plan(plan: Plan) -> None:
    """Say what an installation would do, and what it would take."""
    say(_HEADINGS[plan.state].format(version=project_version()))
    if plan.previous is not None and plan.previous != plan.version:
        say(f"  It takes the place of version {plan.previous}.")
    for step in plan.pending:
        size = step.cost.disk_bytes
        about = f", about {size_text(size)}" if size else ""
        place = f", in {step.place}" if step.place is not None else ""
        say(f"  - {step.title}{_CONDITIONS.get(plan.conditions[step.key], '')}{about}{place}")
    for note in plan.notes:
        say(f"Note: {note}")
    if plan.state == "complete":
        return
    cost = plan.cost
    if cost.download_bytes:
        say(
            f"Download: about {size_text(cost.download_bytes)}. "
            f"On disk: about {size_text(cost.disk_bytes)}, in {plan.data}."
        )
    elif plan.choices.offline is not None:
        say(
            f"Everything comes from {plan.choices.offline}. "
            f"On disk: about {size_text(cost.disk_bytes)}, in {plan.data}."
        )
    if any(step.key == "project" for step in plan.pending):
        say(_FACES_NOTE)


def is_agreed(question: str, yes: bool, *, must_answer: bool = False) -> bool:
    """Ask once; without a terminal nobody can answer, and whoever scripts has decided already.

    Args:
        question: with what "yes" means.
        yes: it was agreed on the command line.
        must_answer: what is asked takes something away, so that silence does not mean yes.
    """
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        if must_answer:
            say("Nobody can be asked here: add --yes. Nothing was changed.")
        return not must_answer
    try:
        is_yes = input(f"{question} [Y/n] ").strip().lower() in ("", "y", "yes")
    except EOFError:
        say()
        is_yes = False
    if not is_yes:
        say("Nothing was changed.")
    return is_yes
