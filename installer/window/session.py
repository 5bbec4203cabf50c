"""What the window shows and does: a plan, carried out in a thread, as one state for the page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from installer.errors import InstallationError, unforeseen
from installer.messages import Message, message
from installer.plan import Choices, Plan, check, install, make_plan, remove
from installer.report import Report, StoppedError, Transfer
from installer.window.facts import plan_facts, result_facts, step_facts
from installer.window.program import EXAMPLE_FILES, InstalledProgram

Task = Literal["install", "repair", "remove"]
TASKS: tuple[str, ...] = get_args(Task)

Phase = Literal["looking", "ready", "running", "stopping", "done", "failed", "stopped"]
_BUSY: tuple[Phase, ...] = ("looking", "running", "stopping")
_EXAMPLE_KEY, _EXAMPLE = "example", message("step.example")


class WindowReport(Report):
    """Hands what the steps tell to the session.

    Attributes:
        further_steps: how many follow on those that are counted.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.further_steps = 0
        self._received = 0
        self._name = ""
        self._begun_at = 0
        self._received_before = 0

    def say(self, line: Message) -> None:
        self._session.note(line)

    def detail(self, line: Message) -> None:
        self._session.note(line, is_detail=True)

    def begin(self, number: int, count: int, key: str, title: Message) -> None:
        place = {"number": number, "count": count + self.further_steps}
        step = {"key": key, **place, "title": title.facts(), "received": self._received}
        self._session.change(step=step, transfer=None)

    def transfer(self, transfer: Transfer) -> None:
        if transfer.name != self._name:
            # What an earlier run had fetched already is no part of the speed.
            self._name, self._begun_at = transfer.name, transfer.done_bytes
            self._received_before = self._received
        self._received = self._received_before + transfer.done_bytes - self._begun_at
        facts = {"name": transfer.name, "done": transfer.done_bytes, "total": transfer.total_bytes}
        self._session.change(transfer=facts, received=self._received)

    def end_transfers(self) -> None:
        self._session.change(transfer=None)


@dataclass(frozen=True)
class Wishes:
    """What the user asked for on the command line.

    Attributes:
        choices: the window may change the profiles.
        photo: to restore at the end.
        has_example: whether an example is restored at the end.
        search_path: where the user's shell looks for programs.
    """

    choices: Choices = field(default_factory=Choices)
    photo: Path | None = None
    has_example: bool = True
    search_path: str = ""


