"""What the steps tell whoever watches, a terminal or a window, and how they are stopped."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from installer.messages import Message


class StoppedError(Exception):
    """The user stopped the installation; what is done stays, and the next run goes on."""


@dataclass(frozen=True)
class Transfer:
    """A file on its way.

    Attributes:
        name: of the file.
        done_bytes: that are here, those of an earlier run included.
        total_bytes: of the whole file; None where nobody knows.
    """

    name: str
    done_bytes: int
    total_bytes: int | None


class Stop:
    """A request to stop, and the program that has to end for it.

    Attributes:
        descriptors: open files that the programs inherit. The lock of the installation is one: it
            then lasts until they, too, have ended, should this process be killed.
    """

    def __init__(self) -> None:
        self.descriptors: tuple[int, ...] = ()
        self._lock = threading.Lock()
        self._is_requested = False
        self._process: subprocess.Popen[str] | None = None

    def request(self) -> None:
        """End the running program, and let the next check raise."""
        with self._lock:
            self._is_requested = True
            if self._process is not None:
                self._process.terminate()

    def check(self) -> None:
        """Raises StoppedError once a stop was requested."""
        with self._lock:
            if self._is_requested:
                raise StoppedError

    @contextmanager
    def ending(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """While inside, a request ends this process."""
        with self._lock:
            self._process = process
            if self._is_requested:
                process.terminate()
        try:
            yield
        finally:
            with self._lock:
                self._process = None


class Report:
    """What the steps tell; this one listens to nothing.

    Attributes:
        stop: asked by the steps between two pieces of work.
    """

    def __init__(self) -> None:
        self.stop = Stop()

    def say(self, line: Message) -> None:
        """A line for the user."""

    def detail(self, line: Message) -> None:
        """A line that belongs to the one before."""

    def begin(self, number: int, count: int, key: str, title: Message) -> None:
        """Step `number` of `count` begins, from 1."""

    def transfer(self, transfer: Transfer) -> None:
        """A download went on; called many times a second."""

    def end_transfers(self) -> None:
        """Nothing is downloaded any more in this step; what was downloaded is unpacked."""
