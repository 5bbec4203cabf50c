"""The steps that fill the environment: the environment itself, torch, this project."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from installer.environment import Environment
from installer.errors import InstallationError
from installer.processes import CommandError
from installer.project import CHECKOUT, copy_project, project_fingerprint

TESTED_TORCH = "torch==2.13.0"
# What pyproject.toml asks for; taken where the tested version has no build for this machine.
ACCEPTED_TORCH = "torch>=2.6"
_ACCEPTED_TORCH_VERSION = (2, 6)


@dataclass(frozen=True)
class EnvironmentStep:
    """An empty environment with pip."""

    environment: Environment

    @property
    def title(self) -> str:
        return f"Python environment in {self.environment.folder}"

    def is_done(self) -> bool:
        return self.environment.works()

    def do(self) -> None:
        self.environment.create()

    def undo(self) -> None:
        self.environment.remove()


@dataclass(frozen=True)
class TorchStep:
    """torch in the environment: one that is there and new enough stays.

    Attributes:
        index: package index to take it from, or None for pip's own choice.
    """

    environment: Environment
    index: str | None = None

    title = "torch, which runs the networks"

    @property
    def _index_record(self) -> Path:
        return self.environment.folder / "torch-index"

    def is_done(self) -> bool:
        version = self.environment.version_of("torch")
        if version is None or _release(version) < _ACCEPTED_TORCH_VERSION:
            return False
        return self.index is None or _read(self._index_record) == self.index

    def do(self) -> None:
        options = ["--force-reinstall"] if self.environment.version_of("torch") else []
        try:
            self.environment.install([TESTED_TORCH, *options], self.index)
        except InstallationError as error:
            cause = error.__cause__
            if not (isinstance(cause, CommandError) and "No matching dist" in cause.output):
                raise
            self.environment.install([ACCEPTED_TORCH, *options], self.index)
        if self.index is not None:
            self._index_record.write_text(self.index, encoding="utf-8")

    def undo(self) -> None:
        # Half-written packages can pass for whole ones with pip: only a new environment is sure.
        self.environment.remove()


@dataclass(frozen=True)
class ProjectStep:
    """This project and the packages it needs, built from the checkout."""

    environment: Environment
    checkout: Path = CHECKOUT

    title = "Restore Old Photo with its networks and other packages"

    @property
    def _record(self) -> Path:
        return self.environment.folder / "project-fingerprint"

    def is_done(self) -> bool:
        return (
            _read(self._record) == project_fingerprint(self.checkout)
            and self.environment.version_of("restore-old-photo") is not None
        )

    def do(self) -> None:
        self._record.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="restore-old-photo-") as temporary:
            source = Path(temporary) / "restore-old-photo"
            source.mkdir()
            copy_project(source, self.checkout)
            self.environment.install([str(source)])
        self.environment.check("import torch, backend.cli", "The installed program")
        self._record.write_text(project_fingerprint(self.checkout), encoding="utf-8")

    def undo(self) -> None:
        self.environment.remove()


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return tuple(int(part) for part in found.groups()) if found else (0, 0)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
