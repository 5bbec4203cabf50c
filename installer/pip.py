"""The environment's pip: called, watched, and its failures put into words."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from installer.errors import InstallationError
from installer.messages import Bytes, Message, message, reason_of
from installer.processes import CommandError, clean_environment, run_logged
from installer.report import Report, Transfer

FILL_COMMAND = "python3 -m installer --fill-offline FOLDER"

_DOWNLOAD = re.compile(r"\s*Downloading (?P<what>\S+) \((?P<size>[\d.]+ [kMG]?B)\)")
_PROGRESS = re.compile(r"Progress (?P<done>\d+) of (?P<total>\d+)")
_MISSING = re.compile(r"No matching distribution found for (?P<what>[\w.-]+)")
# Smaller files come and go faster than anybody reads.
_WORTH_SAYING = re.compile(r"[\d.]+ [MG]B")

_NO_NETWORK = (
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|Network is unreachable"
    r"|Name or service not known|Temporary failure in name resolution|Connection refused"
    r"|ProtocolError|IncompleteRead|Connection broken|ProxyError|Proxy Authentication Required"
)
_CAUSES = (
    (r"No space left on device", message("cause.no-space")),
    (r"CERTIFICATE_VERIFY_FAILED|SSLError", message("cause.certificate")),
    (_NO_NETWORK, message("cause.no-network")),
    (r"THESE PACKAGES DO NOT MATCH THE HASHES", message("cause.damaged")),
    (r"Permission denied|Read-only file system", message("cause.not-writable")),
    (r"No matching distribution found|Could not find a version", message("cause.no-build")),
)


class Pip:
    """pip of one environment.

    Args:
        python: the environment's interpreter.
        log: file that receives everything pip prints.
        report: receives what the user should see.
        scratch: folder for temporary files; the system's may be too small for torch.
        offline: folder of wheels to take packages from, instead of a package index.
        cache: folder for what pip keeps between two runs; None takes the user's. One of our own
            goes when all is done, and lies on the disk whose space is checked.
    """

    def __init__(
        self,
        python: Path,
        log: Path,
        report: Report,
        scratch: Path,
        offline: Path | None = None,
        cache: Path | None = None,
    ) -> None:
        self.python = python
        self._log = log
        self._report = report
        self._scratch = scratch
        self.offline = offline
        self._cache = cache
        self._name = ""

    def run(self, arguments: Sequence[str], what: Message, has_bar: bool = False) -> str:
        """Run a command of pip; returns what it printed.

        Args:
            arguments: the command and its options.
            what: begins the sentence that tells of a failure: one of the catalogues' tasks.
            has_bar: this command downloads, and this pip can tell how far it is.

        Raises:
            InstallationError: pip failed, with the likely reason.
            StoppedError: the user stopped it.
        """
        command = [str(self.python), "-m", "pip", *arguments]
        if has_bar:
            command += ["--progress-bar", "raw"]
        if self.offline is not None:
            command += ["--no-index", "--find-links", str(self.offline)]
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            return run_logged(
                command, self._log, self._hear, self._report.stop, variables=self._variables()
            )
        except CommandError as error:
            raise InstallationError(
                "error.pip", task=what, cause=self._cause(error.output), log=self._log
            ) from error
        except OSError as error:
            raise InstallationError(
                "error.pip-not-started",
                task=what,
                path=str(error.filename or self.python),
                reason=reason_of(error),
            ) from error
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _variables(self) -> dict[str, str]:
        variables = clean_environment()
        if self.offline is not None:
            # Settings of pip could name indexes and folders beside the one that the user chose.
            variables = {k: v for k, v in variables.items() if not k.startswith("PIP_")}
            variables |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INPUT": "1"}
        if self._cache is not None:
            variables.setdefault("PIP_CACHE_DIR", str(self._cache))
        return {**variables, "TMPDIR": str(self._scratch), "TEMP": str(self._scratch)}

    def _hear(self, line: str) -> None:
        if found := _PROGRESS.match(line):
            transfer = Transfer(self._name, int(found["done"]), int(found["total"]))
            self._report.transfer(transfer)
        elif found := _DOWNLOAD.match(line):
            self._name = found["what"].rsplit("/", 1)[-1]
            if _WORTH_SAYING.fullmatch(found["size"]):
                self._report.detail(
                    message("log.downloading", name=self._name, size=_bytes_of(found["size"]))
                )
        elif line.startswith("Installing collected packages"):
            self._report.end_transfers()
            self._report.detail(message("log.unpacking"))

    def _cause(self, output: str) -> Message:
        missing = _MISSING.search(output)
        if self.offline is not None and missing is not None:
            return message(
                "cause.not-in-folder",
                folder=self.offline,
                package=missing["what"],
                platform=this_platform(),
                command=FILL_COMMAND,
            )
        proxy = getproxies().get("https")
        if proxy is not None and re.search(_NO_NETWORK, output):
            # The address may hold a password.
            host = urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname or proxy
            return message("cause.proxy", host=host)
        for pattern, cause in _CAUSES:
            if re.search(pattern, output):
                return cause
        lines = [line for line in output.splitlines() if line.startswith("ERROR:")]
        return message("cause.other", line=lines[-1]) if lines else message("cause.unknown")


def has_no_build(error: InstallationError) -> bool:
    """Whether pip failed because the index, which it reached, has no fitting version."""
    cause = error.__cause__
    # pip says so without a network, too.
    return (
        isinstance(cause, CommandError)
        and "No matching distribution" in cause.output
        and re.search(_NO_NETWORK, cause.output) is None
    )


def this_platform() -> str:
    """What wheels are made for: "Python 3.11, Linux x86_64"."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"Python {version}, {platform.system()} {platform.machine()}"


def _bytes_of(size: str) -> Bytes:
    """The number in pip's "190.1 MB"."""
    value, unit = size.split()
    return Bytes(round(float(value) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]))
