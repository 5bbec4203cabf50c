"""Job states, the queue and what is kept, without HTTP."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from backend import jobs as jobs_of_backend
from backend.errors import Cancelled
from backend.jobs import (
    BusyError,
    IsCancelled,
    Job,
    JobStore,
    LayerData,
    OnEvent,
    Restorer,
    UnknownJobError,
)
from plugin.shared import protocol
from tests.backend.running import header_for, wait_until
from tests.backend.serving import layer_for


class Gate:
    """A restorer that works until it is opened, and notes in which order jobs came."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.widths: list[int] = []

    def __call__(
        self,
        header: protocol.RequestHeader,
        pixels: memoryview,
        _mask: memoryview | None,
        on_event: OnEvent,
        is_cancelled: IsCancelled,
    ) -> protocol.Done:
        self.widths.append(header.width)
        on_event(LayerData(layer_for(header), (pixels,)))
        while not self.open.wait(0.01):
            if is_cancelled():
                raise Cancelled("The job was cancelled.")
        return protocol.Done({}, "gate")


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def store(gate: Gate) -> Iterator[JobStore]:
    store = JobStore(gate, keep=2, limit=3)
    yield store
    store.close()


def put(store: JobStore, width: int = 1) -> Job:
    header = header_for(width, 1)
    return store.submit(header, bytearray(header.pixel_bytes))


def run_alone(restorer: Restorer) -> list[protocol.Event]:
    """The events of one job, done in this thread."""
    header = header_for(1, 1)
    job = Job(header, bytearray(header.pixel_bytes))
    job.run(restorer, "some.log")
    return events_of(job)


def events_of(job: Job) -> list[protocol.Event]:
    return [protocol.decode_event(line) for line in job.wait_for_events(0, 0)]


def test_jobs_run_one_at_a_time_in_their_order(store: JobStore, gate: Gate) -> None:
    jobs = [put(store, width) for width in (3, 1, 2)]
    wait_until(lambda: jobs[0].state == "running")
    assert [job.state for job in jobs] == ["running", "queued", "queued"]
    gate.open.set()
    wait_until(lambda: all(job.state == "done" for job in jobs))
    assert gate.widths == [3, 1, 2]


def test_a_running_job_stops_when_it_is_cancelled(store: JobStore) -> None:
    job = put(store)
    wait_until(lambda: job.state == "running")
    job.cancel()
    assert wait_until(lambda: job.state == "cancelled") < 1
    assert events_of(job)[-1] == protocol.Cancelled()


def test_a_waiting_job_stops_at_once_and_never_runs(store: JobStore, gate: Gate) -> None:
    put(store, 1)
    waiting = put(store, 2)
    waiting.cancel()
    assert waiting.state == "cancelled"
    gate.open.set()
    wait_until(lambda: not store.is_busy)
    assert gate.widths == [1]


def test_cancelling_a_finished_job_changes_nothing(store: JobStore, gate: Gate) -> None:
    gate.open.set()
    job = put(store)
    wait_until(lambda: job.state == "done")
    job.cancel()
    assert job.state == "done"
    assert job.layer(0).parts[0].nbytes == 3


def test_a_restorer_that_does_not_look_stops_at_its_next_event() -> None:
    def blind(
        _header: protocol.RequestHeader,
        _pixels: memoryview,
        _mask: memoryview | None,
        on_event: OnEvent,
        _is_cancelled: IsCancelled,
    ) -> protocol.Done:
        job.cancel()
        on_event(protocol.Note("late", "This is not heard any more."))
        raise AssertionError("The restorer went on.")

    job = Job(header_for(1, 1), bytearray(3))
    job.run(blind, "some.log")
    assert events_of(job) == [protocol.Cancelled()]


def test_waiting_for_events_ends_when_one_comes(store: JobStore, gate: Gate) -> None:
    job = put(store)
    wait_until(lambda: job.state == "running")
    seen = len(events_of(job))
    threading.Timer(0.05, gate.open.set).start()
    lines = job.wait_for_events(seen, 10)
    assert [protocol.decode_event(line) for line in lines] == [protocol.Done({}, "gate")]


