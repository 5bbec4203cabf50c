"""One installation at a time: two would write over each other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.errors import InstallationError
from installer.report import Stop
from plugin.shared.compat import try_lock

# The pip of an installation that was killed ends when it notices that nobody listens.
_WAIT_SECONDS = 20.0


@contextmanager
def only_installation(data: Path, stop: Stop) -> Iterator[None]:
    """Hold the lock of a data folder; it ends with this process and the programs it started.

    Args:
        data: the folder, made when missing.
        stop: asked while waiting, and given the lock for the programs.

    Raises:
        InstallationError: another installation holds it.
    """
    data.mkdir(parents=True, exist_ok=True)
    path = data / "installation.lock"
    with path.open("ab") as file:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not try_lock(file):
            stop.check()
            if time.monotonic() > deadline:
                raise InstallationError("error.another")
            time.sleep(0.1)
        stop.descriptors = (file.fileno(),)
        try:
            yield
        finally:
            stop.descriptors = ()
