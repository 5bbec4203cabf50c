"""The steps that fill the environment: the environment itself, torch, this project."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from installer.environment import Environment, release_of
from installer.errors import InstallationError
from installer.machine import (
    Machine,
    is_for_processors_alone,
    look_at_machine,
    machine_of_build_in,
)
from installer.messages import Message, message, reason_of
from installer.pip import has_no_build
from installer.project import CHECKOUT, copy_project, project_fingerprint
from installer.steps import Condition, Cost
from installer.torch_index import TorchSource, read_source, torch_index, write_source

PROJECT = "restore-old-photo"
TESTED_TORCH = "torch==2.13.0"
# What pyproject.toml asks for; taken where the tested version has no build for this machine.
ACCEPTED_TORCH = "torch>=2.6"
_ACCEPTED_TORCH_VERSION = (2, 6)


@dataclass(frozen=True)
class EnvironmentStep:
    """An empty environment with pip."""

    environment: Environment

    key = "environment"
    title = message("step.environment")
    cost = Cost(download_bytes=2_000_000, disk_bytes=20_000_000)

    @property
    def place(self) -> Path:
        return self.environment.folder

    def condition(self) -> Condition:
        if not self.environment.folder.exists():
            return "absent"
        return "done" if self.environment.works() else "damaged"

    def do(self) -> None:
        self.environment.create()

    def undo(self) -> None:
        self.environment.remove()


@dataclass(frozen=True)
class TorchStep:
    """torch in the environment: one that is there, whole, new enough and fitting stays.

    Attributes:
        index: package index to take it from; None for the one that the user named earlier, or else
            for the build that suits the machine.
        machine: what torch will run on.
    """

    environment: Environment
    index: str | None = None
    machine: Machine = field(default_factory=look_at_machine)

    key = "torch"
    place = None

    @property
    def title(self) -> Message:
        if self.index is None and self.environment.offline is not None:
            return message("step.torch.folder")
        return message(f"step.torch.{'chosen' if self.index else self.machine.processor}")

    @property
    def cost(self) -> Cost:
        return Cost() if self._is_from_index() else self._built_for.torch_cost

    @property
    def _built_for(self) -> Machine:
        """What the build is for that it takes: a folder has one, whatever would suit here."""
        wheels = self.environment.offline
        return self.machine if wheels is None else machine_of_build_in(wheels, self.machine)

    def condition(self) -> Condition:
        version = self.environment.version_of("torch")
        if version is None:
            return "absent"
        if "torch" in self.environment.damaged():
            return "damaged"
        return "done" if _is_accepted(version) and self._is_fitting(version) else "outdated"

    def do(self) -> None:
        environment = self.environment
        source = self._source()
        if not self._is_from_index():
            options = ["--force-reinstall"] if environment.version_of("torch") else []
            try:
                environment.install([TESTED_TORCH, *options], source.index)
            except InstallationError as error:
                if not has_no_build(error):
                    raise
                environment.install([ACCEPTED_TORCH, *options], source.index)
        write_source(environment.folder, source)

    def undo(self) -> None:
        # Half-written packages can pass for whole ones with pip: only a new environment is sure.
        self.environment.remove()

    def _source(self) -> TorchSource:
        if self.index is not None:
            return TorchSource(self.index, is_chosen=True)
        if self.environment.offline is not None:
            return TorchSource()
        earlier = read_source(self.environment.folder)
        if earlier.is_chosen:
            return earlier
        index = torch_index(self.environment, self.machine, TESTED_TORCH)
        return TorchSource(index, processor=self.machine.processor)

    def _is_fitting(self, version: str) -> bool:
        """Whether it is the build of the user's choice or, without one, can use the card here."""
        source = read_source(self.environment.folder)
        if self.index is not None:
            return source.is_chosen and source.index == self.index
        if source.is_chosen or not is_for_processors_alone(version, self.machine.system):
            return True
        if self.environment.offline is None and source.processor == "cuda":
            # What was found for this machine then, with pip's settings perhaps, is found again.
            return True
        return {self.machine.processor, self._built_for.processor} != {"cuda"}

    def _is_from_index(self) -> bool:
        """Whether what is there comes from the named index: only the choice is to be noted."""
        version = self.environment.version_of("torch")
        if self.index is None or version is None or "torch" in self.environment.damaged():
            return False
        is_same = read_source(self.environment.folder).index == self.index
        return is_same and _is_accepted(version)


@dataclass(frozen=True)
class ProjectStep:
    """This project and the packages it needs, built from the checkout."""

    environment: Environment
    checkout: Path = CHECKOUT

    key = "project"
    title = message("step.project")
    place = None

    @property
    def cost(self) -> Cost:
        is_there = self.environment.version_of(PROJECT) is not None
        if is_there and not set(self._damaged()) - {PROJECT}:
            # With a newer package or two, perhaps.
            return Cost(download_bytes=30_000_000, disk_bytes=60_000_000)
        return Cost(download_bytes=300_000_000, disk_bytes=620_000_000)

    @property
    def _record(self) -> Path:
        return self.environment.folder / "project-fingerprint"

    def condition(self) -> Condition:
        recorded = _read(self._record)
        if recorded is None or self.environment.version_of(PROJECT) is None:
            return "absent"
        fingerprint, _, place = recorded.partition("\n")
        if fingerprint != project_fingerprint(self.checkout):
            return "outdated"
        # In its programs stands the path of the environment that they were made in.
        is_moved = place != str(self.environment.folder)
        return "damaged" if is_moved or self._damaged() else "done"

    def do(self) -> None:
        environment = self.environment
        self._record.unlink(missing_ok=True)
        inventory = environment.inventory()
        versions = inventory.versions if inventory is not None else {}
        damaged = [f"{name}=={versions[name]}" for name in self._damaged() if name != PROJECT]
        if damaged:
            environment.install(["--force-reinstall", "--no-deps", *damaged])
        # The system's folder for temporary files may be too small for the networks.
        source = environment.work / "source"
        shutil.rmtree(source, ignore_errors=True)
        try:
            copy_project(source / PROJECT, self.checkout)
            environment.install([str(source / PROJECT)])
        except OSError as error:
            raise InstallationError(
                "error.project-not-copied", folder=source, reason=reason_of(error)
            ) from error
        finally:
            shutil.rmtree(source, ignore_errors=True)
        environment.check("import torch, backend.cli")
        # Nothing is fetched after this step.
        shutil.rmtree(environment.downloads, ignore_errors=True)
        fingerprint = project_fingerprint(self.checkout)
        record = f"{fingerprint}\n{environment.folder}"
        self._record.write_text(record, encoding="utf-8", errors="surrogateescape")

    def undo(self) -> None:
        # The packages stay: torch, which took longest, is whole. What pip left half-written shows
        # in the inventory, and then the environment is made anew.
        self._record.unlink(missing_ok=True)

    def _damaged(self) -> list[str]:
        return [name for name in self.environment.damaged() if name != "torch"]


def _is_accepted(version: str) -> bool:
    return release_of(version) >= _ACCEPTED_TORCH_VERSION


def _read(path: Path) -> str | None:
    try:
        # Paths need not be UTF-8.
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
