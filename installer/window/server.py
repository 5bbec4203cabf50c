"""Serves the window's page on this machine's loopback, to one browser alone.

Other pages in the same browser, and other users of the machine, can reach 127.0.0.1 as well. So
the address that is opened carries a key in its fragment, which browsers keep to themselves; the
page exchanges it, once, for a token that it sends with each request. Requests with a foreign Host
(a name that was made to lead here) or Origin (another page) are refused.
"""

from __future__ import annotations

import hmac
import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from installer.errors import InstallationError
from installer.messages import languages
from installer.window.language import accepted_languages, catalogue_for, choose_language
from installer.window.session import TASKS, Session

HOST: Final = "127.0.0.1"
# 256 bits; nobody guesses it, and it changes with each start.
_TOKEN_BYTES = 32
_LARGEST_BODY_BYTES = 64 * 1024
# How long an answer waits for a change.
_WAIT_SECONDS = 4.0
# A page that was closed says so; one that is loaded anew does, too, but asks again.
_RETURN_SECONDS = 6.0
# One that says nothing any more is gone: a computer that sleeps stops this clock as well.
_SILENCE_SECONDS = 90.0
# A browser may ask its user something first.
_START_SECONDS = 600.0

_HERE = Path(__file__).resolve().parent
_FILES: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in ("elements", "page", "plan", "progress", "result", "server", "words")
    },
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class WindowServer(ThreadingHTTPServer):
    """The server; it listens from its creation on.

    Args:
        session: what the page shows and starts.
    """

    daemon_threads = True

    def __init__(self, session: Session) -> None:
        super().__init__((HOST, 0), _Handler)
        self.session = session
        self.port = int(self.server_address[1])
        self._key: str | None = secrets.token_urlsafe(_TOKEN_BYTES)
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._lock = threading.Lock()
        self._ends_at = time.monotonic() + _START_SECONDS
        self.address = self.address_for([])

    def address_for(self, languages: Sequence[str]) -> str:
        """The address for a user of these languages, the best first; without any it is the
        browser that knows them."""
        query = urlencode([("language", tag) for tag in languages])
        return f"http://{HOST}:{self.port}/{'?' if query else ''}{query}#{self._key}"

    def exchange(self, key: str) -> str | None:
        """The token for the key of the address; the key is of use once."""
        with self._lock:
            if self._key is None or not hmac.compare_digest(self._key.encode(), key.encode()):
                return None
            self._key = None
            return self._token

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(self._token.encode(), text.encode())

    def heard(self, silence_seconds: float = _SILENCE_SECONDS) -> None:
        """The page gave a sign of life; the next one must come before the time is up."""
        with self._lock:
            self._ends_at = time.monotonic() + silence_seconds

    def handle_error(self, *arguments: Any) -> None:
        """A page that was closed in the middle of a request is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*arguments)

    def serve_until_closed(self, is_closed: Callable[[], bool] = lambda: False) -> None:
        """Serve until the page is gone and no task is in progress.

        Args:
            is_closed: asked several times a second; true ends the wait for the page.
        """
        threading.Thread(target=self.serve_forever, daemon=True).start()
        try:
            while not is_closed() and (time.monotonic() < self._ends_at or self.session.is_busy):
                time.sleep(0.2)
            self.session.join()
        finally:
            self.shutdown()
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A connection that is kept open without a request.
    timeout = 60

    server: WindowServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if not self._is_own():
            return
        if url.path in _FILES:
            name, kind = _FILES[url.path]
            self._answer(HTTPStatus.OK, (_HERE / name).read_bytes(), kind)
        elif url.path == "/catalogue.json":
            self._tell_catalogue(parse_qs(url.query))
        elif url.path == "/state" and self._is_allowed():
            self._tell_state(parse_qs(url.query))
        elif url.path.startswith("/example/") and self._is_allowed():
            self._send_picture(url.path.removeprefix("/example/"))
        elif url.path != "/state" and not url.path.startswith("/example/"):
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _tell_catalogue(self, query: dict[str, list[str]]) -> None:
        # What the user chose, or the system says, comes before what the browser would like.
        wanted = query.get("language", [])
        wanted += accepted_languages(self.headers.get("Accept-Language", ""))
        self._answer_json(catalogue_for(choose_language(wanted, languages())))

    def _send_picture(self, which: str) -> None:
        path = self.server.session.picture(which)
        if path is None:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such picture.")
        else:
            self._answer(HTTPStatus.OK, path.read_bytes(), "image/png")

    def _tell_state(self, query: dict[str, list[str]]) -> None:
        try:
            seen, line = (int(query[name][0]) for name in ("seen", "line"))
        except (KeyError, ValueError):
            self._refuse(HTTPStatus.BAD_REQUEST, "The request names no state and line.")
            return
        self.server.heard()
        self._answer_json(self.server.session.wait(seen, max(line, 0), _WAIT_SECONDS))

    def do_POST(self) -> None:
        body = self._read_body()
        if body is None or not self._is_own():
            return
        if self.path == "/session":
            token = self.server.exchange(str(body.get("key", "")))
            if token is None:
                self._refuse(HTTPStatus.FORBIDDEN, "This address was used already.")
            else:
                self.server.heard()
                self._answer_json({"token": token})
        elif self._is_allowed():
            self._act(body)

    def _act(self, body: dict[str, Any]) -> None:
        session = self.server.session
        self.server.heard()
        if self.path == "/start" and body.get("task") in TASKS:
            profiles = body.get("profiles", [])
            try:
                session.start(body["task"], [str(folder) for folder in profiles])
            except InstallationError as error:
                self._refuse(HTTPStatus.CONFLICT, str(error), error.message.facts())
                return
        elif self.path == "/stop":
            session.stop()
        elif self.path == "/look":
            session.look()
        elif self.path == "/review":
            session.open_review()
        elif self.path == "/bye":
            self.server.heard(_RETURN_SECONDS)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such request.")
            return
        self._answer_json({})

    def _is_own(self) -> bool:
        hosts = [f"{name}:{self.server.port}" for name in (HOST, "localhost")]
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts:
            self._refuse(HTTPStatus.FORBIDDEN, "This address does not lead here.")
            return False
        if origin is not None and origin not in [f"http://{host}" for host in hosts]:
            self._refuse(HTTPStatus.FORBIDDEN, "Other pages may not ask this.")
            return False
        return True

    def _is_allowed(self) -> bool:
        words = self.headers.get("Authorization", "").split(" ")
        if len(words) == 2 and words[0] == "Bearer" and self.server.is_token(words[1]):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "Only the page that the installer opened may ask this.")
        return False

    def _read_body(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST_BODY_BYTES:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
            return None
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._refuse(HTTPStatus.BAD_REQUEST, "The request is no JSON object.")
            return None
        return body

    def _refuse(
        self, status: HTTPStatus, sentence: str, facts: dict[str, Any] | None = None
    ) -> None:
        # Only what a user can bring about is worded in the user's language.
        answer = {"error": sentence, "message": facts}
        self._answer(status, json.dumps(answer).encode(), "application/json")

    def _answer_json(self, facts: dict[str, Any]) -> None:
        self._answer(HTTPStatus.OK, json.dumps(facts).encode(), "application/json")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        charset = "" if kind.startswith("image/") else "; charset=utf-8"
        self.send_header("Content-Type", kind + charset)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            # The page was closed while it waited.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Requests are of no interest; the terminal shows the log of the installation."""
