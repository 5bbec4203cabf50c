"""A web server on this machine that plays the download sites, with all their faults."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """A file on the site, and how it is served.

    Attributes:
        body: all its bytes.
        has_ranges: whether pieces are served.
        cuts: after so many bytes of the first, second ... answer the connection is cut.
        status: instead of 200.
        redirect: another address, instead of the bytes.
        says_length: whether Content-Length is sent.
        pause_seconds: between pieces of `pause_bytes`.
        stalls: so many answers stop in the middle, and hold the connection.
        offset: the bytes served begin so much later than they should.
    """

    body: bytes = b""
    has_ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    status: int = 200
    redirect: str = ""
    says_length: bool = True
    pause_seconds: float = 0.0
    pause_bytes: int = 4096
    stalls: int = 0
    offset: int = 0


class Site:
    """The server; `asked` has method, address and Range header of each request."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str]] = []
        self.sent_bytes = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._closing = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.asked.append((request.path, wanted))
        # A client that uses this site as its proxy asks for whole addresses.
        path = re.sub(r"^http://[^/]+", "", request.path)
        page = self.pages.get(path, Page(status=404))
        if page.redirect or page.status != 200:
            request.send_response(302 if page.redirect else page.status)
            if page.redirect:
                request.send_header("Location", page.redirect)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        start, end = piece_of(wanted, len(page.body)) if page.has_ranges else (0, len(page.body))
        if start >= end:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(page.body)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        self._send_head(request, page, start, end, bool(wanted))
        self._send(request, page, start, end)

    def _send_head(
        self, request: BaseHTTPRequestHandler, page: Page, start: int, end: int, partial: bool
    ) -> None:
        is_partial = partial and page.has_ranges
        request.send_response(206 if is_partial else 200)
        if is_partial:
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(page.body)}")
        if page.says_length:
            request.send_header("Content-Length", str(end - start))
        else:
            request.send_header("Connection", "close")
        request.end_headers()

    def _send(self, request: BaseHTTPRequestHandler, page: Page, start: int, end: int) -> None:
        cut = page.cuts.pop(0) if page.cuts else None
        body = page.body[start + page.offset : end + page.offset]
        if cut is not None:
            body = body[:cut]
        stalls, page.stalls = page.stalls > 0, max(0, page.stalls - 1)
        step = page.pause_bytes if page.pause_seconds or stalls else len(body) or 1
        try:
            for position in range(0, len(body), step):
                request.wfile.write(body[position : position + step])
                self.sent_bytes += len(body[position : position + step])
                if stalls:
                    self._closing.wait(20)
                    break
                time.sleep(page.pause_seconds)
        except OSError:  # the client has gone
            pass
        if cut is not None or stalls or not page.says_length:
            request.close_connection = True


def piece_of(wanted: str, length: int) -> tuple[int, int]:
    """First and behind the last byte of a Range header."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
    if found is None:
        return 0, length
    first, last = found.groups()
    if not first:
        return max(0, length - int(last)), length
    return int(first), min(length, int(last) + 1) if last else length


@contextmanager
def running_site() -> Iterator[Site]:
    site = Site()
    try:
        yield site
    finally:
        site.close()
