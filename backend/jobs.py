"""Jobs: waiting, running one at a time, finished. Knows nothing of HTTP or torch."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

from backend.errors import Cancelled, RestorationError
from backend.failures import as_event
from plugin.shared import protocol

FETCH_SECONDS = 60.0
"""A finished job that somebody asked for so recently is still being fetched."""
State = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class LayerData:
    """A layer with its bytes.

    Attributes:
        layer: its description.
        parts: pixels, and mask if there is one: bytes in the request's byte order.
    """

    layer: protocol.Layer
    parts: tuple[memoryview, ...]


OnEvent: TypeAlias = Callable[[protocol.Progress | protocol.Note | LayerData], None]
IsCancelled: TypeAlias = Callable[[], bool]
Restorer: TypeAlias = Callable[
    [protocol.RequestHeader, memoryview, memoryview | None, OnEvent, IsCancelled], protocol.Done
]
"""Does one job; raises errors.Cancelled soon after is_cancelled() turns true."""


class UnknownJobError(RestorationError):
    """There is no such job or layer, or it was forgotten."""

    default_code = "unknown-job"


class BusyError(RestorationError):
    """Too many jobs, `count`, are waiting."""

    default_code = "busy"

    def __init__(self, count: int) -> None:
        one = "{count} photo is waiting already: try again when it is done."
        many = "{count} photos are waiting already: try again when one is done."
        super().__init__(one if count == 1 else many, count=count)


class Job:
    """One request. All methods may be called from any thread."""

    def __init__(self, header: protocol.RequestHeader, body: bytearray) -> None:
        self.id = secrets.token_hex(8)
        self.header = header
        self._body: bytearray | None = body
        self._state: State = "queued"
        self._lines: list[bytes] = []
        self._layers: dict[int, LayerData] = {}
        self._cancel = threading.Event()
        self._changed = threading.Condition()
        # When it ended or was asked for, by the monotonic clock.
        self.last_use = time.monotonic()

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_finished(self) -> bool:
        return self._state in ("done", "failed", "cancelled")

    def is_cancelled(self) -> bool:
        """Whether somebody wants this job to stop."""
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Ask the job to stop; one that waits stops at once, a finished one is left as it is."""
        self._cancel.set()
        with self._changed:
            if self._state == "queued":
                self._finish("cancelled", protocol.Cancelled())

    def wait_for_events(self, seen: int, timeout_seconds: float) -> list[bytes]:
        """The encoded events after the first `seen`; an empty list when none comes in time."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines) > seen, timeout_seconds)
            self.last_use = time.monotonic()
            return self._lines[seen:]

    def layer(self, index: int) -> LayerData:
        """Raises UnknownJobError when the job has no such layer, or no more."""
        self.last_use = time.monotonic()
        try:
            return self._layers[index]
        except KeyError:
            raise UnknownJobError(
                "The job has no layer {index}: it is not ready yet, or the job was cancelled.",
                code="unknown-layer",
                index=index,
            ) from None

    def layers(self) -> list[LayerData]:
        """All layers so far, in the order of their appearance."""
        return [self._layers[index] for index in sorted(self._layers)]

    def run(self, restorer: Restorer, log_name: str) -> None:
        """Do the job here and now; whatever happens ends as an event."""
        with self._changed:
            if self._state != "queued" or self._body is None:
                return
            self._state = "running"
            body, self._body = self._body, None
        try:
            pixels, mask = protocol.split_pixels(self.header, body)
            done = restorer(self.header, pixels, mask, self._add, self.is_cancelled)
            with self._changed:
                self._finish("done", done)
        except Cancelled:
            with self._changed:
                self._finish("cancelled", protocol.Cancelled())
        # Some libraries raise what is no Exception, and the thread must survive that, too.
        except BaseException as error:
            with self._changed:
                self._finish("failed", as_event(error, log_name))

    def _add(self, item: protocol.Progress | protocol.Note | LayerData) -> None:
        # A restorer that does not look often enough stops here at the latest.
        if self.is_cancelled():
            raise Cancelled("The job was cancelled.")
        # Encoded here, so that a mistake in an event is the restorer's failure, not the stream's.
        line = protocol.encode_event(item.layer if isinstance(item, LayerData) else item)
        with self._changed:
            if isinstance(item, LayerData):
                self._layers[item.layer.index] = item
            self._lines.append(line)
            self._changed.notify_all()

    def _finish(self, state: State, event: protocol.Event) -> None:
        self._lines.append(protocol.encode_event(event))
        self._state = state
        self.last_use = time.monotonic()
        self._body = None
        if state == "cancelled":
            self._layers.clear()
        self._changed.notify_all()


class JobStore:
    """All jobs, and the one thread that runs them.

    Args:
        restorer: does a job.
        log_name: the log file, for messages.
        keep: how many finished jobs are kept with their layers, besides those still being fetched.
        limit: how many jobs may wait; each holds its picture in memory.
    """

    def __init__(
        self, restorer: Restorer, *, log_name: str = "the log", keep: int = 2, limit: int = 4
    ) -> None:
        self._restorer = restorer
        self._log_name = log_name
        self._keep = keep
        self._limit = limit
        self._jobs: dict[str, Job] = {}
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._closed = False
        self._last_use = time.monotonic()
        self._visitors = 0
        self._changed = threading.Condition()
        # A daemon, because a hanging job must not keep the process alive.
        self._worker = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._worker.start()

    def check_room(self) -> None:
        """Raises BusyError when no further job can be taken."""
        with self._changed:
            if sum(not job.is_finished for job in self._queue) >= self._limit:
                raise BusyError(self._limit)

    def submit(self, header: protocol.RequestHeader, body: bytearray) -> Job:
        """Queue a job.

        Args:
            header: describes the body.
            body: pixels and mask; the job owns it from now on.

        Raises:
            BusyError: too many jobs are waiting.
        """
        job = Job(header, body)
        with self._changed:
            self.check_room()
            self._jobs[job.id] = job
            self._queue.append(job)
            self._last_use = time.monotonic()
            self._changed.notify_all()
        return job

    def get(self, job_id: str) -> Job:
        """Raises UnknownJobError when there is no such job."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise UnknownJobError(
                "This job is not known: it was forgotten, or never was."
            ) from None

    def forget(self, job_id: str) -> None:
        """Cancel a job that is not finished, and give its memory back; done already if unknown."""
        with self._changed:
            job = self._jobs.pop(job_id, None)
        if job is not None:
            job.cancel()

    def forget_finished(self) -> None:
        """Give the memory of all finished jobs back."""
        with self._changed:
            self._jobs = {name: job for name, job in self._jobs.items() if not job.is_finished}

    @property
    def is_busy(self) -> bool:
        with self._changed:
            return self._running is not None or any(not job.is_finished for job in self._queue)

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Somebody uses this backend inside the context; all visits come from one thread."""
        self._visitors += 1
        try:
            yield
        finally:
            self._visitors -= 1
            self._last_use = time.monotonic()

    def idle_seconds(self) -> float:
        """How long nobody has used it; 0 while somebody does, or a job waits or runs."""
        is_used = self._visitors > 0 or self.is_busy
        return 0.0 if is_used else time.monotonic() - self._last_use

    def close(self, timeout_seconds: float = 3.0) -> None:
        """Cancel all jobs and wait for the running one to stop, but not for long."""
        with self._changed:
            self._closed = True
            jobs = list(self._jobs.values()) + ([self._running] if self._running else [])
            self._changed.notify_all()
        for job in jobs:
            job.cancel()
        self._worker.join(timeout_seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._last_use = time.monotonic()
                self._changed.wait_for(lambda: self._closed or self._queue)
                if self._closed:
                    return
                self._running = job = self._queue.popleft()
            job.run(self._restorer, self._log_name)
            self._trim()
            # Otherwise this name would keep the last job's layers alive.
            del job

    def _trim(self) -> None:
        """Forget what ended long ago; what was cancelled holds nothing that could be kept."""
        before = time.monotonic() - FETCH_SECONDS
        with self._changed:
            finished = [job for job in self._jobs.values() if job.is_finished]
            finished.sort(key=lambda job: job.last_use)
            holding = [job for job in finished if job.state != "cancelled"]
            kept = holding[max(len(holding) - self._keep, 0) :]
            for job in finished:
                if job not in kept and job.last_use < before:
                    del self._jobs[job.id]
