"""The files of the review page, with the headers that keep strangers out of it."""

from __future__ import annotations

import re
from importlib.resources import files

from fastapi.responses import Response

from backend.errors import RestorationError

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
HEADERS = {
    # Nothing from elsewhere, nothing inline, and in nobody's frame.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Photos do not belong into a browser's cache, and after an update the page must be the new one.
    "Cache-Control": "no-store",
}


# No separator or drive of any system, nothing hidden, and never too long for one.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}")


class UnknownAssetError(RestorationError):
    """The page has no such file."""

    default_code = "unknown-asset"


def read_asset(path: str) -> Response:
    """One file of the page.

    Raises:
        UnknownAssetError: there is none of this name.
    """
    parts = path.split("/")
    suffix = "." + parts[-1].rpartition(".")[2]
    is_plain = all(_PLAIN_NAME.fullmatch(part) for part in parts)
    file = files("backend.review").joinpath("page", *parts if is_plain else ())
    if suffix not in MEDIA_TYPES or not file.is_file():
        raise UnknownAssetError("The page has no such file.")
    return Response(file.read_bytes(), media_type=MEDIA_TYPES[suffix])
