"""Who may use the server: programs of this user that know the token, and no web page."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

from plugin.shared import protocol

HOST = "127.0.0.1"

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
    """Lets requests pass that carry the token and come from a program on this machine."""

    def __init__(self, app: App, facts: protocol.Runtime, touch: Callable[[], None]) -> None:
        self._app = app
        self._hosts = {f"{name}:{facts.port}".encode() for name in (HOST, "localhost")}
        self._authorization = f"Bearer {facts.token}".encode()
        self._touch = touch

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope["headers"])
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self._touch()
        await self._app(scope, receive, send)

    def _refusal(self, headers: list[tuple[bytes, bytes]]) -> JSONResponse | None:
        values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            values.setdefault(name.lower(), []).append(value)
        if b"origin" in values:
            return error_answer(403, "origin", "Web pages may not use this server.")
        hosts = values.get(b"host", [])
        # Another name for this machine means that a web page had it resolved to 127.0.0.1.
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return error_answer(403, "host", "This server answers to 127.0.0.1 and localhost only.")
        given = values.get(b"authorization", [b""])[0]
        if not secrets.compare_digest(given, self._authorization):
            return error_answer(
                401, "token", "The token is missing or wrong: read runtime.json again."
            )
        return None
