"""What the review page asks the backend for, besides its jobs.

The page sends photos as files, not as pixels, so that they are read and saved exactly as on the
command line. Its jobs are those of every other client.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import unquote

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from backend.errors import InputError
from backend.images import Pixels
from backend.jobs import JobStore, UnknownJobError
from backend.results import LayerKind
from backend.review.assets import read_asset
from backend.review.document import Document, LayerView, result_layers
from backend.review.orders import FileOrder, JobOrder, LanguageOrder, SessionOrder, TicketOrder
from backend.review.photos import Photo, Photos, WorkSize, plain_name
from backend.review.preferences import remember_language, remembered_language
from backend.review.saving import SavedFiles
from backend.review.sessions import Sessions
from backend.uploads import UploadError, received
from models.registry import WeightFileError, bundled_files, read_spec
from plugin.shared import protocol

FILE_NAME_HEADER = "x-file-name"
MOST_SHOWN_PIXELS = 60_000_000
"""More is too much for a browser: it holds a photo several times."""

Status = Callable[[], tuple[str, str]]


class Review:
    """Everything that pages share; one in a backend."""

    def __init__(self, store: JobStore, status: Status) -> None:
        self.sessions = Sessions()
        self.files = SavedFiles()
        self._store = store
        self._status = status
        self._photos = Photos()
        # Which photo a job has, and whether it has all of its pixels.
        self._jobs: dict[str, tuple[str, bool]] = {}

    def open_session(self, ticket: str) -> dict[str, Any]:
        """Raises TicketError when the ticket is not valid."""
        key, photo_id = self.sessions.redeem(ticket)
        photo = None if photo_id is None else _described(self._photos.get(photo_id))
        return {
            "key": key,
            "photo": photo,
            "threshold": _recommended_threshold(),
            "language": remembered_language(),
        }

    def status(self) -> dict[str, str]:
        status, detail = self._status()
        return {"status": status, "detail": detail}

    async def add_photo(self, name: str, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
        """Read a photo's file.

        Raises:
            InputError: it is no photo that can be used, or there is no room on the disk.
            UploadError: it is too large, or did not come whole.
        """
        with self.files.room(plain_name(name)) as path:
            size = 0
            with path.open("wb") as file:
                async for chunk in received(chunks):
                    size += len(chunk)
                    if size > protocol.MAX_BODY_BYTES:
                        raise UploadError(
                            "{name} is too large to be restored: scale it down.",
                            status=413,
                            code="photo-too-large",
                            name=path.name,
                        )
                    file.write(chunk)
            return _described(await anyio.to_thread.run_sync(self._photos.add, path))

    def pixels(self, photo_id: str, size: WorkSize) -> bytes:
        """What a page shows as "before": (h, w, C)."""
        return self._photos.get(photo_id).pixels(size).tobytes()

    async def paint(self, photo_id: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep the mask that was painted on a photo: one byte a pixel of the whole photo.

        Raises:
            UnknownPhotoError: there is no such photo.
            InputError: the mask has another size.
        """
        room = self._photos.get(photo_id).picture.size.pixel_count
        values = bytearray()
        async for chunk in received(chunks):
            values += chunk
            # One byte too many is enough to be refused.
            del values[room + 1 :]
        self._photos.paint(photo_id, bytes(values))

    def submit(self, photo_id: str, order: JobOrder) -> str:
        """Begin a job.

        Raises:
            UploadError: the options are not those of a job.
            InputError: the painted mask is asked for, and nothing was painted.
            BusyError: too many jobs are waiting.
        """
        photo = self._photos.get(photo_id)
        pixels = photo.pixels(order.size)
        options = {**order.options, "scratches": "mask"} if order.painted else order.options
        header = _header(pixels, options, order.painted)
        body = bytearray(pixels.tobytes())
        if order.painted:
            body += photo.mask_of(order.size).tobytes()
        job = self._store.submit(header, body)
        self._jobs[job.id] = photo_id, photo.has_everything(order.size)
        return job.id

    def save(self, order: FileOrder) -> dict[str, str]:
        """Write a file, and say where it can be fetched once.

        Raises:
            UnknownJobError: there is no such job of a page, or it is not finished.
            InputError: the job was of the reduced photo, or the file cannot be written.
        """
        job = self._store.get(order.job)
        photo_id, is_full = self._jobs.get(order.job, ("", False))
        if job.state != "done":
            raise UnknownJobError(
                "The restoration is not finished: wait for it, then save.", code="unfinished-job"
            )
        if not is_full:
            raise InputError(
                "This is a preview: restore the photo at its full size first.", code="only-preview"
            )
        photo = self._photos.get(photo_id)
        views: dict[LayerKind, LayerView] = {
            kind: LayerView(view.visible, view.opacity) for kind, view in order.views.items()
        }
        layers = result_layers(job.header, job.layers())
        document = Document(photo.name, photo.picture, layers, views, order.names)
        secret, name = self.files.write(document, order.format)
        return {"path": f"/review/files/{secret}", "name": name}


