"""Who may use the server: programs of this user that know the token, and our own page."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

from starlette.responses import JSONResponse

from backend.review.assets import HEADERS
from plugin.shared import protocol

HOST = "127.0.0.1"
PAGE = "/review/"
# The page's own files say nothing; a session is opened with a ticket, and a file fetched with a
# secret of its own, since a browser sends no key with a download.
OPEN_METHODS = {"/review/session": "POST", "/review/files/": "GET"}
LONGEST_OPEN_BODY = 1024
ASSET_SUFFIXES = (PAGE, ".html", ".css", ".js", ".json", ".svg")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any]


def error_answer(
    status: int, code: str, message: str, parameters: Mapping[str, str | int | float] | None = None
) -> JSONResponse:
    """An error as JSON; `message` is one sentence for the user, and names the parameters."""
    facts = {"code": code, "message": message, "parameters": dict(parameters or {})}
    return JSONResponse(facts, status)


class Guard:
    """Lets requests pass that carry the token, or a key from our page, and come from this machine.

    Args:
        app: who answers.
        facts: port and token.
        visit: the context in which each request that passes is answered.
        is_page_key: knows the keys of open pages.
    """

    def __init__(
        self,
        app: App,
        facts: protocol.Runtime,
        visit: Callable[[], AbstractContextManager[None]],
        is_page_key: Callable[[str], bool],
    ) -> None:
        self._app = app
        self._hosts = {f"{name}:{facts.port}".encode() for name in (HOST, "localhost")}
        self._authorization = f"Bearer {facts.token}".encode()
        self._visit = visit
        self._is_page_key = is_page_key

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope["method"], scope["path"], scope["headers"])
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        answer = _with_page_headers(send) if scope["path"].startswith(PAGE) else send
        with self._visit():
            await self._app(scope, receive, answer)

    def _refusal(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]]
    ) -> JSONResponse | None:
        values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            values.setdefault(name.lower(), []).append(value)
        given = values.get(b"authorization", [b""])[0]
        is_program = secrets.compare_digest(given, self._authorization)
        hosts = values.get(b"host", [])
        origins = values.get(b"origin", [])
        own = [b"http://" + host for host in hosts]
        if origins and (is_program or not path.startswith((PAGE, "/jobs/")) or origins != own):
            return error_answer(403, "origin", "Web pages may not use this server.")
        # Another name for this machine means that a web page had it resolved to 127.0.0.1.
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return error_answer(403, "host", "This server answers to 127.0.0.1 and localhost only.")
        if is_program or self._is_page(path, given):
            return None
        if _is_open(method, path):
            # Whoever needs no key must not fill the memory.
            if method == "GET" or _is_short(values):
                return None
            return error_answer(413, "length", "A session is opened with a short message.")
        return error_answer(401, "token", "The token is missing or wrong: read runtime.json again.")

    def _is_page(self, path: str, authorization: bytes) -> bool:
        key = authorization.removeprefix(b"Bearer ").decode("latin-1")
        return path.startswith((PAGE, "/jobs/")) and self._is_page_key(key)


def _is_open(method: str, path: str) -> bool:
    if path.startswith(PAGE) and path.endswith(ASSET_SUFFIXES):
        return method == "GET"
    return any(path.startswith(start) and method == OPEN_METHODS[start] for start in OPEN_METHODS)


def _is_short(headers: Mapping[bytes, list[bytes]]) -> bool:
    """Whether a request says of its body that it has a few bytes."""
    lengths = headers.get(b"content-length", [])
    return len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= LONGEST_OPEN_BODY


def _with_page_headers(send: Callable[[Message], Awaitable[None]]) -> Any:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *added]
        await send(message)

    return send_with_headers
