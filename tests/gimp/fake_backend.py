"""A backend without networks: it speaks the real wire and paints results that a test can predict.

It remembers what it was sent and whether a job was cancelled, and can be told to stall or fail.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plugin.shared import protocol
from plugin.shared.messages import RequestHeader

Array = npt.NDArray[Any]
TOKEN_BYTES = 32
# The face is painted here, as shares of the picture's size: left, top, right, bottom.
FACE = (0.25, 0.2, 0.75, 0.7)


@dataclass
class Job:
    """What came in, what goes out."""

    header: RequestHeader
    pixels: Array
    mask: Array | None
    layers: list[tuple[dict[str, Any], Array, Array | None]] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)


class FakeBackend:
    """A server on a port of its own, in threads of this process.

    Attributes:
        jobs: all that were sent, oldest first.
        stall_at: a stage at which jobs stay until they are cancelled; None never stalls.
        fail: a sentence with which jobs fail; None lets them succeed.
        fail_code: what goes with it; as do fail_parameters.
        faces: how many faces are "found".
    """

    def __init__(self) -> None:
        self.token = secrets.token_hex(TOKEN_BYTES)
        self.reset()
        backend = self

        class Handler(_Handler):
            owner = backend

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        self.jobs: list[Job] = []
        self.stall_at: str | None = None
        self.fail: str | None = None
        self.fail_code = "x"
        self.fail_parameters: dict[str, Any] = {}
        self.faces = 1
        self.notes: list[tuple[str, str]] = []
        self.delay_seconds = 0.0

    @property
    def last(self) -> Job:
        return self.jobs[-1]

    def publish(self, home: Path) -> None:
        """Write runtime.json below a data folder, as a real backend does."""
        folder = home / "run"
        folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        record = {
            "pid": os.getpid(),
            "started": time.time(),
            "port": self.server.server_address[1],
            "token": self.token,
            "protocol": protocol.PROTOCOL,
            "version": "0.1.0",
        }
        (folder / "runtime.json").write_text(json.dumps(record))
        (folder / "runtime.json").chmod(0o600)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def work(self, job: Job) -> Iterator[dict[str, Any]]:
        """The job's events; layers are painted before they are told."""
        options = job.header.options
        mask = found_damage(job)
        for number, stage in enumerate(protocol.STAGES):
            yield {"event": "progress", "stage": stage, "fraction": 0.0, "overall": number / 5}
            time.sleep(self.delay_seconds)
            while self.stall_at == stage and not job.cancelled.is_set():
                yield {}
            if job.cancelled.is_set():
                yield {"event": "cancelled"}
                return
            if self.fail:
                yield {
                    "event": "failed",
                    "code": self.fail_code,
                    "message": self.fail,
                    "parameters": self.fail_parameters,
                }
                return
            if stage == "scratches" and mask is not None:
                yield self.add(job, "mask", "Scratch mask", (0, 0), mask[..., None], None)
            if stage == "restoration" and options.whole_picture:
                yield self.add(job, "restored", "Restored", (0, 0), restored(job), None)
            if stage == "restoration" and options.repair_scratches and mask is not None:
                yield self.add(job, "repair", "Scratch repair", (0, 0), repaired(job), mask)
            if stage == "blending" and options.enhance_faces:
                for index in range(self.faces):
                    corner, colours, feather = face(job, index)
                    yield self.add(job, "face", f"Face {index + 1}", corner, colours, feather)
        for code, message in self.notes:
            yield {"event": "note", "code": code, "message": message, "parameters": {}}
        yield {"event": "done", "seconds": {"scratches": 0.25}, "model": "fake"}

    @staticmethod
    def add(
        job: Job, kind: str, name: str, corner: tuple[int, int], colours: Array, mask: Array | None
    ) -> dict[str, Any]:
        height, width, channels = colours.shape
        described = {
            "event": "layer",
            "index": len(job.layers),
            "kind": kind,
            "name": name,
            "x": corner[0],
            "y": corner[1],
            "width": width,
            "height": height,
            "channels": channels,
            "depth": colours.dtype.itemsize * 8,
            "has_mask": mask is not None,
        }
        job.layers.append((described, colours, mask))
        return described


