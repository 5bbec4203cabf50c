"""The Python environment that the backend runs in, and the packages inside it.

It lies in the user's data folder and is made with the interpreter that runs the installer, never
with GIMP's own: that one has neither ensurepip nor numpy.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from installer.errors import InstallationError
from installer.processes import CommandError, clean_environment, run_logged
from installer.steps import Say

# The CPU build of torch and all other packages, unpacked, with room for pip to work.
NEEDED_DISK_BYTES = 2_500_000_000

_DOWNLOAD = re.compile(r"\s*Downloading (?P<what>\S+) \((?P<size>[\d.]+ [MG]B)\)")

_CAUSES = (
    (r"No space left on device", "the disk is full; free some gigabytes"),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "the package index could not prove its identity; check the clock and the proxy of this "
        "machine",
    ),
    (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|Network is unreachable"
        r"|Name or service not known|Temporary failure in name resolution",
        "the package index cannot be reached; check the network and the proxy",
    ),
    (r"Permission denied|Read-only file system", "a folder cannot be written; see the log"),
    (
        r"No matching distribution found|Could not find a version",
        "there is no build for this machine and this Python; try another Python from 3.10 on",
    ),
)


class Environment:
    """A virtual environment and its pip.

    Args:
        folder: where it lies or will lie.
        log: file that receives everything pip prints.
        say: receives the lines meant for the user.
    """

    def __init__(self, folder: Path, log: Path, say: Say) -> None:
        self.folder = folder
        self.log = log
        self._say = say

    @property
    def _programs(self) -> Path:
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        return self.program("python")

    def program(self, name: str) -> Path:
        """The path of a program in the environment, whether it exists or not."""
        return self._programs / (f"{name}.exe" if sys.platform == "win32" else name)

    def works(self) -> bool:
        """Whether its Python starts and has pip."""
        return self._ask("import pip; print('yes')") == "yes"

    def create(self) -> None:
        """Make it anew; what lay there before is removed.

        Raises:
            InstallationError: this Python cannot make environments, or the folder cannot be
                written.
        """
        _check_interpreter()
        self.remove()
        _check_disk(self.folder)
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            run_logged([sys.executable, "-m", "venv", str(self.folder)], self.log)
        except (CommandError, OSError) as error:
            raise InstallationError(
                f"The Python environment in {self.folder} could not be made ({_last_line(error)}): "
                f"see {self.log}, then run this again."
            ) from error

    def remove(self) -> None:
        if self.folder.exists():
            try:
                shutil.rmtree(self.folder)
            except OSError as error:
                raise InstallationError(
                    f"{self.folder} could not be removed ({error.strerror}): "
                    "close GIMP and whatever else uses it, then run this again."
                ) from error

    def version_of(self, package: str) -> str | None:
        """The version of an installed package; None when it, or the environment, is absent."""
        question = f"from importlib.metadata import version; print(version({package!r}))"
        return self._ask(question)

    def install(self, requirements: Sequence[str], index: str | None = None) -> None:
        """Let pip install; packages that already fit are kept.

        Raises:
            InstallationError: pip failed, with the likely reason.
        """
        command = [str(self.python), "-m", "pip", "install", *requirements]
        if index is not None:
            command += ["--index-url", index]
        try:
            run_logged(command, self.log, on_line=self._report_download)
        except CommandError as error:
            raise InstallationError(
                f"Installing {', '.join(requirements)} failed: {_cause(error.output)}, then run "
                f"this again (all that pip said is in {self.log})."
            ) from error

    def check(self, code: str, what: str) -> None:
        """Run a line of Python in the environment.

        Raises:
            InstallationError: it failed; `what` names what does not work.
        """
        try:
            run_logged([str(self.python), "-I", "-c", code], self.log)
        except (CommandError, OSError) as error:
            raise InstallationError(
                f"{what} does not work ({_last_line(error)}): see {self.log}, and report it if "
                "running this again does not help."
            ) from error

    def _report_download(self, line: str) -> None:
        found = _DOWNLOAD.match(line)
        if found:
            name = found["what"].rsplit("/", 1)[-1]
            self._say(f"      downloading {name} ({found['size']})")

    def _ask(self, question: str) -> str | None:
        try:
            answer = subprocess.run(
                [str(self.python), "-I", "-c", question],
                capture_output=True,
                env=clean_environment(),
                encoding="utf-8",
                timeout=60,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.strip()


def _check_interpreter() -> None:
    if "gimp" in Path(sys.base_prefix).as_posix().lower():
        raise InstallationError(
            f"{sys.executable} is GIMP's own Python, which cannot hold other packages: "
            "run this with the system's Python 3.10 or newer."
        )
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        command = f"apt install {package}" if _is_root() else f"sudo apt install {package}"
        raise InstallationError(
            "This Python cannot make environments because its venv package is missing: "
            f'run "{command}" (Debian, Ubuntu and their kin), then run this again.'
        )


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _check_disk(folder: Path) -> None:
    existing = next(parent for parent in folder.parents if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < NEEDED_DISK_BYTES:
        raise InstallationError(
            f"The disk of {existing} has {free / 1e9:.1f} GB free, but the installation needs "
            f"{NEEDED_DISK_BYTES / 1e9:.1f} GB: free some, or set RESTORE_OLD_PHOTO_HOME to a "
            "folder on another disk, then run this again."
        )


def _cause(output: str) -> str:
    for pattern, cause in _CAUSES:
        if re.search(pattern, output):
            return cause
    lines = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return (lines[-1] if lines else "pip gave no reason") + "; mend that"


def _last_line(error: CommandError | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    lines = error.output.strip().splitlines()
    return lines[-1] if lines else f"status {error.status}"
