"""Read a job's upload into one buffer, checked before and while it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect

from backend.errors import RestorationError
from backend.failures import TOO_LARGE
from plugin.shared import protocol


class UploadError(RestorationError):
    """An upload that does not follow the protocol.

    Args:
        status: the HTTP status that says so.
    """

    default_code = "upload"

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        **parameters: str | int | float,
    ) -> None:
        super().__init__(message, code=code, **parameters)
        self.status = status


async def read_upload(
    declared: str | None, chunks: AsyncIterator[bytes]
) -> tuple[protocol.RequestHeader, bytearray]:
    """Read a request's body.

    Args:
        declared: the Content-Length header, if there was one.
        chunks: the body as it comes.

    Returns:
        The header, and pixels and mask in one buffer.

    Raises:
        UploadError: too long, too short, or not what the protocol says.
    """
    if declared is not None and declared.isdecimal() and int(declared) > protocol.MAX_BODY_BYTES:
        raise UploadError(
            f"The upload has {declared} bytes, but at most {protocol.MAX_BODY_BYTES} are possible: "
            "scale the picture down.",
            status=413,
        )
    upload = _Upload()
    try:
        async for chunk in received(chunks):
            upload.add(chunk)
        return upload.finish()
    except protocol.ProtocolError as error:
        raise UploadError(str(error)) from error
    except MemoryError as error:
        raise UploadError(TOO_LARGE, status=413, code="memory") from error


async def received(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A body as it comes.

    Raises:
        UploadError: the sender hung up, which is nobody's fault here.
    """
    try:
        async for chunk in chunks:
            yield chunk
    except ClientDisconnect as error:
        raise UploadError("The sender hung up before the end.") from error


class _Upload:
    """Fills itself: first the prefix and header, then one buffer for pixels and mask."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._header: protocol.RequestHeader | None = None
        self._body = bytearray()
        self._filled_bytes = 0

    def add(self, chunk: bytes) -> None:
        if self._header is None:
            self._head += chunk
            chunk = self._read_head()
        end = self._filled_bytes + len(chunk)
        if self._header is not None and end > len(self._body):
            raise protocol.ProtocolError(
                f"Expected {len(self._body)} bytes of pixels and mask, got more."
            )
        self._body[self._filled_bytes : end] = chunk
        self._filled_bytes = end

    def finish(self) -> tuple[protocol.RequestHeader, bytearray]:
        if self._header is None:
            raise protocol.ProtocolError("The upload ends before its header does.")
        if self._filled_bytes != len(self._body):
            raise protocol.ProtocolError(
                f"Expected {len(self._body)} bytes of pixels and mask, got {self._filled_bytes}."
            )
        return self._header, self._body

    def _read_head(self) -> bytes:
        """Take the header from the head when it is complete; the rest belongs to the body."""
        if len(self._head) < protocol.PREFIX_BYTES:
            return b""
        start = protocol.PREFIX_BYTES
        end = start + protocol.header_bytes(bytes(self._head[:start]))
        if len(self._head) < end:
            return b""
        self._header = protocol.decode_header(bytes(self._head[start:end]))
        self._body = bytearray(self._header.pixel_bytes + self._header.mask_bytes)
        return bytes(self._head[end:])
