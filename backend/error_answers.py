"""What the backend answers when a request cannot be met: a code and a sentence, always as JSON."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from backend.errors import RestorationError
from backend.guard import error_answer
from backend.jobs import BusyError, UnknownJobError
from backend.review.assets import UnknownAssetError
from backend.review.photos import UnknownPhotoError
from backend.review.sessions import TicketError
from backend.uploads import UploadError


def add_error_answers(app: FastAPI) -> None:
    @app.exception_handler(RestorationError)
    async def answer(_: Request, error: RestorationError) -> JSONResponse:
        status = 400
        if isinstance(error, UploadError):
            status = error.status
        elif isinstance(error, UnknownJobError | UnknownPhotoError | UnknownAssetError):
            status = 404
        elif isinstance(error, TicketError):
            status = 401
        elif isinstance(error, BusyError):
            status = 429
        return error_answer(status, error.code, str(error), error.parameters)

    @app.exception_handler(RequestValidationError)
    async def answer_nonsense(_: Request, error: RequestValidationError) -> JSONResponse:
        del error
        return error_answer(
            422, "http", "The request has another form than this version expects: reload the page."
        )

    @app.exception_handler(HTTPException)
    async def answer_http(_: Request, error: HTTPException) -> JSONResponse:
        return error_answer(error.status_code, "http", str(error.detail))
