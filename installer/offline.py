"""A folder from which a machine without network is set up: filled on one machine, used on another.

FOLDER/
    offline.json    for which system and Python it was made; size and sum of every file; last
    wheels/         all packages, pip and setuptools among them
    weights/        the networks that the user downloaded or imported, if there are any
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from installer.environment import Environment
from installer.errors import InstallationError
from installer.machine import Machine
from installer.messages import message, reason_of
from installer.packages import ACCEPTED_TORCH, TESTED_TORCH, EnvironmentStep
from installer.pip import FILL_COMMAND, has_no_build, this_platform
from installer.project import copy_project
from installer.report import Report
from installer.steps import Condition, Cost
from installer.sums import sha256_of
from installer.torch_index import torch_index

# The project is built on the target; pip needs this to do it.
_BUILD_REQUIREMENT = "setuptools>=77"
_TASK = message("task.fill")


@dataclass(frozen=True)
class OfflineFolder:
    """The folder, by its path."""

    path: Path

    @property
    def wheels(self) -> Path:
        return self.path / "wheels"

    @property
    def weights(self) -> Path:
        return self.path / "weights"

    @property
    def work(self) -> Path:
        return self.path / "incomplete"

    @property
    def log(self) -> Path:
        return self.path / "pip.log"

    @property
    def _record(self) -> Path:
        return self.path / "offline.json"

    def check(self) -> None:
        """Compare the folder with what it was filled with.

        Raises:
            InstallationError: it is not such a folder, was made for another kind of machine, or
                lacks a file; the message says which.
        """
        try:
            facts = json.loads(self._record.read_text(encoding="utf-8"))
            made = str(facts["platform"])
            files = {place: (size, sha256) for place, (size, sha256) in facts["files"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InstallationError(
                "error.offline-incomplete", folder=self.path, command=FILL_COMMAND
            ) from error
        if made != this_platform():
            raise InstallationError(
                "error.offline-platform",
                folder=self.path,
                made=made,
                platform=this_platform(),
            )
        for place, (size, sha256) in sorted(files.items()):
            path = self.path / place
            if not path.is_file():
                fault = "error.offline-file-missing"
            elif path.stat().st_size != size or sha256_of(path) != sha256:
                fault = "error.offline-file-damaged"
            else:
                continue
            raise InstallationError(fault, file=place, folder=self.path, command=FILL_COMMAND)

    def record(self) -> None:
        """Write down what the folder holds; it counts as complete from then on."""
        files = {
            path.relative_to(self.path).as_posix(): (path.stat().st_size, sha256_of(path))
            for folder in (self.wheels, self.weights)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        facts = {"platform": this_platform(), "files": files}
        self._record.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def begin(self) -> None:
        """Make the folder; it counts as incomplete from now on.

        Raises:
            InstallationError: it holds something of the user's with a name of ours.
        """
        if not self._record.exists() and not self.log.exists():
            for folder in (self.wheels, self.weights, self.work):
                if folder.exists():
                    raise InstallationError("error.offline-not-ours", folder=folder)
        self.path.mkdir(parents=True, exist_ok=True)
        self._record.unlink(missing_ok=True)


@dataclass(frozen=True)
class WeightsStep:
    """The networks of an offline folder in the user's data folder; those that are there stay."""

    source: Path
    target: Path

    key = "weights"
    title = message("step.weights")
    place = None

    @property
    def cost(self) -> Cost:
        sizes = [(self.source / place).stat().st_size for place in self._missing()]
        return Cost(disk_bytes=sum(sizes))

    def condition(self) -> Condition:
        return "absent" if self._missing() else "done"

    def do(self) -> None:
        for place in self._missing():
            target = self.target / place
            part = target.with_name(target.name + ".part")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.source / place, part)
                part.replace(target)
            except OSError as error:
                raise InstallationError(
                    "error.weights", path=target, reason=reason_of(error)
                ) from error

    def undo(self) -> None:
        """Weights are the user's own: they stay."""

    def _missing(self) -> list[Path]:
        # The record NAME.json beside a file says that it is whole: it comes last.
        files = [path.relative_to(self.source) for path in self.source.rglob("*") if path.is_file()]
        files.sort(key=lambda place: (place.suffix == ".json", place))
        return [place for place in files if not (self.target / place).exists()]


def fill(
    folder: OfflineFolder, machine: Machine, index: str | None, data: Path, report: Report
) -> None:
    """Fetch everything that an installation takes from the network; can be repeated.

    Args:
        folder: it is made when missing.
        machine: what torch will run on where the folder is used.
        index: package index to take torch from; None for the build that suits the machine.
        data: the user's data folder, whose networks go along.
        report: receives the progress.

    Raises:
        InstallationError: pip failed, or the folder cannot be written.
        StoppedError: the user stopped it.
    """
    try:
        folder.begin()
        _fill_wheels(folder, machine, index, report)
        if (data / "weights").is_dir():
            report.say(message("log.fill-weights"))
            shutil.copytree(data / "weights", folder.weights, dirs_exist_ok=True)
        folder.record()
    except OSError as error:
        raise InstallationError(
            "error.offline-not-writable",
            path=str(error.filename or folder.path),
            reason=reason_of(error),
        ) from error


def _fill_wheels(
    folder: OfflineFolder, machine: Machine, index: str | None, report: Report
) -> None:
    work = folder.work
    environment = Environment(work / "environment", folder.log, report)
    step = EnvironmentStep(environment)
    if step.condition() != "done":
        report.say(message("log.fill-environment"))
        step.do()
    report.say(message("log.fill-packages", platform=this_platform(), processor=machine.name))
    if index is None:
        index = torch_index(environment, machine, TESTED_TORCH)
    wheels = work / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    source = work / "restore-old-photo"
    shutil.rmtree(source, ignore_errors=True)
    copy_project(source)
    options = [] if index is None else ["--index-url", index]
    torch = _fetch_torch(environment, wheels, options)
    others = ["--find-links", str(wheels), torch, str(source), "pip", _BUILD_REQUIREMENT]
    environment.pip.run(
        ["wheel", "--wheel-dir", str(wheels), *others], _TASK, has_bar=environment.has_bar
    )
    # Of the project the target has the checkout, perhaps a newer one.
    for built in wheels.glob("restore_old_photo-*.whl"):
        built.unlink()
    shutil.rmtree(folder.wheels, ignore_errors=True)
    wheels.replace(folder.wheels)
    shutil.rmtree(work)


def _fetch_torch(environment: Environment, wheels: Path, options: list[str]) -> str:
    """Put torch and what it needs among the wheels; returns the requirement that was met."""
    command = ["wheel", "--wheel-dir", str(wheels), *options]
    try:
        environment.pip.run([*command, TESTED_TORCH], _TASK, has_bar=environment.has_bar)
    except InstallationError as error:
        if not has_no_build(error):
            raise
        environment.pip.run([*command, ACCEPTED_TORCH], _TASK, has_bar=environment.has_bar)
        return ACCEPTED_TORCH
    return TESTED_TORCH
