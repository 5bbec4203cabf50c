"""What the window shows and does: a plan, carried out in a thread, as one state for the page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from installer.errors import InstallationError
from installer.gimp import PluginStep
from installer.launcher import command_for
from installer.machine import look_at_machine
from installer.plan import Choices, Plan, check, check_machine, install, make_plan, remove
from installer.report import Report, StoppedError, Transfer
from installer.steps import Step

Task = Literal["install", "repair", "remove"]
TASKS: tuple[str, ...] = get_args(Task)

Phase = Literal["looking", "ready", "running", "stopping", "done", "failed", "stopped"]
_BUSY: tuple[Phase, ...] = ("looking", "running", "stopping")


class WindowReport(Report):
    """Hands what the steps tell to the session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._received = 0
        self._name = ""
        self._begun_at = 0
        self._received_before = 0

    def say(self, line: str) -> None:
        self._session.note(line)

    def begin(self, number: int, count: int, key: str) -> None:
        step = {"key": key, "number": number, "count": count, "received": self._received}
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


class Session:
    """One user in front of one window.

    Args:
        choices: from the command line; the window may change the profiles.
        say: receives each line of the log, too.
        search_path: where the user's shell looks for programs.
    """

    def __init__(self, choices: Choices, say: Callable[[str], None], search_path: str) -> None:
        self._choices = choices
        self._say = say
        self._search_path = search_path
        self._changed = threading.Condition()
        self._version = 0
        self._log: list[str] = []
        self._state: dict[str, Any] = {}
        self._report = WindowReport(self)
        self._thread: threading.Thread | None = None
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

    def note(self, line: str) -> None:
        """Add a line to the log."""
        self._say(line)
        with self._changed:
            self._log.append(line)
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
            raise InstallationError(
                "The list of GIMP profiles has changed: look again, then choose anew."
            )
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

    def _begin(self, phase: Phase, task: Task | None, work: Callable[[WindowReport], None]) -> None:
        with self._changed:
            if self._state and self._state["phase"] in _BUSY:
                return
            self._report = report = WindowReport(self)
            fresh: dict[str, Any] = {"step": None, "transfer": None, "received": 0, "error": ""}
            fresh["pending"] = []
            self._state.setdefault("plan", None)
            self.change(phase=phase, task=task, **fresh)
            self._thread = threading.Thread(target=self._guard, args=(work, report))
            self._thread.start()

    def _guard(self, work: Callable[[WindowReport], None], report: WindowReport) -> None:
        try:
            work(report)
        except StoppedError:
            self.note("Stopped. The next run goes on from here.")
            self.change(phase="stopped")
        except InstallationError as error:
            self._fail(str(error))
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            self._fail(
                f"The installer cannot use{where} ({error.strerror or error}): mend that, then try "
                "again."
            )
        # The edge: without it the page would wait for ever.
        except Exception as error:
            self._fail(f"The installer failed ({type(error).__name__}: {error}): please report it.")
            raise

    def _fail(self, sentence: str) -> None:
        self.note(f"Error: {sentence}")
        self.change(phase="failed", error=sentence)

    def _look(self, report: WindowReport) -> None:
        plan = make_plan(self._choices, report)
        self.change(phase="ready", plan=self._describe(plan))

    def _run(self, task: Task, profiles: Sequence[Path], report: WindowReport) -> None:
        if task == "remove":
            plan = make_plan(replace(self._choices, profiles=None), report)
            remove(plan, report)
            self.note("Removed.")
            self.change(phase="done", left=str(plan.data) if plan.data.exists() else "")
            return
        choices = replace(self._choices, profiles=profiles, checks_contents=task == "repair")
        plan = make_plan(choices, report)
        check(plan)
        self.change(pending=[_step_facts(plan, step) for step in plan.pending])
        if plan.state != "complete":
            install(plan, report)
        self.note("Everything is in place.")
        command = command_for(plan.program, plan.launcher, self._search_path)
        self.change(phase="done", command=command, in_gimp=bool(plan.plugins))

    def _describe(self, plan: Plan) -> dict[str, Any]:
        """The plan as the page shows it; an obstacle is a part of it."""
        return {
            "state": plan.state,
            "version": plan.version,
            "previous": plan.previous or "",
            "data": str(plan.data),
            "processor": look_at_machine().processor,
            "offline": str(plan.choices.offline or ""),
            "download_bytes": plan.cost.download_bytes,
            "disk_bytes": plan.cost.disk_bytes,
            "steps": [
                _step_facts(plan, step) for step in plan.steps if not isinstance(step, PluginStep)
            ],
            "profiles": [
                {
                    "folder": str(step.profile.folder),
                    "version": step.profile.version,
                    "condition": plan.conditions[step.key],
                    "obstacle": _obstacle(step.check_writable),
                }
                for step in plan.plugins
            ],
            "notes": plan.notes,
            "obstacle": _obstacle(lambda: check_machine(plan)),
        }


def _obstacle(check: Callable[[], None]) -> str:
    try:
        check()
    except InstallationError as error:
        return str(error)
    return ""


def _step_facts(plan: Plan, step: Step) -> dict[str, Any]:
    return {
        "key": step.key,
        "title": step.title,
        "condition": plan.conditions[step.key],
        "download_bytes": 0 if plan.choices.offline is not None else step.cost.download_bytes,
        "disk_bytes": step.cost.disk_bytes,
    }
