"""A package index on this machine: slow, cut short or broken where a test wants it so."""

from __future__ import annotations

import hashlib
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

_BLOCK_BYTES = 64 * 1024


class IndexSite(ThreadingHTTPServer):
    """Serves a folder of wheels, each with its description apart as the usual index does.

    Attributes:
        bytes_per_second: of each download; None for no limit.
        cut_after_bytes: where each download of a large file breaks off, once; None for nowhere.
        is_damaging: whether the last byte of each wheel is another than announced.
        has_descriptions: whether pip can read what a wheel needs without fetching it.
        ranges: what the Range headers of downloads asked for.
    """

    daemon_threads = True

    def __init__(self, wheels: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheels = wheels
        self.bytes_per_second: float | None = None
        self.cut_after_bytes: int | None = None
        self.is_damaging = False
        self.has_descriptions = True
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/simple"


@contextmanager
def serve_index(wheels: Path) -> Iterator[IndexSite]:
    """The index, until the block ends."""
    with IndexSite(wheels) as site:
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: IndexSite

    def do_GET(self) -> None:
        parts = unquote(self.path).strip("/").split("/")
        if parts[0] == "simple" and len(parts) == 2:
            self._answer(self._page(parts[1]).encode(), "text/html")
        elif parts[0] == "files" and parts[1].endswith(".metadata"):
            wheel = self.server.wheels / parts[1].removesuffix(".metadata")
            self._answer(description_of(wheel), "text/plain")
        elif parts[0] == "files" and (self.server.wheels / parts[1]).is_file():
            self._send_wheel(self.server.wheels / parts[1])
        else:
            self.send_error(404)

    def _page(self, project: str) -> str:
        links = []
        for wheel in sorted(self.server.wheels.glob("*.whl")):
            if re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower() == project:
                described = hashlib.sha256(description_of(wheel)).hexdigest()
                whole = hashlib.sha256(wheel.read_bytes()).hexdigest()
                apart = f'data-core-metadata="sha256={described}"'
                links.append(
                    f'<a href="/files/{wheel.name}#sha256={whole}" '
                    f"{apart if self.server.has_descriptions else ''}>{wheel.name}</a>"
                )
        return "<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>"

    def _send_wheel(self, wheel: Path) -> None:
        content = wheel.read_bytes()
        if self.server.is_damaging:
            content = content[:-1] + b"?"
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            size = len(content)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        cut = self.server.cut_after_bytes
        if cut is not None and end > cut:
            self.server.cut_after_bytes = None
            end = start + cut
        for place in range(start, end, _BLOCK_BYTES):
            block = content[place : min(place + _BLOCK_BYTES, end)]
            try:
                self.wfile.write(block)
            except ConnectionError:
                return
            if self.server.bytes_per_second is not None:
                time.sleep(len(block) / self.server.bytes_per_second)
        self.close_connection = True

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """pytest shows enough."""


def description_of(wheel: Path) -> bytes:
    """The METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)
