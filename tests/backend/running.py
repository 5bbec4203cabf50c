"""Start the make-believe server of serving.py as a process, and end it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plugin.shared import protocol
from plugin.shared.client import Client

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0


@dataclass
class RunningServer:
    process: subprocess.Popen[bytes]
    home: Path
    runtime: protocol.Runtime

    @property
    def client(self) -> Client:
        return Client(self.runtime.port, self.runtime.token, str(self.log))

    @property
    def log(self) -> Path:
        return self.home / "run" / "backend.log"

    @property
    def runtime_file(self) -> Path:
        return self.home / "run" / "runtime.json"

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of one request with the right token unless told otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.runtime.port, timeout=10)
        every = {"Authorization": f"Bearer {self.runtime.token}", **headers}
        try:
            connection.request(method, path, body, every)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def environment_for(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "RESTORE_OLD_PHOTO_HOME": str(home), "PYTHONPATH": str(ROOT), **more}


def start_process(home: Path, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.backend.serving", "serve", *arguments],
        env=environment_for(home, **environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for_runtime(
    home: Path, process: subprocess.Popen[bytes], seconds: float = PATIENCE_SECONDS
) -> protocol.Runtime:
    """What `process` publishes; a file that another one left behind does not count."""
    file = home / "run" / "runtime.json"

    def is_published() -> bool:
        assert process.poll() is None, "the server ended while it started"
        return file.exists() and read_runtime(home).pid == process.pid

    wait_until(is_published, seconds)
    return read_runtime(home)


def read_runtime(home: Path) -> protocol.Runtime:
    return protocol.decode_runtime((home / "run" / "runtime.json").read_bytes())


@contextmanager
def running_server(
    home: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    process = start_process(home, *arguments, **(environment or {}))
    try:
        yield RunningServer(process, home, wait_for_runtime(home, process))
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Wait for `condition()` and return how long it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"{condition} was not met in {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - start


def header_for(
    width: int = 4, height: int = 3, weights: str = "bundled", has_mask: bool = False
) -> protocol.RequestHeader:
    """An RGB picture of 8 bit."""
    options = protocol.JobOptions(weights=weights)
    return protocol.RequestHeader(width, height, 3, 8, has_mask, options)


def pixels_for(header: protocol.RequestHeader) -> bytes:
    """Bytes that are all different where possible."""
    return bytes(index % 251 for index in range(header.pixel_bytes))


def submit(server: RunningServer, weights: str = "bundled") -> str:
    header = header_for(weights=weights)
    return server.client.submit(header, pixels_for(header))
