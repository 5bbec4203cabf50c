"""Ask a running backend to quit before the files under it change."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

_QUIT_SECONDS = 10.0


def stop_backend(runtime_file: Path) -> bool:
    """Ask the backend that `runtime_file` describes to quit, and wait until it has.

    Args:
        runtime_file: runtime.json, with the backend's port and token.

    Returns:
        Whether one was running.
    """
    try:
        runtime = json.loads(runtime_file.read_text(encoding="utf-8"))
        port, token = int(runtime["port"]), str(runtime["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not _answers(port, token, "POST", "/shutdown"):
        return False
    deadline = time.monotonic() + _QUIT_SECONDS
    while _answers(port, token, "GET", "/health") and time.monotonic() < deadline:
        time.sleep(0.1)
    return True


def _answers(port: int, token: str, method: str, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
