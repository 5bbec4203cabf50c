"""The backend's HTTP side: jobs as resources on this machine's loopback, for one user's programs.

No torch here: /health answers before the networks are read. Every request must carry the token
from runtime.json and must not come from a web page: pages can reach 127.0.0.1 as well.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

import anyio.to_thread
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from starlette.requests import ClientDisconnect

from backend import runtime
from backend.error_answers import add_error_answers
from backend.guard import HOST, App, Guard
from backend.jobs import BusyError, Job, JobStore, LayerData, Restorer
from backend.review.routes import Review, make_router
from backend.uploads import read_upload
from plugin.shared import protocol

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 1.0
# How soon a closed stream is noticed where the server library does not tell by itself.
WAKE_SECONDS = 0.25
# Networks leave the memory long before the process ends: starting again costs seconds.
UNLOAD_SHARE = 1 / 3
# When the GIMP that started it is gone, a second one may still fetch its layers.
ORPHAN_SECONDS = 5.0
# A computer that sleeps, or a program that is stopped, hears nobody; some clocks go on meanwhile.
PAUSE_SECONDS = 3.0
_SEND_BYTES = 256 * 1024


class Worker(Protocol):
    """What does the jobs, and what /health tells about it."""

    @property
    def restore(self) -> Restorer:
        """Does one job."""

    def status(self) -> tuple[str, str]:
        """One of protocol.STATUSES, and a sentence when it is not ready."""

    def prepare(self) -> None:
        """Begin to read what jobs need; returns at once."""

    def unload(self) -> None:
        """Give memory back; the next job takes it again."""


def create_app(
    store: JobStore,
    worker: Worker,
    review: Review,
    facts: protocol.Runtime,
    quit_server: Callable[[], None],
) -> App:
    """The HTTP interface to `store`.

    Args:
        store: where jobs go.
        worker: asked for its status.
        review: what the review page works with.
        facts: port and token that requests must name, and what /health tells.
        quit_server: called when somebody asks for the end.
    """
    app = FastAPI(title="Restore Old Photo", docs_url=None, redoc_url=None, openapi_url=None)
    add_error_answers(app)

    @app.get("/health")
    async def health() -> Response:
        status, detail = worker.status()
        # Not before the first question, so that reading libraries does not delay the answer.
        asyncio.get_running_loop().call_later(0.05, worker.prepare)
        answer = protocol.Health(status, facts.version, facts.protocol, facts.pid, detail)
        return Response(protocol.encode_health(answer), media_type="application/json")

    @app.post("/jobs", status_code=201)
    async def submit(request: Request) -> dict[str, str]:
        chunks = request.stream()
        try:
            store.check_room()
            header, body = await read_upload(request.headers.get("content-length"), chunks)
            return {"id": store.submit(header, body).id}
        except BusyError:
            # A sender that is still sending would lose the answer with the connection.
            with suppress(ClientDisconnect):
                async for _ in chunks:
                    pass
            raise

    @app.get("/jobs/{job_id}")
    async def state(job_id: str) -> dict[str, str]:
        return {"id": job_id, "state": store.get(job_id).state}

    @app.delete("/jobs/{job_id}")
    async def forget(job_id: str) -> dict[str, str]:
        store.forget(job_id)
        return {"id": job_id}

    @app.get("/jobs/{job_id}/events")
    async def events(job_id: str, request: Request) -> StreamingResponse:
        lines = _event_lines(store.get(job_id), request)
        return StreamingResponse(lines, media_type=protocol.EVENT_TYPE)

    @app.get("/jobs/{job_id}/layers/{index}")
    async def layer(job_id: str, index: int) -> StreamingResponse:
        data = store.get(job_id).layer(index)
        length = sum(part.nbytes for part in data.parts)
        return StreamingResponse(
            _layer_chunks(data),
            media_type="application/octet-stream",
            headers={"Content-Length": str(length)},
        )

    @app.post("/shutdown")
    async def shutdown() -> dict[str, str]:
        quit_server()
        return {"status": "ending"}

    app.include_router(make_router(review))
    return Guard(app, facts, store.visit, review.sessions.is_key)


async def _event_lines(job: Job, request: Request) -> AsyncIterator[bytes]:
    seen = 0
    last_sign = time.monotonic()
    try:
        while not await request.is_disconnected():
            is_last = job.is_finished
            patience = 0.0 if is_last else WAKE_SECONDS
            lines = await anyio.to_thread.run_sync(job.wait_for_events, seen, patience)
            seen += len(lines)
            if lines:
                yield b"".join(lines)
            elif is_last:
                return
            elif time.monotonic() - last_sign >= KEEP_ALIVE_SECONDS - WAKE_SECONDS:
                yield b"\n"
            else:
                continue
            last_sign = time.monotonic()
    finally:
        # Whoever stops listening no longer wants the result; a finished job is not touched.
        job.cancel()


async def _layer_chunks(data: LayerData) -> AsyncIterator[bytes]:
    for part in data.parts:
        view = part.cast("B")
        for start in range(0, len(view), _SEND_BYTES):
            yield bytes(view[start : start + _SEND_BYTES])


class Server(uvicorn.Server):
    """Publishes itself when it answers, and ends when nobody needs it."""

    def __init__(
        self,
        store: JobStore,
        worker: Worker,
        facts: protocol.Runtime,
        watched: runtime.WatchedProcess | None,
        idle_seconds: float,
    ) -> None:
        self._review = Review(store, worker.status)
        app = create_app(store, worker, self._review, facts, self.quit)
        super().__init__(
            uvicorn.Config(
                app,
                # One fixed implementation behaves the same on every installation.
                http="h11",
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._store = store
        self._worker = worker
        self._facts = facts
        self._watched = watched
        self._idle_seconds = idle_seconds
        self._monitor: asyncio.Task[None] | None = None

    def quit(self) -> None:
        """End soon; the answer to the request that asks for it is still sent."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        if hasattr(signal, "SIGHUP") and is_main:
            # The terminal is closed; uvicorn itself hears of SIGINT and SIGTERM only.
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.quit)
        await super().startup(sockets=sockets)
        if self.started:
            runtime.publish(self._facts)
            self._monitor = asyncio.create_task(self._watch())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # First, so that nobody comes any more; also when a signal is about to end the process.
        runtime.withdraw(self._facts)
        await anyio.to_thread.run_sync(self._store.close)
        await super().shutdown(sockets=sockets)
        self._review.files.close()

    def _is_orphaned(self) -> bool:
        # A review page holds what was painted, and asks once a minute only.
        if self._store.is_busy or self._review.sessions.exist:
            return False
        return self._watched is not None and self._watched.is_gone()

    async def _watch(self) -> None:
        is_unloaded = False
        while not self.should_exit:
            looked = time.monotonic()
            await asyncio.sleep(min(1.0, self._idle_seconds / 20))
            if time.monotonic() - looked > PAUSE_SECONDS:
                # Whoever slept as well has not asked yet.
                with self._store.visit():
                    pass
            idle = self._store.idle_seconds()
            if idle < self._idle_seconds * UNLOAD_SHARE:
                is_unloaded = False
            elif not is_unloaded:
                self._store.forget_finished()
                await anyio.to_thread.run_sync(self._worker.unload)
                is_unloaded = True
            if idle >= self._idle_seconds:
                log.info("Nobody used this backend for %g s", idle)
                self.quit()
            elif idle >= ORPHAN_SECONDS and self._is_orphaned():
                log.info("The watched process is gone")
                self.quit()


def serve(
    *, watch_pid: int | None = None, idle_minutes: float = 15.0, worker: Worker | None = None
) -> None:
    """Serve jobs until nobody needs it.

    Args:
        watch_pid: end when this process is gone, no job runs, no review page is open, and nobody
            has asked for some seconds.
        idle_minutes: end after so long without a request; networks are unloaded earlier.
        worker: does the jobs; None takes the pipeline.

    Raises:
        AlreadyRunningError: another backend of this user runs.
        RestorationError: the run folder cannot be used.
    """
    if worker is None:
        from backend.service import Service

        worker = Service()
    with runtime.only_server(), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        runtime.log_to_file()
        listener.bind((HOST, 0))
        facts = runtime.new_runtime(listener.getsockname()[1])
        log.info("Serving on port %d", facts.port)
        store = JobStore(worker.restore, log_name=str(runtime.log_file()))
        watched = None if watch_pid is None else runtime.WatchedProcess(watch_pid)
        server = Server(store, worker, facts, watched, idle_minutes * 60)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            log.info("Interrupted")
        finally:
            runtime.withdraw(facts)
