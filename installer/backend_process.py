"""Ask a running backend to quit before the files under it change."""

from __future__ import annotations

import time
from pathlib import Path

from plugin.shared.client import Client
from plugin.shared.compat import process_exists
from plugin.shared.errors import ConnectionLostError, RefusedError
from plugin.shared.installation import Installation
from plugin.shared.launcher import QUIT_SECONDS, read_runtime


def stop_backend(data: Path) -> bool:
    """Ask the backend of a data folder to quit, and wait until it has or its time is up.

    Returns:
        Whether one was running and has gone.
    """
    installation = Installation(python="", home=str(data))
    runtime = read_runtime(installation)
    if runtime is None or not process_exists(runtime.pid):
        return False
    try:
        Client(runtime.port, runtime.token, installation.log).shutdown()
    except (ConnectionLostError, RefusedError):
        # Somebody else has that process number by now.
        return False
    deadline = time.monotonic() + QUIT_SECONDS
    while process_exists(runtime.pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
