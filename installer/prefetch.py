"""Fetch what pip is about to install, so that a broken download goes on where it stopped.

pip keeps whole files only: whoever loses the connection near the end of torch begins again. So pip
is asked which files it wants, and those come here first, checked against the sums pip gives. What
cannot be fetched here, pip fetches by itself, and its message counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from backend.downloads.transfer import Patience, SourceError, download
from backend.errors import DownloadError
from installer.errors import InstallationError
from installer.messages import Bytes, Message, message, reason_of
from installer.pip import Pip, has_no_build
from installer.report import Report, Transfer
from installer.sums import sha256_of

# Small files are not worth going on with.
_SMALLEST_BYTES = 1_000_000
_PATIENCE = Patience(timeout_seconds=30.0, attempts=4)
# pip's ways past a proxy or to a private index are pip's own.
_OWN_WAYS = re.compile(r"\.(proxy|cert|client-cert|trusted-host|keyring-provider)=")
# 22 kB, and needed anyway: torch needs Jinja, which needs this.
_SMALL_PACKAGE = "MarkupSafe"


class _Meter:
    """Hands the bytes of one file on to the report."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._done = 0
        self._total: int | None = None

    def begin(self, total_bytes: int | None, done_bytes: int) -> None:
        self._done, self._total = done_bytes, total_bytes
        if total_bytes is not None and total_bytes >= _SMALLEST_BYTES:
            code = "log.downloading-rest" if done_bytes else "log.downloading"
            sizes = {"size": Bytes(total_bytes), "done": Bytes(done_bytes)}
            self._report.detail(message(code, name=self._name, **sizes))

    def advance(self, count: int) -> None:
        self._done += count
        self._report.stop.check()
        self._report.transfer(Transfer(self._name, self._done, self._total))

    def end(self) -> None:
        """Nothing follows."""


def prefetch(
    pip: Pip, arguments: Sequence[str], what: Message, folder: Path, report: Report
) -> list[Path]:
    """Fetch the wheels that `pip install` with these arguments would download.

    Args:
        pip: asked what it would do.
        arguments: requirements and options.
        what: begins the sentence that tells of a failure.
        folder: keeps the wheels, whole ones and parts, from one run to the next.
        report: receives the progress.

    Returns:
        The wheels that are here now, whole and checked; none where pip has to do it.

    Raises:
        InstallationError: pip finds no way to install them, or the disk is full.
        StoppedError: the user stopped it.
    """
    if _OWN_WAYS.search(pip.run(["config", "list"], what)):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    if not _has_descriptions(pip, arguments, what):
        return []
    answer = folder / "wanted.json"
    command = ["install", "--dry-run", "--report", str(answer), *arguments]
    pip.run(command, what, has_bar=True)
    wheels = []
    try:
        for item in json.loads(answer.read_text(encoding="utf-8"))["install"]:
            wheel = _fetch(item["download_info"], folder, report)
            if wheel is not None:
                wheels.append(wheel)
    except SourceError as error:
        report.detail(message("log.pip-alone", reason=str(error)))
    except DownloadError as error:
        raise _not_stored(folder, error) from error
    return wheels


def _not_stored(folder: Path, error: DownloadError) -> InstallationError:
    cause = error.__cause__
    reason = reason_of(cause) if isinstance(cause, OSError) else str(error)
    return InstallationError("error.download-not-stored", folder=folder, reason=reason)


def _has_descriptions(pip: Pip, arguments: Sequence[str], what: Message) -> bool:
    """Whether the index describes its files apart from them.

    Where it does not, pip fetches each file whole to learn what it needs, and fetching it here as
    well would double the download.
    """
    options = list(arguments)
    index = options[options.index("--index-url") :] if "--index-url" in options else []
    command = ["install", "--dry-run", "--no-deps", "--ignore-installed", _SMALL_PACKAGE, *index]
    try:
        output = pip.run(command, what)
    except InstallationError as error:
        if not has_no_build(error):
            raise
        return True
    return re.search(r"(Downloading|Using cached) \S+\.whl \(", output) is None


def _fetch(facts: dict[str, object], folder: Path, report: Report) -> Path | None:
    url = str(facts["url"])
    name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    archive = facts.get("archive_info")
    hashes = archive.get("hashes", {}) if isinstance(archive, dict) else {}
    # An archive of sources pip has fetched already, to read what it needs.
    if not (url.startswith("http") and name.endswith(".whl") and "sha256" in hashes):
        return None
    wheel = folder / name
    if not wheel.exists():
        part = folder / f"{name}.part"
        download(url, part, _Meter(name, report), _PATIENCE)
        if sha256_of(part) != hashes["sha256"]:
            part.unlink()
            raise SourceError(f"{name} arrived damaged")
        part.replace(wheel)
    elif sha256_of(wheel) != hashes["sha256"]:
        wheel.unlink()
        return _fetch(facts, folder, report)
    return wheel
