"""What an installation consists of on this machine, what is there already, and how to do it.

The command line and the window both look at a plan, show it, and carry it out.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from installer.backend_process import stop_backend
from installer.environment import Environment
from installer.errors import InstallationError
from installer.gimp import PluginStep, find_targets
from installer.interpreter import check_user, find_home
from installer.launcher import PROGRAM, LauncherStep, RecordStep, has_launcher
from installer.lock import only_installation
from installer.machine import look_at_machine
from installer.messages import Bytes, Message
from installer.offline import OfflineFolder, WeightsStep
from installer.packages import EnvironmentStep, ProjectStep, TorchStep
from installer.project import check_checkout, project_version
from installer.report import Report
from installer.steps import (
    Condition,
    Cost,
    Marker,
    Step,
    interrupted_steps,
    run_steps,
    undo_steps,
)
from models.registry import data_folder
from plugin.remembered import remember_profiles, remembered_profiles

State = Literal["absent", "incomplete", "outdated", "damaged", "complete"]

# pip unpacks beside what it has downloaded.
_DISK_RESERVE_BYTES = 600_000_000
_OWN_FILES = ("install.log", "installation.part", "installation.lock", "profiles.json")
# Any of these says that a data folder is ours.
_TRACES = ("installation.json", "installation.incomplete", "installation.lock", "install.log")
_TRACES_OF_USE = ("run/backend.log", "weights/official", "weights/imported")
_OWN_FOLDERS = ("run", "downloads", "temporary", "source", "uv", "example")


@dataclass(frozen=True)
class Choices:
    """What the user may choose.

    Attributes:
        profiles: GIMP profiles to install into; None for all that are found, and for those that
            were named before.
        torch_index: package index to take torch from; None for the build that suits the machine.
        offline: folder to install from instead of the network.
        checks_contents: compare every byte of what is installed, not only sizes.
    """

    profiles: Sequence[Path] | None = None
    torch_index: str | None = None
    offline: Path | None = None
    checks_contents: bool = False


@dataclass(frozen=True)
class Plan:
    """All that an installation consists of.

    Attributes:
        steps: in order; the last one records that all is in place.
        notes: about what is left out, and why.
        data: the data folder.
        previous: version of the installation that is there, if there is one.
    """

    steps: list[Step]
    notes: list[Message]
    marker: Marker
    data: Path
    environment: Environment
    launcher: LauncherStep | None
    choices: Choices
    previous: str | None = None
    version: str = field(default_factory=project_version)

    @property
    def program(self) -> Path:
        return self.environment.program(PROGRAM)

    @property
    def example(self) -> Path:
        """Where the window puts the example's pictures."""
        return self.data / "example"

    @property
    def plugins(self) -> list[PluginStep]:
        return [step for step in self.steps if isinstance(step, PluginStep)]

    @cached_property
    def conditions(self) -> dict[str, Condition]:
        """What is there, by the key of the step; looked at once."""
        conditions = {step.key: step.condition() for step in self.steps}
        if conditions["project"] == "outdated":
            # Of an older program the plug-in is older, too, even when both have the same version.
            for step in self.plugins:
                if conditions[step.key] == "damaged":
                    conditions[step.key] = "outdated"
        return conditions

    @property
    def pending(self) -> list[Step]:
        return [step for step in self.steps if self.conditions[step.key] != "done"]

    @property
    def state(self) -> State:
        """What is there, in one word: it decides what the user is offered."""
        if self.marker.read() is not None:
            return "incomplete"
        if not self.pending:
            return "complete"
        if self.conditions["environment"] == "absent":
            return "absent"
        conditions = {step.key: self.conditions[step.key] for step in self.pending}
        if self.conditions["project"] == "outdated":
            return "outdated"
        return "damaged" if "damaged" in conditions.values() else "outdated"

    @property
    def cost(self) -> Cost:
        """What all that is pending takes; nothing is downloaded from an offline folder."""
        total = sum((step.cost for step in self.pending), Cost())
        return Cost(0, total.disk_bytes) if self.choices.offline is not None else total

    @property
    def needed_disk_bytes(self) -> int:
        """Free space that the data folder's disk must have while it is done."""
        cost = self.cost
        return (
            cost.download_bytes + cost.disk_bytes + (_DISK_RESERVE_BYTES if cost != Cost() else 0)
        )


