"""Worker processes on this computer: one photo each at a time, replaced when they are lost.

A process of its own for each worker, since one that the system ends for lack of memory would take
a whole pool of the standard library with it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Protocol, TypeAlias

from backend.batch.sizing import Shares
from backend.batch.work import MOST_FAILED_STARTS, Loss, Report, Task
from backend.errors import RestorationError
from backend.options import Options

END_SECONDS = 5.0
"""How long a process that was told to end is waited for, before it is made to."""


class Restores(Protocol):
    """What a worker does with a photo; see `worker.PhotoWorker.restore`."""

    def restore(self, source: Path, target: Path, memory_bytes: int | None = None) -> Report: ...


Start: TypeAlias = Callable[[Options, int], Restores]
"""Called with options and threads once in each worker process; must be importable there."""


@dataclass(frozen=True)
class _Refusal:
    """Nothing can be restored at all, for a reason that the user can read."""

    message: str
    code: str


class _Ready:
    """The first message of a worker that can work."""


@dataclass
class _Process:
    process: SpawnProcess
    connection: Connection
    card: int | None
    task: Task | None = None
    is_ready: bool = False


class LocalCrew:
    """A crew of processes on this computer, started when there is work for them.

    Args:
        options: for all photos.
        shares: how the computer is divided.
        start: makes the worker in each process.
    """

    shares_memory = True

    def __init__(self, options: Options, shares: Shares, start: Start) -> None:
        self._options, self._shares, self._start = options, shares, start
        self._processes: list[_Process] = []
        self._most, self._failed_starts = shares.workers, 0

    def takes(self, task: Task) -> bool:
        running = [process.task for process in self._processes if process.task is not None]
        if not running:
            return True
        reserved = sum(map(self._reserved, running)) + self._reserved(task)
        return len(running) < self._most and reserved <= self._shares.picture_bytes

    def give(self, task: Task) -> None:
        idle = next((process for process in self._processes if process.task is None), None)
        worker = idle or self._new_process()
        worker.task = task
        # One that has just been lost is noticed by `wait`.
        with contextlib.suppress(OSError):
            worker.connection.send((task.photo.path, task.target, self._reserved(task)))

    def wait(self) -> Sequence[tuple[Task, Report | Loss]]:
        ready = wait([process.connection for process in self._processes])
        ended: list[tuple[Task, Report | Loss]] = []
        for worker in [each for each in self._processes if each.connection in ready]:
            outcome = self._receive(worker)
            if outcome is not None and worker.task is not None:
                ended.append((worker.task, outcome))
                worker.task = None
        return ended

    def close(self) -> None:
        for worker in self._processes:
            worker.process.terminate()
        for worker in self._processes:
            worker.process.join(END_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._processes.clear()

    def _reserved(self, task: Task) -> int:
        """Memory for a picture; a small one may have its even share."""
        return max(task.picture_bytes, self._shares.picture_bytes // self._shares.workers)

    def _receive(self, worker: _Process) -> Report | Loss | None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            return self._lose(worker)
        if isinstance(message, _Refusal):
            raise RestorationError(message.message, code=message.code)
        if isinstance(message, _Ready):
            worker.is_ready, self._failed_starts = True, 0
            return None
        assert isinstance(message, Report)
        return message

    def _lose(self, worker: _Process) -> Loss:
        self._processes.remove(worker)
        worker.connection.close()
        worker.process.join(END_SECONDS)
        cause = _cause(worker.process.exitcode)
        if not worker.is_ready and any(each.is_ready for each in self._processes):
            # So many are there that one more does not fit.
            self._most = len(self._processes)
        elif not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts == MOST_FAILED_STARTS:
                raise RestorationError(
                    f"No photo can be restored, because each worker is lost when it starts: {cause}"
                    "; close other programs, or see with 'restore-old-photo doctor' what is wrong."
                )
        return Loss(cause)

    def _new_process(self) -> _Process:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        used = [worker.card for worker in self._processes]
        card = min(range(self._shares.graphics_cards), key=used.count, default=None)
        process = context.Process(
            target=_work,
            args=(theirs, self._start, self._options, self._shares.threads, card),
            daemon=True,
        )
        with _without_interruption():
            process.start()
        # Kept open here, it would hide the end of the process.
        theirs.close()
        worker = _Process(process, ours, card)
        self._processes.append(worker)
        return worker


def _work(
    connection: Connection, start: Start, options: Options, threads: int, card: int | None
) -> None:
    """The whole life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    if card is not None:
        # torch reads it when it first uses CUDA.
        given = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = given.split(",")[card] if given else str(card)
    try:
        worker = start(options, threads)
    except RestorationError as error:
        connection.send(_Refusal(str(error), error.code))
        return
    connection.send(_Ready())
    while True:
        try:
            source, target, memory_bytes = connection.recv()
        except EOFError:
            return
        connection.send(worker.restore(source, target, memory_bytes))


def _end_with_parent() -> None:
    """End this process when the one that started it ends, however that happens."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _without_interruption() -> Iterator[None]:
    """Processes started inside never see Ctrl+C, which is for this one to hear."""
    if sys.platform == "win32":
        yield
        return
    # It would be started with the first process, and lets the signal through to that one.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause(exit_code: int | None) -> str:
    if exit_code == -9:
        return "the system ended its process, most likely because the memory ran out"
    if exit_code is not None and exit_code < 0:
        return f"its process was ended by signal {-exit_code}"
    return f"its process ended by itself (exit code {exit_code})"
