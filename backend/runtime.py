"""What a running backend leaves on disk: where it is found, that it is the only one, its log."""

from __future__ import annotations

import errno
import faulthandler
import logging
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import IO

import psutil

from backend.errors import RestorationError
from models.registry import data_folder
from plugin.shared import protocol

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# 256 bits; nobody guesses it, and it changes with each start.
_TOKEN_BYTES = 32
# A predecessor that was asked to quit closes its connections first, which it gives one second.
_LOCK_WAIT_SECONDS = 2.0


class AlreadyRunningError(RestorationError):
    """Another backend of this user is running."""

    default_code = "already-running"


def run_folder() -> Path:
    """The folder for files of the running backend, made if need be and closed to other users.

    Raises:
        RestorationError: it cannot be made.
    """
    folder = data_folder() / "run"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise RestorationError(
            f"The folder {folder} cannot be used ({error.strerror}): make it writable for you, "
            "then try again.",
            code="run-folder",
        ) from error
    return folder


@contextmanager
def home_explained() -> Iterator[None]:
    """Say what to do where a user has no home folder, as some services have not.

    Raises:
        RestorationError: it was looked for inside the context.
    """
    try:
        yield
    except RuntimeError as error:
        # pathlib has no type of its own for this.
        if _has_home():
            raise
        raise RestorationError(
            "Your home folder, in which weights and settings are kept, cannot be found: set HOME "
            "to a folder, and if RESTORE_OLD_PHOTO_HOME is set, name a folder in full there.",
            code="no-home",
        ) from error


def _has_home() -> bool:
    try:
        Path.home()
        data_folder()
    except RuntimeError:
        return False
    return True


def log_file() -> Path:
    return data_folder() / "run" / "backend.log"


def runtime_file() -> Path:
    return data_folder() / "run" / "runtime.json"


def version() -> str:
    """The installed version; "unknown" in a checkout that is not installed."""
    try:
        return metadata.version("restore-old-photo")
    except metadata.PackageNotFoundError:
        return "unknown"


def new_runtime(port: int) -> protocol.Runtime:
    """This process, listening on `port`, with a fresh token."""
    return protocol.Runtime(
        pid=os.getpid(),
        started=time.time(),
        port=port,
        token=secrets.token_urlsafe(_TOKEN_BYTES),
        protocol=protocol.PROTOCOL,
        version=version(),
    )


def publish(runtime: protocol.Runtime) -> None:
    """Write runtime.json, whole or not at all, readable by this user alone."""
    target = runtime_file()
    temporary = target.with_suffix(f".{runtime.pid}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(protocol.encode_runtime(runtime))
    temporary.replace(target)


def withdraw(runtime: protocol.Runtime) -> None:
    """Remove runtime.json if it is still `runtime`'s."""
    try:
        if protocol.decode_runtime(runtime_file().read_bytes()) == runtime:
            runtime_file().unlink()
    except (OSError, protocol.ProtocolError):
        # It is gone, or it belongs to somebody else.
        return


@contextmanager
def only_server() -> Iterator[None]:
    """Hold the lock that one backend of this user can hold; it ends with the process.

    Raises:
        AlreadyRunningError: another one has it.
    """
    with (run_folder() / "serve.lock").open("ab") as file:
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while not try_lock(file):
            if time.monotonic() > deadline:
                raise AlreadyRunningError(
                    "The restoration program is running already: use it, or end it first."
                )
            time.sleep(0.05)
        yield


_CANNOT_LOCK = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def try_lock(file: IO[bytes]) -> bool:
    """Take the lock of an open file, which ends with the process; false when another has it.

    Some network disks cannot lock; there it counts as free, since nobody can have locked it.
    """
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _CANNOT_LOCK
    return True


class WatchedProcess:
    """A process whose end is waited for; another one that gets its number later does not count."""

    def __init__(self, pid: int) -> None:
        try:
            self._process: psutil.Process | None = psutil.Process(pid)
        except psutil.Error:
            self._process = None

    def is_gone(self) -> bool:
        if self._process is None:
            return True
        try:
            return not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            # What may not be looked at is there.
            return False


def log_to_file() -> None:
    """Send the log to backend.log, and to a terminal where there is one."""
    if sys.stderr is not None:
        # A crash in native code would leave no other trace.
        faulthandler.enable()
    descriptor = os.open(log_file(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.close(descriptor)
    handlers: list[logging.Handler] = [logging.FileHandler(log_file(), encoding="utf-8")]
    if sys.stderr is not None and sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    # The pid tells apart what several backends wrote into one file.
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
        handlers=handlers,
        force=True,
    )