def test_waiting_for_events_ends_without_one(store: JobStore) -> None:
    job = put(store)
    assert job.wait_for_events(100, 0.01) == []


def test_only_the_newest_finished_jobs_are_kept(
    store: JobStore, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_of_backend, "FETCH_SECONDS", 0.0)
    gate.open.set()
    jobs = []
    for width in (1, 2, 3):
        jobs.append(put(store, width))
        wait_until(lambda: not store.is_busy)
    with pytest.raises(UnknownJobError, match="not known"):
        store.get(jobs[0].id)
    assert [store.get(job.id) for job in jobs[1:]] == jobs[1:]


def test_a_job_that_was_just_done_is_kept_whatever_comes_after_it(
    store: JobStore, gate: Gate
) -> None:
    gate.open.set()
    jobs = [put(store, width) for width in (1, 2, 3)]
    wait_until(lambda: not store.is_busy)
    jobs.append(put(store, 4))
    wait_until(lambda: not store.is_busy)
    assert [store.get(job.id) for job in jobs] == jobs


def test_cancelled_jobs_take_no_place_of_finished_ones(
    store: JobStore, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_of_backend, "FETCH_SECONDS", 0.0)
    running = put(store)
    for waiting in [put(store, 2), put(store, 3)]:
        waiting.cancel()
    gate.open.set()
    wait_until(lambda: not store.is_busy)
    assert store.get(running.id) is running


def test_a_forgotten_job_gives_its_memory_back(store: JobStore, gate: Gate) -> None:
    gate.open.set()
    job = put(store)
    wait_until(lambda: not store.is_busy)
    remains = weakref.ref(job)
    store.forget(job.id)
    del job
    gc.collect()
    assert remains() is None


def test_a_cancelled_job_gives_its_layers_back(store: JobStore) -> None:
    job = put(store)
    wait_until(lambda: len(events_of(job)) == 1)
    assert job.layer(0)
    job.cancel()
    wait_until(lambda: job.is_finished)
    with pytest.raises(UnknownJobError, match="no layer 0"):
        job.layer(0)


def test_too_many_waiting_jobs_are_refused(store: JobStore) -> None:
    running = put(store)
    wait_until(lambda: running.state == "running")
    waiting = [put(store) for _ in range(3)]
    with pytest.raises(BusyError, match="3 photos are waiting already"):
        put(store)
    waiting[0].cancel()
    assert put(store).state == "queued"


def test_it_is_idle_only_between_jobs(store: JobStore, gate: Gate) -> None:
    put(store)
    assert store.idle_seconds() == 0
    gate.open.set()
    wait_until(lambda: not store.is_busy)
    wait_until(lambda: store.idle_seconds() > 0.05)
    with store.visit():
        time.sleep(0.06)
        assert store.idle_seconds() == 0
    assert store.idle_seconds() < 0.05


def test_closing_cancels_what_runs_and_what_waits(gate: Gate) -> None:
    store = JobStore(gate)
    running, waiting = put(store), put(store)
    wait_until(lambda: running.state == "running")
    store.close()
    assert [running.state, waiting.state] == ["cancelled", "cancelled"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyError("x"), MemoryError()])
def test_whatever_a_restorer_raises_ends_as_a_failure(error: BaseException) -> None:
    def failing(*_: object) -> protocol.Done:
        raise error

    (event,) = run_alone(failing)
    assert isinstance(event, protocol.Failed)
    assert event.message.endswith(".")


def test_a_senseless_event_fails_the_job_and_not_the_stream() -> None:
    def senseless(
        _header: protocol.RequestHeader,
        _pixels: memoryview,
        _mask: memoryview | None,
        on_event: OnEvent,
        _is_cancelled: IsCancelled,
    ) -> protocol.Done:
        on_event(protocol.Progress("scratches", float("nan"), 0.0))
        raise AssertionError("The restorer went on.")

    (event,) = run_alone(senseless)
    assert isinstance(event, protocol.Failed)
    assert "ProtocolError" in event.message