def colours_of(job: Job) -> Array:
    """The picture without its alpha."""
    channels = job.header.channels
    return job.pixels[..., : channels - 1] if channels in (2, 4) else job.pixels


def found_damage(job: Job) -> Array | None:
    """The mask that was sent, joined with a "detected" vertical scratch; None to leave all."""
    options = job.header.options
    if options.scratches == "none":
        return None
    mask = np.zeros(job.pixels.shape[:2], np.uint8) if job.mask is None else job.mask.copy()
    if options.scratches == "automatic":
        mask[:, mask.shape[1] // 2] = 200
    return mask


def restored(job: Job) -> Array:
    """The negative."""
    colours = colours_of(job)
    return np.iinfo(colours.dtype).max - colours


def repaired(job: Job) -> Array:
    """The picture at half its brightness."""
    return colours_of(job) // 2


def face(job: Job, index: int) -> tuple[tuple[int, int], Array, Array]:
    """A patch of noise with a noisy mask, the same for the same picture."""
    height, width = job.pixels.shape[:2]
    x0, y0, x1, y1 = (int(s * n) for s, n in zip(FACE, (width, height, width, height), strict=True))
    random = np.random.default_rng(index)
    colours = colours_of(job)
    size = (y1 - y0, x1 - x0)
    values = random.integers(0, np.iinfo(colours.dtype).max, (*size, colours.shape[2]))
    feather = random.integers(0, 256, size).astype(np.uint8)
    return (x0, y0), values.astype(colours.dtype), feather


def composite(job: Job) -> Array:
    """What the layers show over the source, in [0, 1]."""
    top = float(np.iinfo(job.pixels.dtype).max)
    picture = colours_of(job).astype(np.float64) / top
    order = {"repair": 0, "restored": 1, "face": 2}
    seen = [layer for layer in job.layers if layer[0]["kind"] in order]
    for described, colours, mask in sorted(seen, key=lambda layer: order[layer[0]["kind"]]):
        rows = slice(described["y"], described["y"] + described["height"])
        columns = slice(described["x"], described["x"] + described["width"])
        share = 1.0 if mask is None else mask[..., None] / 255.0
        below = picture[rows, columns]
        picture[rows, columns] = below + (colours / top - below) * share
    return picture


def main(home: Path, stall_at: str) -> None:
    """Serve until killed: a process of its own for the tests that kill it."""
    backend = FakeBackend()
    backend.stall_at = stall_at
    backend.publish(home)
    while True:
        time.sleep(1)
        # Nobody is left to kill it.
        if os.getppid() == 1:
            return


class _Handler(BaseHTTPRequestHandler):
    owner: FakeBackend
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if self.headers.get("Authorization") != f"Bearer {self.owner.token}":
            self.answer(401, b"{}")
        elif parts == ["health"]:
            facts = {"status": "ready", "version": "0.1.0", "protocol": protocol.PROTOCOL}
            self.answer(200, json.dumps({**facts, "pid": os.getpid(), "detail": ""}).encode())
        elif parts[2] == "layers":
            _, colours, mask = self.owner.jobs[int(parts[1])].layers[int(parts[3])]
            self.answer(200, colours.tobytes() + (b"" if mask is None else mask.tobytes()))
        else:
            self.stream(self.owner.jobs[int(parts[1])])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        header, pixels, mask = protocol.decode_request(body)
        shape = (header.height, header.width)
        order = "<" if header.byte_order == "little" else ">"
        kind = "u1" if header.depth == 8 else order + "u2"
        colours = np.frombuffer(pixels, kind).reshape(*shape, header.channels)
        damage = None if mask is None else np.frombuffer(mask, np.uint8).reshape(shape)
        self.owner.jobs.append(Job(header, colours, damage))
        self.answer(201, json.dumps({"id": str(len(self.owner.jobs) - 1)}).encode())

    def do_DELETE(self) -> None:
        self.owner.jobs[int(self.path.split("/")[2])].cancelled.set()
        self.answer(200, b"{}")

    def stream(self, job: Job) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", protocol.EVENT_TYPE)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for event in self.owner.work(job):
                line = json.dumps(event).encode() if event else b""
                self.wfile.write(line + b"\n")
                self.wfile.flush()
                if not event:
                    time.sleep(0.05)
        except OSError:
            job.cancelled.set()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
