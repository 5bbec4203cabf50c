"""Find the running backend, or start it: a process of its own that outlives the plug-in.

A plug-in lives for one run, and GIMP kills it when the user cancels, so nothing here relies on
being able to tidy up: locks end with their process, and what a file says is always checked.
"""

from __future__ import absolute_import, division, unicode_literals

import io
import os
import time

from . import protocol
from .client import Client
from .compat import monotonic, native_text, process_exists, start_detached, try_lock
from .errors import ConnectionLostError, RefusedError, StartError
from .installation import (
    clean_environment,
    find_installation,
    is_sandboxed,
    make_private_folder,
    open_log,
)
from .languages import N_
from .start_errors import ended_error, lock_error, refused_error, versions_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess  # noqa: F401

    # Named in type comments.
    from typing import Callable, Iterator, Mapping, Optional, Text, Tuple  # noqa: F401

    from .installation import Installation  # noqa: F401
    from .messages import Runtime  # noqa: F401

    OnWait = Callable[[float], None]

# A first start on a slow disk reads Python's libraries for the first time.
START_SECONDS = 60.0
QUIT_SECONDS = 10.0
POLL_SECONDS = 0.05
STILL_STARTING = N_(
    "The restoration program did not start in time, because another plug-in is still starting it: "
    "try again, or read the reason in {log}."
)
STILL_RUNNING = N_(
    "The restoration program did not start in time, because an older one does not end: try again, "
    "or read the reason in {log}."
)
NO_ANSWER = N_(
    "The restoration program was started but does not answer: try again, or read the reason in "
    "{log}."
)


def connect(
    script_folder, watch_pid, on_wait=None, environment=None, timeout_seconds=START_SECONDS
):
    # type: (Text, int, Optional[OnWait], Optional[Mapping[str, str]], float) -> Client
    """A client of the running backend, which is started when there is none.

    Args:
        script_folder: where the plug-in's script lies.
        watch_pid: GIMP's process; the backend ends after it.
        on_wait: called with the seconds waited, many times each second; what it raises ends
            the wait, and the backend goes on starting.
        environment: os.environ when None.
        timeout_seconds: for the start.

    Raises:
        NotInstalledError: there is no backend on this computer.
        StartError: it does not start, cannot be started from here, or is of another version.
    """
    environment = os.environ if environment is None else environment
    installation = find_installation(script_folder, environment)
    return connect_to(installation, watch_pid, environment, on_wait, timeout_seconds)


def connect_to(installation, watch_pid, environment, on_wait=None, timeout_seconds=START_SECONDS):
    # type: (Installation, Optional[int], Mapping[str, str], Optional[OnWait], float) -> Client
    """Like `connect`, of a known installation; watch_pid None lets the backend outlive everybody.

    Raises:
        StartError: it does not start, or cannot be started from here.
    """
    client = find_running(installation, environment)
    if client is not None:
        return client
    if is_sandboxed(environment):
        raise sandbox_error(installation)
    waits = _waits(timeout_seconds, on_wait)
    make_private_folder(installation.run_folder)
    # Two plug-ins may come here at once; the second finds what the first has started.
    with open_lock(os.path.join(installation.run_folder, "launch.lock")) as lock:
        while not try_lock(lock):
            _next(waits, installation, STILL_STARTING)
        client = find_running(installation, environment)
        if client is not None:
            return client
        retire(installation, waits)
        stale = read_runtime(installation)
        started = start(installation, watch_pid, environment)
        return _wait_until_running(installation, environment, started, waits, stale)


def open_lock(path):
    # type: (Text) -> io.BufferedWriter
    """A file to lock.

    Raises:
        StartError: it cannot be opened.
    """
    try:
        return io.open(path, "ab")
    except EnvironmentError as error:
        raise lock_error(path, error)


def find_running(installation, environment):
    # type: (Installation, Mapping[str, str]) -> Optional[Client]
    """A client of the backend that answers and speaks our protocol; None when there is none."""
    runtime = read_runtime(installation)
    if runtime is None or runtime.protocol != protocol.PROTOCOL:
        return None
    # A dead backend's port may belong to a stranger by now, who must not get the token. Sandboxes
    # count processes on their own, so there the token and the answer have to do.
    if not is_sandboxed(environment) and not process_exists(runtime.pid):
        return None
    client = Client(runtime.port, runtime.token, installation.log)
    try:
        health = client.health()
    except (ConnectionLostError, RefusedError):
        return None
    return client if health.protocol == protocol.PROTOCOL else None


