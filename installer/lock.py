"""One installation at a time: two would write over each other."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from installer.errors import InstallationError
from installer.messages import message
from installer.report import Report
from plugin.shared.compat import process_exists, try_lock

# A backend that quits, or an installation about to end.
_WAIT_SECONDS = 20.0
# What a killed installation had started goes on until it has something to say to nobody: on a slow
# disk making an environment takes minutes.
_LEFTOVER_SECONDS = 900.0


@contextmanager
def only_installation(data: Path, report: Report) -> Iterator[None]:
    """Hold the lock of a data folder; it ends with this process and the programs it started.

    Args:
        data: the folder, made when missing.
        report: told what is waited for, asked whether to stop, and given the lock for programs.

    Raises:
        InstallationError: another installation holds it.
        StoppedError: the user stopped the wait.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "installation.lock").open("a+b") as file:
        _take(file, report)
        report.stop.descriptors = (file.fileno(),)
        try:
            _note_owner(file)
            yield
        finally:
            report.stop.descriptors = ()
            file.truncate(0)


def _take(file: BinaryIO, report: Report) -> None:
    begun = time.monotonic()
    is_told = False
    while not try_lock(file):
        report.stop.check()
        patience = _WAIT_SECONDS if _has_owner(file) else _LEFTOVER_SECONDS
        if time.monotonic() - begun > patience:
            raise InstallationError("error.another")
        if patience == _LEFTOVER_SECONDS and not is_told:
            report.say(message("log.leftover"))
            is_told = True
        time.sleep(0.1)


def _note_owner(file: BinaryIO) -> None:
    if sys.platform == "win32":
        # There, locks are not inherited, and locked files not read.
        return
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()


def _has_owner(file: BinaryIO) -> bool:
    """Whether the installation that took the lock is alive, and not only what it had started."""
    if sys.platform == "win32":
        return True
    file.seek(0)
    number = file.read()
    return number.isdigit() and process_exists(int(number))