def make_router(review: Review) -> APIRouter:
    """The routes below /review, and the one for tickets."""
    router = APIRouter()
    _add_work(router, review)

    @router.post("/tickets")
    async def ticket(order: TicketOrder) -> dict[str, str]:
        return {"path": f"/review/#{review.sessions.new_ticket(order.photo)}"}

    @router.post("/review/session")
    async def session(order: SessionOrder) -> dict[str, Any]:
        return review.open_session(order.ticket)

    @router.get("/review/files/{secret}")
    async def fetch(secret: str) -> FileResponse:
        file = review.files.take(secret)
        remove = BackgroundTask(file.path.unlink, missing_ok=True)
        return FileResponse(
            file.path, media_type=file.media_type, filename=file.name, background=remove
        )

    @router.get("/review/{path:path}")
    async def asset(path: str) -> Response:
        return read_asset(path or "index.html")

    return router


def _add_work(router: APIRouter, review: Review) -> None:
    @router.get("/review/status")
    async def status() -> dict[str, str]:
        return review.status()

    @router.post("/review/photos", status_code=201)
    async def add_photo(request: Request) -> dict[str, Any]:
        name = unquote(request.headers.get(FILE_NAME_HEADER, ""))
        return await review.add_photo(name, request.stream())

    @router.get("/review/photos/{photo_id}/pixels")
    async def pixels(photo_id: str, size: WorkSize) -> Response:
        shown = await anyio.to_thread.run_sync(review.pixels, photo_id, size)
        return Response(shown, media_type="application/octet-stream")

    @router.post("/review/photos/{photo_id}/jobs", status_code=201)
    async def submit(photo_id: str, order: JobOrder) -> dict[str, str]:
        return {"id": await anyio.to_thread.run_sync(review.submit, photo_id, order)}

    @router.put("/review/photos/{photo_id}/mask")
    async def paint(photo_id: str, request: Request) -> dict[str, str]:
        await review.paint(photo_id, request.stream())
        return {"id": photo_id}

    @router.put("/review/language")
    async def language(order: LanguageOrder) -> dict[str, str]:
        await anyio.to_thread.run_sync(remember_language, order.language)
        return {"language": order.language}

    @router.post("/review/files", status_code=201)
    async def save(order: FileOrder) -> dict[str, str]:
        return await anyio.to_thread.run_sync(review.save, order)


def _described(photo: Photo) -> dict[str, Any]:
    size = photo.picture.size
    height, width, channels = photo.preview.shape
    return {
        "id": photo.id,
        "name": photo.name,
        "width": size.width,
        "height": size.height,
        "depth": 8 * photo.picture.pixels.dtype.itemsize,
        "channels": channels,
        "preview": {"width": width, "height": height},
        "reduced": photo.is_reduced,
        "showable": size.pixel_count <= MOST_SHOWN_PIXELS,
    }


def _header(pixels: Pixels, options: dict[str, Any], has_mask: bool) -> protocol.RequestHeader:
    height, width, channels = pixels.shape
    depth = 8 * pixels.dtype.itemsize
    try:
        chosen = protocol.JobOptions(**options)
        header = protocol.RequestHeader(
            width, height, channels, depth, has_mask, chosen, byte_order=sys.byteorder
        )
        protocol.encode_header(header)
    except (TypeError, protocol.ProtocolError) as error:
        raise UploadError(str(error)) from error
    return header


def _recommended_threshold() -> float | None:
    """That of the bundled weights; None where it is missing, which a job will say."""
    try:
        return float(read_spec(bundled_files()["places"]).inference["threshold"])
    except WeightFileError:
        return None
