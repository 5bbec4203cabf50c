"""The last steps: a command on the search path, and the record that the installation is whole."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from installer.errors import InstallationError
from installer.messages import message, reason_of
from installer.steps import Condition, Cost

PROGRAM = "restore-old-photo"


@dataclass(frozen=True)
class LauncherStep:
    """A link to the program in ~/.local/bin; another program of that name is left alone."""

    program: Path
    home: Path

    key = "launcher"
    title = message("step.launcher", program=PROGRAM)
    cost = Cost()

    @property
    def place(self) -> Path:
        return self.link.parent

    @property
    def link(self) -> Path:
        return self.home / ".local" / "bin" / PROGRAM

    def condition(self) -> Condition:
        # Where there is no place for it the program is called by its path.
        is_over = self._is_foreign() or self.is_linked() or not self._has_place()
        return "done" if is_over else "absent"

    def do(self) -> None:
        try:
            self.link.parent.mkdir(parents=True, exist_ok=True)
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(self.program)
        except OSError as error:
            raise InstallationError(
                "error.launcher",
                link=self.link,
                folder=self.link.parent,
                reason=reason_of(error),
            ) from error

    def undo(self) -> None:
        if self.is_linked():
            self.link.unlink()

    def is_linked(self) -> bool:
        """Whether the link is there and leads to our program."""
        return self.link.is_symlink() and self.link.readlink() == self.program

    def _has_place(self) -> bool:
        folder = self.link.parent
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)

    def _is_foreign(self) -> bool:
        # A link that leads nowhere is an earlier one of ours, or of no use to anybody.
        return self.link.exists() and not self.is_linked()


@dataclass(frozen=True)
class RecordStep:
    """installation.json in the data folder: it appears last and says that all is in place."""

    path: Path
    installation: Mapping[str, str]

    key = "record"
    title = message("step.record")
    place = None
    cost = Cost()

    def condition(self) -> Condition:
        record = self.read()
        if record is None:
            return "absent"
        return "done" if record == self.installation else "outdated"

    def read(self) -> dict[str, str] | None:
        """What it says; None where there is none, or none that can be read."""
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def do(self) -> None:
        temporary = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(dict(self.installation), indent=2), encoding="utf-8")
            temporary.replace(self.path)
        except OSError as error:
            raise InstallationError(
                "error.record", path=self.path, reason=reason_of(error)
            ) from error

    def undo(self) -> None:
        self.path.unlink(missing_ok=True)


def command_for(program: Path, launcher: LauncherStep | None, search_path: str) -> str:
    """How the user calls the program: by name when the link is found, by its path otherwise."""
    if launcher is not None and launcher.is_linked():
        folders = [Path(folder) for folder in search_path.split(os.pathsep) if folder]
        if launcher.link.parent in folders:
            return PROGRAM
    return f'"{program}"' if " " in str(program) else str(program)


def has_launcher(system: str = sys.platform) -> bool:
    """Whether this system has a customary folder for a user's own programs."""
    return system != "win32"
