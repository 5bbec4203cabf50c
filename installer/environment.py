"""The Python environment that the backend runs in, and the packages inside it.

It lies in the user's data folder and is made with the interpreter that runs the installer, never
with GIMP's own: that one has neither ensurepip nor numpy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from installer import integrity
from installer.errors import InstallationError
from installer.interpreter import (
    check_interpreter,
    has_ensurepip,
    has_pip,
    no_pip_error,
)
from installer.messages import Message, message, reason_of
from installer.pip import Pip, has_no_build
from installer.prefetch import prefetch
from installer.processes import CommandError, clean_environment, run_logged
from installer.report import Report

# The first that can tell programs how far a download is.
_PIP_WITH_PROGRESS = (24, 1)
PIP_REQUIREMENT = "pip>=24.1"
# With less, pip cannot even be unpacked.
_LEAST_FREE_BYTES = 2_000_000
# A thorough look reads gigabytes, on a slow disk perhaps.
_ASK_SECONDS = 1800


@dataclass(frozen=True)
class Inventory:
    """What an environment holds, from its own Python.

    Attributes:
        versions: by normalized name.
        damaged: normalized names of packages that are not whole.
        unknown: packages that were never completely written.
    """

    versions: dict[str, str]
    damaged: list[str]
    unknown: int


class Environment:
    """A virtual environment and its pip.

    Args:
        folder: where it lies or will lie.
        log: file that receives everything pip prints.
        report: receives what the user should see.
        offline: folder of wheels to take packages from, instead of a package index.
        checks_contents: compare every byte of the packages when asked what is damaged.
        work: folder for downloads and temporary files; None takes the one that it lies in.
    """

    def __init__(
        self,
        folder: Path,
        log: Path,
        report: Report,
        offline: Path | None = None,
        checks_contents: bool = False,
        work: Path | None = None,
    ) -> None:
        self.folder = folder
        self.log = log
        self.report = report
        self.offline = offline
        self.work = folder.parent if work is None else work
        self.downloads = self.work / "downloads"
        self._checks_contents = checks_contents
        self._inventory: Inventory | None = None
        scratch, cache = self.work / "temporary", self.downloads / "pip"
        self.pip = Pip(self.python, log, report, scratch, offline, cache)

    @property
    def _programs(self) -> Path:
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        return self.program("python")

    def program(self, name: str) -> Path:
        """The path of a program in the environment, whether it exists or not."""
        return self._programs / (f"{name}.exe" if sys.platform == "win32" else name)

    @property
    def has_bar(self) -> bool:
        """Whether its pip can tell how far a download is."""
        return release_of(self.version_of("pip") or "") >= _PIP_WITH_PROGRESS

    def inventory(self) -> Inventory | None:
        """What it holds; None where its Python does not start. Asked once between two changes."""
        if self._inventory is None:
            words = ["--contents"] if self._checks_contents else []
            answer = self._ask(["-I", integrity.__file__, *words])
            if answer is not None:
                facts = json.loads(answer)
                self._inventory = Inventory(facts["versions"], facts["damaged"], facts["unknown"])
        return self._inventory

    def works(self) -> bool:
        """Whether its Python starts, has a whole pip, and pip can take away all that is there."""
        inventory = self.inventory()
        return (
            inventory is not None
            and "pip" in inventory.versions
            and "pip" not in inventory.damaged
            and inventory.unknown == 0
        )

    def version_of(self, package: str) -> str | None:
        """The version of an installed package; None when it, or the environment, is absent."""
        inventory = self.inventory()
        return inventory.versions.get(package) if inventory is not None else None

    def damaged(self) -> list[str]:
        """Packages of which a file is missing or changed."""
        inventory = self.inventory()
        return inventory.damaged if inventory is not None else []

    def check_can_create(self) -> None:
        """Raises InstallationError where this Python cannot make environments."""
        check_interpreter(os.environ)
        if not has_ensurepip() and not has_pip() and self._pip_wheel() is None:
            raise no_pip_error()

    def create(self) -> None:
        """Make it anew; what lay there before is removed.

        Raises:
            InstallationError: this Python cannot make environments, or the folder cannot be
                written.
        """
        self.check_can_create()
        self.remove()
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            for command in self._creating_commands():
                run_logged(command, self.log, stop=self.report.stop)
        except (CommandError, OSError) as error:
            raise InstallationError(
                "error.environment",
                folder=self.folder,
                reason=self._reason(error),
                log=self.log,
            ) from error
        self._inventory = None
        if not self.has_bar:
            self._update_pip()

    def _reason(self, error: CommandError | OSError) -> Message | str:
        """Why it could not be made; ensurepip's own words are not to be had."""
        if self.folder.exists() and shutil.disk_usage(self.folder).free < _LEAST_FREE_BYTES:
            return message("reason.no-space")
        return last_line(error)

    def remove(self) -> None:
        self._inventory = None
        if self.folder.exists():
            try:
                shutil.rmtree(self.folder)
            except OSError as error:
                raise InstallationError(
                    "error.environment-not-removed",
                    folder=self.folder,
                    reason=reason_of(error),
                ) from error

    def install(self, requirements: Sequence[str], index: str | None = None) -> None:
        """Let pip install; packages that already fit are kept.

        Args:
            requirements: what to install, and perhaps options of pip's.
            index: package index to take them from, or None for pip's own choice.

        Raises:
            InstallationError: pip failed, with the likely reason.
            StoppedError: the user stopped it.
        """
        packages = [_short(word) for word in requirements if word[:1] != "-"]
        what = message("task.install", packages=", ".join(packages))
        options = [] if index is None else ["--index-url", index]
        has_bar = self.has_bar
        wheels: list[Path] = []
        if has_bar and self.offline is None:
            wheels = prefetch(
                self.pip, [*requirements, *options], what, self.downloads, self.report
            )
        self._inventory = None
        command = ["install", *requirements, *options, *map(str, wheels)]
        self.pip.run(command, what, has_bar)

    def check(self, code: str) -> None:
        """Run a line of Python in the environment.

        Raises:
            InstallationError: it failed, so the installed program does not work.
        """
        try:
            run_logged([str(self.python), "-I", "-c", code], self.log, stop=self.report.stop)
        except (CommandError, OSError) as error:
            raise InstallationError(
                "error.program-broken", reason=last_line(error), log=self.log
            ) from error

    def _creating_commands(self) -> Iterator[list[str]]:
        command = [sys.executable, "-m", "venv", str(self.folder)]
        if has_ensurepip():
            yield command
            return
        yield [*command, "--without-pip"]
        wheel = self._pip_wheel()
        if wheel is not None:
            # A wheel is an archive that Python can run from.
            yield [str(self.python), f"{wheel}/pip", "install", "--no-index", str(wheel)]
        else:
            # From pip 22.3 on; Debian 12 has 23.0.
            command = [sys.executable, "-m", "pip", "--python", str(self.python)]
            yield [*command, "install", "--no-cache-dir", PIP_REQUIREMENT]

    def _update_pip(self) -> None:
        try:
            self.install([PIP_REQUIREMENT])
        except InstallationError as error:
            # An index without it is no obstacle: only the progress of downloads stays untold.
            if not has_no_build(error):
                raise

    def _pip_wheel(self) -> Path | None:
        wheels = sorted(self.offline.glob("pip-*.whl")) if self.offline is not None else []
        return wheels[-1] if wheels else None

    def _ask(self, arguments: Sequence[str]) -> str | None:
        try:
            answer = subprocess.run(
                [str(self.python), *arguments],
                capture_output=True,
                env=clean_environment(),
                encoding="utf-8",
                timeout=_ASK_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.strip()


def release_of(version: str) -> tuple[int, ...]:
    """The first two numbers of a version; zeros where there are none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return tuple(int(part) for part in found.groups()) if found else (0, 0)


def _short(requirement: str) -> str:
    """Of a folder to build from, its name: the rest of the path is of no interest."""
    return Path(requirement).name if Path(requirement).is_absolute() else requirement


def last_line(error: CommandError | OSError) -> Message | str:
    """Why a program failed: what it said last, or why it did not start."""
    if isinstance(error, OSError):
        return reason_of(error)
    lines = error.output.strip().splitlines()
    return lines[-1] if lines else f"status {error.status}"