def read_runtime(installation):
    # type: (Installation) -> Optional[Runtime]
    """What the running backend published; None when there is no file, or a damaged one."""
    try:
        with io.open(os.path.join(installation.run_folder, "runtime.json"), "rb") as file:
            return protocol.decode_runtime(file.read())
    except (EnvironmentError, protocol.ProtocolError):
        return None


def sandbox_error(installation):
    # type: (Installation) -> StartError
    """What to do where nothing can be started."""
    runtime = read_runtime(installation)
    if runtime is not None and runtime.protocol != protocol.PROTOCOL:
        try:
            Client(runtime.port, runtime.token, installation.log).health()
            return versions_error(runtime)
        except (ConnectionLostError, RefusedError):
            # It has ended, and left its file behind.
            pass
    return StartError(
        "This GIMP is a Flatpak or Snap, which cannot start the restoration program: open a "
        "terminal, run restore-old-photo serve (or {command}), and try again.",
        code="sandbox",
        command='"%s" -m backend serve' % installation.python,
    )


def retire(installation, waits):
    # type: (Installation, Iterator[float]) -> None
    """Ask a backend with another protocol to quit, and wait until it is gone.

    Raises:
        StartError: it stays.
    """
    runtime = read_runtime(installation)
    if runtime is None or runtime.protocol == protocol.PROTOCOL:
        return
    if not process_exists(runtime.pid):
        return
    deadline = monotonic() + QUIT_SECONDS
    while _answers(runtime, installation):
        if monotonic() > deadline:
            raise StartError(
                "An older restoration program (process {pid}) does not end: end it, then try "
                "again.",
                pid=runtime.pid,
            )
        _next(waits, installation, STILL_RUNNING)


def _answers(runtime, installation):
    # type: (Runtime, Installation) -> bool
    try:
        Client(runtime.port, runtime.token, installation.log).shutdown()
    except (ConnectionLostError, RefusedError):
        # It is gone, or it is none of ours; the new one will tell.
        return False
    return True


def start(installation, watch_pid, environment):
    # type: (Installation, Optional[int], Mapping[str, str]) -> Tuple[subprocess.Popen[bytes], int]
    """Start the backend, detached, with its output in the log.

    Returns:
        The process, and the length of the log before it.

    Raises:
        StartError: the system refuses.
    """
    command = [installation.python, "-m", "backend", "serve"]
    if watch_pid is not None:
        command += ["--watch-pid", "%d" % watch_pid]
    try:
        with open_log(installation.log) as log:
            length = os.fstat(log.fileno()).st_size
            process = start_detached(
                [native_text(word) for word in command],
                clean_environment(environment, installation.home),
                native_text(installation.home),
                log,
            )
            return process, length
    except EnvironmentError as error:
        raise refused_error(installation, error)


def _wait_until_running(
    installation,  # type: Installation
    environment,  # type: Mapping[str, str]
    started,  # type: Tuple[subprocess.Popen[bytes], int]
    waits,  # type: Iterator[float]
    stale,  # type: Optional[Runtime]
):
    # type: (...) -> Client
    process, log_length = started
    while True:
        client = find_running(installation, environment)
        if client is not None:
            return client
        runtime = read_runtime(installation)
        if runtime not in (None, stale) and runtime.protocol != protocol.PROTOCOL:
            raise versions_error(runtime)
        code = process.poll()
        if code is not None:
            raise ended_error(installation, code, log_length)
        _next(waits, installation, NO_ANSWER)


def _waits(timeout_seconds, on_wait):
    # type: (float, Optional[OnWait]) -> Iterator[float]
    begin = monotonic()
    while monotonic() - begin < timeout_seconds:
        if on_wait is not None:
            on_wait(monotonic() - begin)
        time.sleep(POLL_SECONDS)
        yield monotonic() - begin


def _next(waits, installation, template):
    # type: (Iterator[float], Installation, Text) -> None
    if next(waits, None) is None:
        raise StartError(template, log=installation.log)
