"""How soon a backend answers: after a cold start, and with a warm one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from plugin.shared import protocol
from plugin.shared.client import Client
from plugin.shared.errors import PluginError
from tests.benchmarks.photos import make_photo

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120.0
# One after the other with one backend; each is compared with the first.
JOBS: list[tuple[str, dict[str, Any]]] = [
    ("first job", {}),
    ("same photo again", {}),
    ("other threshold", {"threshold": 0.95}),
    ("other strength", {"strength": 0.5}),
    ("a stroke on the mask", {"stroke": True}),
]


def measure_serving(width: int, height: int) -> dict[str, Any]:
    """Seconds from the start to the first answer and to being ready; and of jobs then."""
    with tempfile.TemporaryDirectory(prefix="restore-old-photo-") as home:
        environment = {**os.environ, "RESTORE_OLD_PHOTO_HOME": home}
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "backend", "serve"], cwd=PROJECT, env=environment
        )
        try:
            client = wait_for(lambda: connected(Path(home)))
            answered = time.perf_counter() - started
            wait_for(lambda: client.health().status == "ready" or None)
            ready = time.perf_counter() - started
            jobs = {name: run_job(client, width, height, **changes) for name, changes in JOBS}
        finally:
            process.terminate()
            process.wait()
    return {"first_answer": answered, "ready": ready, "jobs": jobs}


def connected(home: Path) -> Client | None:
    """A client that got an answer; None while there is none."""
    runtime = home / "run" / "runtime.json"
    try:
        facts = protocol.decode_runtime(runtime.read_bytes())
        client = Client(facts.port, facts.token)
        client.health()
    except (OSError, protocol.ProtocolError, PluginError):
        return None
    return client


def wait_for(look: Callable[[], Any]) -> Any:
    """The first answer that is something.

    Raises:
        TimeoutError: there is none.
    """
    end = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < end:
        found = look()
        if found:
            return found
        time.sleep(0.005)
    raise TimeoutError("The backend does not answer.")


def run_job(
    client: Client, width: int, height: int, *, stroke: bool = False, **options: float
) -> dict[str, float]:
    """Seconds from the submission to the first progress and to the end."""
    photo, _ = make_photo(width, height)
    chosen = protocol.JobOptions(**options)
    header = protocol.RequestHeader(width, height, 3, 8, has_mask=stroke, options=chosen)
    pixels, mask = memoryview(photo.tobytes()), None
    if stroke:
        drawn = np.zeros((height, width), np.uint8)
        drawn[height // 3 : height // 3 + 8, width // 3 : width // 3 + 60] = 255
        mask = memoryview(drawn.tobytes())
    started = time.perf_counter()
    first = 0.0
    for event in client.events(client.submit(header, pixels, mask)):
        if isinstance(event, protocol.Progress) and not first:
            first = time.perf_counter() - started
        if isinstance(event, protocol.Failed):
            raise RuntimeError(event.message)
    return {"first_progress": first, "seconds": time.perf_counter() - started}