def make_plan(choices: Choices, report: Report) -> Plan:
    """Look at the machine and list the steps; changes nothing.

    Raises:
        InstallationError: a profile that the user named is of no use, or there is no home folder.
    """
    home = find_home()
    data = data_folder().absolute()
    offline = OfflineFolder(choices.offline.resolve()) if choices.offline is not None else None
    environment = Environment(
        data / "environment",
        data / "install.log",
        report,
        offline.wheels if offline is not None else None,
        choices.checks_contents,
    )
    installation = {
        "python": str(environment.python),
        "home": str(data),
        "version": project_version(),
    }
    steps: list[Step] = [
        EnvironmentStep(environment),
        TorchStep(environment, choices.torch_index, look_at_machine()),
        ProjectStep(environment),
    ]
    if offline is not None and offline.weights.is_dir():
        steps.append(WeightsStep(offline.weights, data / "weights"))
    launcher = LauncherStep(environment.program(PROGRAM), home) if has_launcher() else None
    if launcher is not None:
        steps.append(launcher)
    targets = find_targets(
        choices.profiles, sys.platform, os.environ, home, remembered_profiles(data)
    )
    steps += [PluginStep(profile, installation, console) for profile, console in targets.profiles]
    record = RecordStep(data / "installation.json", installation)
    steps.append(record)
    previous = (record.read() or {}).get("version")
    marker = Marker(data / "installation.incomplete")
    return Plan(steps, targets.notes, marker, data, environment, launcher, choices, previous)


def check(plan: Plan) -> None:
    """Find what would stop the installation before anything is downloaded; changes nothing.

    Raises:
        InstallationError: the first obstacle.
    """
    check_machine(plan)
    for step in plan.plugins:
        if plan.conditions[step.key] != "done":
            step.check_writable()


def check_machine(plan: Plan) -> None:
    """As `check`, without the GIMP profiles: one can be left out."""
    check_user(os.environ)
    check_checkout()
    if plan.conditions["environment"] != "done":
        plan.environment.check_can_create()
    if plan.choices.offline is not None:
        OfflineFolder(plan.choices.offline.resolve()).check()
    _check_data_folder(plan)


def _check_is_ours(data: Path) -> None:
    """Refuse a data folder with things of the user's that carry names of ours."""
    if any((data / name).exists() for name in (*_TRACES, *_TRACES_OF_USE)):
        return
    for name in ("environment", *_OWN_FOLDERS):
        if (data / name).exists():
            raise InstallationError("error.data-not-ours", data=data, folder=data / name)


def _check_data_folder(plan: Plan) -> None:
    _check_is_ours(plan.data)
    existing = next(folder for folder in (plan.data, *plan.data.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise InstallationError("error.data-not-writable", data=plan.data, folder=existing)
    free = shutil.disk_usage(existing).free + _counted_twice_bytes(plan)
    if free < plan.needed_disk_bytes:
        raise InstallationError(
            "error.disk-too-small",
            folder=existing,
            free=Bytes(free),
            needed=Bytes(plan.needed_disk_bytes),
        )


def _counted_twice_bytes(plan: Plan) -> int:
    """What lies on the disk, and is part of what the installation needs all the same.

    That is what was downloaded already, and an environment that was cut short: it goes first.
    """
    folders = [plan.environment.downloads]
    steps = interrupted_steps(plan.steps, plan.marker)
    if any(isinstance(step, (EnvironmentStep, TorchStep)) for step in steps):
        folders.append(plan.environment.folder)
    files = (path for folder in folders for path in folder.rglob("*") if not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.is_file())


def install(plan: Plan, report: Report) -> None:
    """Do what is pending.

    Raises:
        InstallationError: a step failed; the next run goes on from there.
        StoppedError: the user stopped it; the same holds.
    """
    with only_installation(plan.data, report):
        stop_backend(plan.data)
        # The record says that all is in place: it goes first and comes back last.
        plan.steps[-1].undo()
        remember_profiles(plan.data, [step.profile for step in plan.plugins])
        run_steps(plan.steps, plan.marker, report)


def remove(plan: Plan, report: Report) -> None:
    """Take everything away but what is the user's own.

    Raises:
        InstallationError: the data folder is none of ours, or something could not be removed; then
            the next try goes on from there.
    """
    if plan.data.exists():
        _check_is_ours(plan.data)
        with only_installation(plan.data, report):
            stop_backend(plan.data)
            undo_steps(plan.steps, plan.marker, report)
            for name in _OWN_FOLDERS:
                shutil.rmtree(plan.data / name, ignore_errors=True)
        for name in _OWN_FILES:
            (plan.data / name).unlink(missing_ok=True)
        if not any(plan.data.iterdir()):
            _remove_empty(plan.data)
    else:
        undo_steps(plan.steps, plan.marker, report)


def _remove_empty(folder: Path) -> None:
    # Empty it harms nobody where it cannot go: it may be a disk of its own.
    with suppress(OSError):
        if folder.is_symlink():
            target = folder.resolve()
            folder.unlink()
            folder = target
        folder.rmdir()
