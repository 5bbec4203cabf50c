"""Fetch bytes over HTTP into a file, and go on where an earlier attempt stopped."""

from __future__ import annotations

import errno
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from backend.errors import DownloadError

BLOCK_BYTES: Final = 1 << 16
MAX_FILE_BYTES: Final = 4 << 30
"""More than any file that is fetched here; a server that never ends must not fill the disk."""


class SourceError(Exception):
    """This server cannot give the file; another one may. The message is part of a sentence."""


class NoRangesError(SourceError):
    """The server sends whole files only."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout_seconds: without a single byte until a connection counts as broken.
        attempts: in a row that bring no byte.
        pause_seconds: before the second attempt; it doubles with each.
    """

    timeout_seconds: float = 30.0
    attempts: int = 5
    pause_seconds: float = 1.0


class Meter(Protocol):
    """Hears how far one file is."""

    def begin(self, total_bytes: int | None, done_bytes: int) -> None: ...

    def advance(self, count: int) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Range:
    """Bytes of a remote file: from `start` on, `length` of them or all that follow."""

    start: int = 0
    length: int | None = None


@dataclass(frozen=True)
class _Answer:
    response: http.client.HTTPResponse
    is_partial: bool
    start: int
    length: int | None
    """Bytes that follow, where the server says so."""
    total: int | None
    """Bytes of the whole remote file, where the server says so."""


class _BrokenError(Exception):
    """The connection failed in a way that may pass."""


def download(
    url: str,
    part: Path,
    meter: Meter,
    patience: Patience,
    wanted: Range = Range(),
    check_size: Callable[[int], None] = lambda _: None,
) -> None:
    """Append to `part` until it holds the wanted bytes; it stays when that fails.

    Args:
        url: redirects are followed, and proxies taken from the environment.
        part: perhaps begun earlier, from the same place.
        meter: hears each block.
        patience: with slow and broken connections.
        wanted: all of the file, or a range of it.
        check_size: is told the size of the whole remote file, where it is known, before the
            first byte is stored; it may raise.

    Raises:
        NoRangesError: a range is wanted, but the server sends whole files only.
        SourceError: the server does not have it, or keeps failing.
        DownloadError: the disk is full or cannot be written.
    """
    failures = 0
    while True:
        before = _size(part)
        try:
            if _fetch_once(url, part, meter, patience, wanted, check_size):
                return
        except _BrokenError as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= patience.attempts:
                raise SourceError(f"{host_of(url)}: {error}") from error
            time.sleep(patience.pause_seconds * 2 ** (failures - 1))


def read_range(url: str, wanted: str, patience: Patience) -> tuple[bytes, int]:
    """A small piece of a remote file, and the size of the whole.

    Args:
        wanted: as in the header, for example "0-99", or "-100" for the last hundred.

    Raises:
        NoRangesError, SourceError: as `download`.
    """
    failures = 0
    while True:
        try:
            answer = _open(url, wanted, patience)
            with answer.response:
                if not answer.is_partial or answer.total is None:
                    raise NoRangesError(f"{host_of(url)} sends whole files only")
                data = _read(answer.response, min(answer.length or 0, MAX_FILE_BYTES))
            if len(data) != answer.length:
                raise _BrokenError("the connection was cut")
            return data, answer.total
        except _BrokenError as error:
            failures += 1
            if failures >= patience.attempts:
                raise SourceError(f"{host_of(url)}: {error}") from error
            time.sleep(patience.pause_seconds * 2 ** (failures - 1))


def host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc or url
    except ValueError:  # brackets without an address in them, for example
        return url


