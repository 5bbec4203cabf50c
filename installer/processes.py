"""Run a program, keep all it prints in the log, and say the lines worth a user's attention."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from installer.report import Stop

# Settings of the user's own Python must not reach into the environment, and pip refuses to
# install into an environment at all while PIP_USER is on.
_REMOVED_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_REQUIRE_VIRTUALENV",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
)
_SET_VARIABLES = {
    "PYTHONUTF8": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUNBUFFERED": "1",
    "PIP_USER": "0",
    "PIP_NO_INPUT": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class CommandError(Exception):
    """A program ended with an error.

    Attributes:
        output: all that it printed, standard output and errors together.
    """

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{command[0]} ended with status {status}")
        self.status = status
        self.output = output


def clean_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for a Python of our own; None starts from this process's variables."""
    kept = dict(os.environ if environment is None else environment)
    for name in _REMOVED_VARIABLES:
        kept.pop(name, None)
    return {**kept, **_SET_VARIABLES}


def run_logged(
    command: Sequence[str],
    log: Path,
    on_line: Callable[[str], None] | None = None,
    stop: Stop | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end and append its output to the log.

    Args:
        command: program and arguments.
        log: a file; its folder is made when missing.
        on_line: called with each line as it is printed, without the line end.
        stop: ends the program when the user asks for it.
        variables: the program's environment variables; None takes this process's, cleaned.

    Returns:
        The whole output.

    Raises:
        CommandError: the exit status is not 0.
        StoppedError: the user stopped it.
        OSError: the program or the log cannot be opened.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    stop = stop or Stop()
    with (
        # A path among the arguments need not be UTF-8; the log stays text that any editor opens.
        log.open("a", encoding="utf-8", errors="backslashreplace") as record,
        subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment() if variables is None else dict(variables),
            encoding="utf-8",
            errors="replace",
            # Windows knows no such inheritance.
            pass_fds=() if sys.platform == "win32" else stop.descriptors,
        ) as process,
        stop.ending(process),
    ):
        record.write("$ " + " ".join(command) + "\n")
        assert process.stdout is not None
        for line in process.stdout:
            # Hundreds of them a second, of use to a progress bar alone.
            if not line.startswith("Progress "):
                record.write(line)
                record.flush()
                lines.append(line)
            if on_line is not None:
                on_line(line.rstrip())
    output = "".join(lines)
    stop.check()
    if process.returncode != 0:
        raise CommandError(command, process.returncode, output)
    return output
