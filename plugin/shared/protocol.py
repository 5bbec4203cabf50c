"""The wire contract between the plug-in and the backend: fields, checks, bytes.

A request body is ``ROP1``, the header's length as a big-endian 32-bit number, the header as UTF-8
JSON, the pixels, and the mask when there is one. Events are JSON objects, one a line. A layer's
body is its pixels followed by its mask.

Both sides import this file, and it must run in GIMP 2.10's Python 2.7: it uses the standard
library only, keeps no state and imports only messages.py and fields.py.
"""

from __future__ import absolute_import, division, unicode_literals

import struct

from .fields import (
    EVENTS,
    HEADER,
    HEALTH,
    OPTIONS,
    RUNTIME,
    ProtocolError,
    checked,
    dump,
    integer,
    load,
)
from .messages import (
    LAYER_KINDS,
    STAGES,
    STATUSES,
    Cancelled,
    Done,
    Failed,
    Health,
    JobOptions,
    Layer,
    Note,
    Progress,
    RequestHeader,
    Runtime,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import List, Optional, Text, Tuple, Union  # noqa: F401

    # Bytes of one dimension with the buffer protocol.
    Buffer = Union[bytes, bytearray, memoryview]
    Event = Union[Progress, Layer, Note, Done, Failed, Cancelled]

__all__ = [
    "LAYER_KINDS",
    "STAGES",
    "STATUSES",
    "Cancelled",
    "Done",
    "Failed",
    "Health",
    "JobOptions",
    "Layer",
    "Note",
    "Progress",
    "ProtocolError",
    "RequestHeader",
    "Runtime",
]

# Raised with each change of the fields.
PROTOCOL = 2
MAGIC = b"ROP1"
PREFIX_BYTES = 8
# A header of ours has about 300 bytes.
MAX_HEADER_BYTES = 64 * 1024
# 200 megapixels of 16-bit RGBA with a mask; a larger request is a mistake or an attack.
MAX_PICTURE_BYTES = 1800 * 1000 * 1000
MAX_BODY_BYTES = MAX_PICTURE_BYTES + MAX_HEADER_BYTES + PREFIX_BYTES
EVENT_TYPE = "application/x-ndjson"

TERMINAL_EVENTS = (Done, Failed, Cancelled)


def encode_event(event):
    # type: (Event) -> bytes
    """The event as one line, with its line feed.

    Raises:
        ProtocolError: a value is out of range.
    """
    for word, event_type, fields in EVENTS:
        if type(event) is event_type:
            return dump(dict(checked(vars(event), fields, word + " event"), event=word)) + b"\n"
    raise ProtocolError("%r is no event." % (event,))


def decode_event(line):
    # type: (bytes) -> Event
    """The event in one line.

    Raises:
        ProtocolError: the line is no event of this contract.
    """
    facts = load(line, "event")
    for word, event_type, fields in EVENTS:
        if facts.get("event") == word:
            event = event_type(**checked(facts, fields, word + " event"))  # type: Event
            return event  # noqa: RET504 - the name carries the type
    raise ProtocolError("%r is no known event." % (facts.get("event"),))


def encode_health(health):
    # type: (Health) -> bytes
    """The answer to /health."""
    return dump(checked(vars(health), HEALTH, "health"))


def decode_health(data):
    # type: (bytes) -> Health
    """The backend's state.

    Raises:
        ProtocolError: this is no answer of a backend.
    """
    return Health(**checked(load(data, "health"), HEALTH, "health"))


def encode_runtime(runtime):
    # type: (Runtime) -> bytes
    """The content of runtime.json; it holds the token, so only its owner may read it."""
    return dump(checked(vars(runtime), RUNTIME, "runtime file"))


def decode_runtime(data):
    # type: (bytes) -> Runtime
    """Where a backend is found, whatever protocol it speaks.

    Raises:
        ProtocolError: the file is damaged.
    """
    return Runtime(**checked(load(data, "runtime file"), RUNTIME, "runtime file"))


def encode_header(header):
    # type: (RequestHeader) -> bytes
    """The request's bytes before the pixels: magic, header length, header.

    Raises:
        ProtocolError: a value is out of range.
    """
    options = checked(vars(header.options), OPTIONS, "options")
    record = dict(vars(header), options=options, protocol=PROTOCOL, mask=header.has_mask)
    del record["has_mask"]
    data = dump(record)
    decode_header(data)
    return MAGIC + struct.pack(str(">I"), len(data)) + data


def header_bytes(prefix):
    # type: (bytes) -> int
    """How many bytes of header follow the first PREFIX_BYTES of a request.

    Raises:
        ProtocolError: this is no request, or its header is too long.
    """
    if len(prefix) != PREFIX_BYTES or prefix[:4] != MAGIC:
        raise ProtocolError("The request does not begin with ROP1 and the header's length.")
    (length,) = struct.unpack(str(">I"), prefix[4:])
    return int(integer(2, MAX_HEADER_BYTES)(length, "The header's length"))


def decode_header(data):
    # type: (bytes) -> RequestHeader
    """The job's picture and options, checked.

    Raises:
        ProtocolError: a field is missing, of the wrong type or out of range.
    """
    facts = load(data, "request")
    # Another protocol may have other fields, so its number comes first.
    if facts.get("protocol") != PROTOCOL:
        raise ProtocolError(
            "The request speaks protocol %r, but this backend speaks protocol %d."
            % (facts.get("protocol"), PROTOCOL)
        )
    fields = checked(facts, HEADER, "request")
    options = JobOptions(**checked(fields.pop("options"), OPTIONS, "options"))
    header = RequestHeader(has_mask=fields.pop("mask"), options=options, **fields)
    size = header.pixel_bytes + header.mask_bytes
    if size > MAX_PICTURE_BYTES:
        raise ProtocolError(
            "The picture has %d bytes, but at most %d are possible: scale it down."
            % (size, MAX_PICTURE_BYTES)
        )
    return header


def encode_request(header, pixels, mask=None):
    # type: (RequestHeader, Buffer, Optional[Buffer]) -> List[Buffer]
    """The request's body in parts, to be sent one after the other; pixels are not copied.

    Args:
        header: what pixels and mask are.
        pixels: rows from the top, samples interleaved, without padding.
        mask: a byte a pixel, 255 = repair, 0 = keep; None when header.has_mask is False.

    Raises:
        ProtocolError: a header value is out of range, or a buffer has another length than the
            header says.
    """
    parts = [encode_header(header)]  # type: List[Buffer]
    _check_length(pixels, header.pixel_bytes, "pixels")
    parts.append(pixels)
    if header.has_mask or mask is not None:
        _check_length(b"" if mask is None else mask, header.mask_bytes, "mask")
        parts.append(b"" if mask is None else mask)
    return parts


def decode_request(body):
    # type: (Buffer) -> Tuple[RequestHeader, memoryview, Optional[memoryview]]
    """Header, pixels and mask of a whole request, without copying.

    Raises:
        ProtocolError: the body is no request, or too short or too long.
    """
    view = memoryview(body)
    length = header_bytes(view[:PREFIX_BYTES].tobytes())
    header = decode_header(view[PREFIX_BYTES : PREFIX_BYTES + length].tobytes())
    pixels, mask = split_pixels(header, view[PREFIX_BYTES + length :])
    return header, pixels, mask


def split_pixels(raster, data):
    # type: (Union[RequestHeader, Layer], Buffer) -> Tuple[memoryview, Optional[memoryview]]
    """Pixels and mask of a request's or layer's body, without copying.

    Raises:
        ProtocolError: the body is too short or too long.
    """
    _check_length(data, raster.pixel_bytes + raster.mask_bytes, "body")
    view = memoryview(data)
    pixels = view[: raster.pixel_bytes]
    return pixels, view[raster.pixel_bytes :] if raster.has_mask else None


def _check_length(data, expected, name):
    # type: (Buffer, int, Text) -> None
    # len() of a memoryview over samples wider than a byte counts samples.
    view = memoryview(data)
    length = len(view) * view.itemsize
    if length != expected:
        raise ProtocolError("Expected %d bytes of %s, got %d." % (expected, name, length))