def _fetch_once(
    url: str,
    part: Path,
    meter: Meter,
    patience: Patience,
    wanted: Range,
    check_size: Callable[[int], None],
) -> bool:
    """One connection; true when the part is complete."""
    have = _size(part)
    if wanted.length is not None and have >= wanted.length:
        if have > wanted.length:
            part.unlink()
            return False
        return True
    is_piece = wanted.start > 0 or wanted.length is not None
    last = "" if wanted.length is None else str(wanted.start + wanted.length - 1)
    header = f"{wanted.start + have}-{last}" if is_piece or have else None
    answer = _open(url, header, patience)
    with answer.response:
        if answer.response.status == 416:  # nothing follows: it is whole, or of another file
            if have and have == answer.total:
                return True
            part.unlink(missing_ok=True)
            raise _BrokenError("the server refused to go on")
        if is_piece and not answer.is_partial:
            raise NoRangesError(f"{host_of(url)} sends whole files only")
        if answer.total is not None:
            check_size(answer.total)
        if have and answer.start != wanted.start + have:
            part.unlink()
            have = 0
        total = wanted.length
        if total is None and answer.length is not None:
            total = have + answer.length
        if total is not None and total > MAX_FILE_BYTES:
            raise SourceError(f"{host_of(url)} offers {total} bytes, more than any file here has")
        meter.begin(total, have)
        _store(answer.response, part, meter, None if total is None else total - have)
    if total is not None and _size(part) < total:
        raise _BrokenError("the connection was cut")
    return True


def _store(
    response: http.client.HTTPResponse, part: Path, meter: Meter, expected: int | None
) -> None:
    left = MAX_FILE_BYTES if expected is None else expected
    try:
        with part.open("ab") as file:
            while left > 0 and (block := _read(response, min(BLOCK_BYTES, left), whole=False)):
                file.write(block)
                meter.advance(len(block))
                left -= len(block)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(part, error) from error


def _read(response: http.client.HTTPResponse, count: int, *, whole: bool = True) -> bytes:
    try:
        # read1 hands out what has come, so that little is lost when the connection breaks.
        return response.read(count) if whole else response.read1(count)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_reason(error)) from error


def _open(url: str, wanted: str | None, patience: Patience) -> _Answer:
    headers = {"User-Agent": "restore-old-photo", "Accept-Encoding": "identity"}
    if wanted is not None:
        headers["Range"] = f"bytes={wanted}"
    try:
        # Built anew, because urllib keeps the proxies of its first call.
        response = urllib.request.build_opener().open(
            urllib.request.Request(url, headers=headers), timeout=patience.timeout_seconds
        )
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return _Answer(_as_response(error), True, -1, None, _range_of(error.headers)[1])
        error.close()
        if error.code in (408, 425, 429) or error.code >= 500:
            raise _BrokenError(f"the server answered {error.code}") from error
        raise SourceError(f"{host_of(url)} answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise SourceError(f"{url} is no address of a server") from error
        raise _BrokenError(_reason(error)) from error
    length = response.headers.get("Content-Length")
    count = int(length) if length is not None and length.isdigit() else None
    if response.status == 206:
        start, total = _range_of(response.headers)
        return _Answer(response, True, start, count, total)
    return _Answer(response, False, 0, count, count)


def _range_of(headers: Message) -> tuple[int, int | None]:
    """Where the bytes of an answer begin, and how many the whole file has."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", ""))
    if found is None:
        return -1, None
    start = int(found[1]) if found[1] else -1
    return start, int(found[2]) if found[2] != "*" else None


def _as_response(error: urllib.error.HTTPError) -> http.client.HTTPResponse:
    response: http.client.HTTPResponse = error  # type: ignore[assignment]  # it reads as one
    return response


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "the server did not answer in time"
    if isinstance(reason, http.client.IncompleteRead):
        return "the connection was cut"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def disk_error(path: Path, error: OSError) -> DownloadError:
    """The sentence for a file that cannot be written."""
    if error.errno == errno.ENOSPC:
        return DownloadError(
            f"The disk of {path.parent} is full: free some space and run the same command again; "
            "what has arrived is kept.",
            code="disk-full",
        )
    return DownloadError(
        f"{path} cannot be written ({error.strerror}): make its folder writable for you, then run "
        "the same command again."
    )
