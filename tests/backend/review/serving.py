"""A real backend for the review page, with previews so small that tests are quick."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from plugin.shared import protocol
from tests.backend.running import environment_for, wait_for_runtime

PREVIEW_PIXELS = 64_000
# Starting and restoring on a machine that does much else, with networks that are read first.
PATIENCE_SECONDS = 300.0
SERVE = (
    f"from backend.review import photos; photos.PREVIEW_PIXELS = {PREVIEW_PIXELS};"
    "from backend.cli import main; main(['serve'])"
)
OPTIONS = {"threshold": None, "cleaning": True, "tone": True, "strength": 1.0}


@dataclass
class ReviewBackend:
    """A running backend, asked as the command line and as a page."""

    process: subprocess.Popen[bytes]
    home: Path
    runtime: protocol.Runtime

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.runtime.port}"

    @property
    def log(self) -> str:
        return (self.home / "run" / "backend.log").read_text(encoding="utf-8")

    def program(self, **headers: str) -> httpx.Client:
        """As a program with the token."""
        authorization = {"Authorization": f"Bearer {self.runtime.token}", **headers}
        return httpx.Client(base_url=self.origin, headers=authorization, timeout=PATIENCE_SECONDS)

    def address(self, photo: Path | None = None) -> str:
        """What a browser opens, once."""
        with self.program() as program:
            sent = None if photo is None else add_photo(program, photo)["id"]
            return self.origin + str(program.post("/tickets", json={"photo": sent}).json()["path"])

    def page(self, **headers: str) -> httpx.Client:
        """As a page of a browser, with a key of its own."""
        client = httpx.Client(
            base_url=self.origin,
            headers={"Origin": self.origin, **headers},
            timeout=PATIENCE_SECONDS,
        )
        ticket = self.address().partition("#")[2]
        key = client.post("/review/session", json={"ticket": ticket}).json()["key"]
        client.headers["Authorization"] = f"Bearer {key}"
        return client


def add_photo(client: httpx.Client, photo: Path) -> dict[str, Any]:
    answer = client.post(
        "/review/photos", content=photo.read_bytes(), headers={"X-File-Name": quote(photo.name)}
    )
    assert answer.status_code == 201, answer.text
    facts: dict[str, Any] = answer.json()
    return facts


def send_mask(client: httpx.Client, photo_id: str, values: bytes) -> None:
    answer = client.put(f"/review/photos/{photo_id}/mask", content=values)
    assert answer.status_code == 200, answer.text


def run_job(
    client: httpx.Client,
    photo_id: str,
    size: str = "preview",
    painted: bool = False,
    **options: Any,
) -> str:
    """Restore to the end; returns the job's name."""
    order = {"size": size, "options": {**OPTIONS, **options}, "painted": painted}
    job = str(client.post(f"/review/photos/{photo_id}/jobs", json=order).json()["id"])
    last = client.get(f"/jobs/{job}/events").text.strip().splitlines()[-1]
    assert isinstance(protocol.decode_event(last.encode()), protocol.Done), last
    return job


def layers_of(client: httpx.Client, job: str) -> list[tuple[protocol.Layer, bytes]]:
    """A job's layers with their bytes."""
    found = []
    for line in client.get(f"/jobs/{job}/events").text.splitlines():
        event = protocol.decode_event(line.encode()) if line else None
        if isinstance(event, protocol.Layer):
            found.append((event, client.get(f"/jobs/{job}/layers/{event.index}").content))
    return found


def save_file(client: httpx.Client, job: str, kind: str, views: dict[str, Any]) -> httpx.Response:
    order = {"job": job, "format": kind, "views": views}
    return client.post("/review/files", json=order)


@contextmanager
def review_backend(home: Path, program: str = SERVE) -> Iterator[ReviewBackend]:
    environment = environment_for(home, OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", "1"))
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        yield ReviewBackend(process, home, wait_for_runtime(home, process, PATIENCE_SECONDS))
    finally:
        process.terminate()
        process.wait()