class Session:
    """One user in front of one window.

    Args:
        wishes: from the command line.
        say: receives each line of the log, too, in English.
    """

    def __init__(self, wishes: Wishes, say: Callable[[str], None]) -> None:
        self._wishes = wishes
        self._say = say
        self._changed = threading.Condition()
        self._version = 0
        self._log: list[dict[str, Any]] = []
        self._state: dict[str, Any] = {}
        self._report = WindowReport(self)
        self._thread: threading.Thread | None = None
        self._program: InstalledProgram | None = None
        self.look()

    @property
    def is_busy(self) -> bool:
        with self._changed:
            return self._state["phase"] in _BUSY

    def wait(self, seen: int, first_line: int, timeout_seconds: float) -> dict[str, Any]:
        """The state, as soon as it differs from the one seen, or the time is up.

        Args:
            seen: number of the state that the page has.
            first_line: of the log that the page does not have yet.
            timeout_seconds: how long to wait for a change.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, timeout_seconds)
            return {**self._state, "version": self._version, "log": self._log[first_line:]}

    def change(self, **facts: Any) -> None:
        """Change parts of the state and wake whoever waits for it."""
        with self._changed:
            self._state.update(facts)
            self._version += 1
            self._changed.notify_all()

    def note(self, line: Message, is_detail: bool = False) -> None:
        """Add a line to the log; a detail belongs to the line before."""
        self._say(f"      {line}" if is_detail else str(line))
        with self._changed:
            self._log.append({**line.facts(), "detail": is_detail})
            self.change()

    def look(self) -> None:
        """Look at the machine anew; a task in progress goes on instead."""
        self._begin("looking", None, self._look)

    def start(self, task: Task, profiles: Sequence[str]) -> None:
        """Carry a task out, for the profiles with these folders; one in progress goes on instead.

        Raises:
            InstallationError: one of the profiles was not among those shown.
        """
        with self._changed:
            plan = self._state["plan"]
            known = {profile["folder"] for profile in plan["profiles"]} if plan else set()
        if not known.issuperset(profiles):
            raise InstallationError("error.profiles-changed")
        self.change(chosen=list(profiles))
        folders = [Path(folder) for folder in profiles]
        self._begin("running", task, lambda report: self._run(task, folders, report))

    def stop(self) -> None:
        """Ask the task in progress to stop; what is done stays."""
        with self._changed:
            if self._state["phase"] != "running":
                return
            self.change(phase="stopping")
            self._report.stop.request()

    def join(self) -> None:
        """Wait until no task is in progress."""
        if self._thread is not None:
            self._thread.join()

    def picture(self, which: str) -> Path | None:
        """The example "before" or "after"; None where there is none."""
        program = self._program
        if program is None or which not in EXAMPLE_FILES:
            return None
        path = program.example / EXAMPLE_FILES[which]
        return path if path.is_file() else None

    def open_review(self) -> None:
        """Open the installed program's page to restore a photo; one that opens already will do."""
        with self._changed:
            program = self._program
            if program is None or self._state.get("review") == "opening":
                return
            self.change(review="opening", review_error=None)
        self.note(message("log.review"))
        try:
            program.open_review(self._wishes.photo, self._end_review)
        except InstallationError as error:
            self._end_review(error)

    def _end_review(self, error: InstallationError | None) -> None:
        if error is not None:
            self.note(message("log.error", sentence=error.message))
        self.change(
            review="open" if error is None else "",
            review_error=None if error is None else error.message.facts(),
        )

    def _begin(self, phase: Phase, task: Task | None, work: Callable[[WindowReport], None]) -> None:
        with self._changed:
            if self._state and self._state["phase"] in _BUSY:
                return
            self._report = report = WindowReport(self)
            fresh: dict[str, Any] = {"step": None, "transfer": None, "received": 0, "error": None}
            fresh |= {"pending": [], "result": None, "review": "", "review_error": None}
            self._state.setdefault("plan", None)
            self.change(phase=phase, task=task, **fresh)
            self._thread = threading.Thread(target=self._guard, args=(work, report))
            self._thread.start()

    def _guard(self, work: Callable[[WindowReport], None], report: WindowReport) -> None:
        try:
            work(report)
        except StoppedError:
            self.note(message("log.stopped"))
            self.change(phase="stopped")
        except InstallationError as error:
            self._fail(error)
        except OSError as error:
            self._fail(unforeseen(error))
        # The edge: without it the page would wait for ever.
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self._fail(InstallationError("error.unforeseen", reason=reason))
            raise

    def _fail(self, error: InstallationError) -> None:
        self.note(message("log.error", sentence=error.message))
        self.change(phase="failed", error=error.message.facts())

    def _look(self, report: WindowReport) -> None:
        plan = make_plan(self._wishes.choices, report)
        self.change(phase="ready", plan=plan_facts(plan))

    def _run(self, task: Task, profiles: Sequence[Path], report: WindowReport) -> None:
        if task == "remove":
            self._remove(report)
            return
        choices = replace(self._wishes.choices, profiles=profiles, checks_contents=task == "repair")
        plan = make_plan(choices, report)
        check(plan)
        pending = [step_facts(plan, step) for step in plan.pending]
        if self._wishes.has_example:
            pending.append({"key": _EXAMPLE_KEY, "download_bytes": 0, "disk_bytes": 0})
        self.change(pending=pending)
        report.further_steps = int(self._wishes.has_example)
        if plan.state != "complete":
            install(plan, report)
        self.note(message("log.complete"))
        self._program = InstalledProgram(plan.program, plan.example, plan.environment.log)
        result = result_facts(plan, self._wishes.search_path)
        report.further_steps = 0
        example = self._show_example(report, len(plan.steps) + 1)
        self.change(phase="done", result={**result, **example})

    def _show_example(self, report: WindowReport, number: int) -> dict[str, Any]:
        """Restore the example; that it fails is part of the result, not of the installation."""
        nothing = {"has_example": False, "example_error": None}
        if not self._wishes.has_example or self._program is None:
            return nothing
        report.begin(number, number, _EXAMPLE_KEY, _EXAMPLE)
        self.note(message("log.example"))
        try:
            self._program.make_example(report.stop)
        except InstallationError as error:
            self.note(message("log.error", sentence=error.message))
            return {**nothing, "example_error": error.message.facts()}
        return {**nothing, "has_example": True}

    def _remove(self, report: WindowReport) -> None:
        plan: Plan = make_plan(replace(self._wishes.choices, profiles=None), report)
        remove(plan, report)
        self._program = None
        self.note(message("log.removed"))
        self.change(phase="done", left=str(plan.data) if plan.data.exists() else "")
