"""The steps that fill the environment: the environment itself, torch, this project."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from installer.environment import Environment, release_of
from installer.errors import InstallationError
from installer.machine import Machine, cost_of_build_in, look_at_machine
from installer.messages import Message, message, reason_of
from installer.pip import has_no_build
from installer.project import CHECKOUT, copy_project, project_fingerprint
from installer.steps import Condition, Cost
from installer.torch_index import torch_index

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
    """torch in the environment: one that is there, whole and new enough stays.

    Attributes:
        index: package index to take it from, or None for the build that suits the machine.
        machine: what torch will run on.
    """

    environment: Environment
    index: str | None = None
    machine: Machine = field(default_factory=look_at_machine)

    key = "torch"
    place = None

    @property
    def title(self) -> Message:
        return message(f"step.torch.{'chosen' if self.index else self.machine.processor}")

    @property
    def cost(self) -> Cost:
        wheels = self.environment.offline
        return self.machine.torch_cost if wheels is None else cost_of_build_in(wheels, self.machine)

    @property
    def _index_record(self) -> Path:
        return self.environment.folder / "torch-index"

    def condition(self) -> Condition:
        version = self.environment.version_of("torch")
        if version is None:
            return "absent"
        if "torch" in self.environment.damaged():
            return "damaged"
        is_chosen = self.index is None or _read(self._index_record) == self.index
        return "done" if is_chosen and _is_accepted(version) else "outdated"

    def do(self) -> None:
        environment = self.environment
        index = self.index
        if index is None and environment.offline is None:
            index = _read(self._index_record)
            index = index or torch_index(environment, self.machine, TESTED_TORCH)
        options = ["--force-reinstall"] if environment.version_of("torch") else []
        try:
            environment.install([TESTED_TORCH, *options], index)
        except InstallationError as error:
            if not has_no_build(error):
                raise
            environment.install([ACCEPTED_TORCH, *options], index)
        if index is not None:
            self._index_record.write_text(index, encoding="utf-8")

    def undo(self) -> None:
        # Half-written packages can pass for whole ones with pip: only a new environment is sure.
        self.environment.remove()


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
        self._record.write_text(f"{fingerprint}\n{environment.folder}", encoding="utf-8")

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
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
