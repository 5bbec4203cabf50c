"""Write TIFF of 8 and 16 bit with its EXIF directories.

Pillow writes no 16-bit colour and tifffile no EXIF: here is a small writer of the baseline format.

Source: TIFF Revision 6.0 (Adobe, 1992), sections 2, 8 and 14, and the deflate compression of the
Adobe Photoshop TIFF technical notes (2002).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from os import SEEK_END
from typing import Any, BinaryIO, Final

from PIL import Image

from backend.files_metadata import (
    EXIF_IFD,
    GPS_IFD,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    Y_RESOLUTION,
    nested_directory,
    parse_exif,
    with_raw_text,
)
from backend.images import Picture, Pixels

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
STRUCT_CODES: Final = {SHORT: "H", LONG: "I", RATIONAL: "I"}
DEFLATE, HORIZONTAL_DIFFERENCES, UNASSOCIATED_ALPHA, INCH = 8, 2, 2, 2
MIN_IS_BLACK, RGB = 1, 2
NEW_SUBFILE_TYPE, PAGE_NAME, X_POSITION, Y_POSITION = 254, 285, 286, 287
ONE_OF_SEVERAL_PAGES, NO_UNIT, USUAL_RESOLUTION = 2, 1, 72.0
RATIO = 10000
"""Denominator of resolutions."""

STRIP_BYTES = 1 << 20
MOST_BYTES = 4_000_000_000
"""Offsets have 32 bits; noise is not made smaller by compression."""

Field = tuple[int, Any]
"""Type and value: bytes for BYTE, ASCII and UNDEFINED, else a list of integers."""


@dataclass(frozen=True)
class Layer:
    """What makes a page a layer.

    Attributes:
        name: for the user.
        left, top: where the page lies on the canvas, in pixels.
    """

    name: str
    left: int
    top: int


def write_tiff(picture: Picture, profile: bytes | None, stream: BinaryIO) -> None:
    """Write a deflated TIFF with ICC, EXIF, XMP and resolution, from the start of `stream`."""
    write_tiff_pages([(picture, profile, None)], stream)


def write_tiff_pages(
    pages: Iterable[tuple[Picture, bytes | None, Layer | None]], stream: BinaryIO
) -> None:
    """Write one page for each picture with its profile, from the start of `stream`.

    GIMP opens pages as layers, the first one lowest, and takes their names and positions.
    """
    stream.write(b"II*\0\0\0\0\0")
    link = 4
    for picture, profile, layer in pages:
        fields = _described(picture, profile)
        if layer is not None:
            fields |= _placed(layer, picture)
        directory, next_link = _write_page(stream, picture, fields)
        stream.seek(link)
        stream.write(struct.pack("<I", directory))
        stream.seek(0, SEEK_END)
        link = next_link


def _placed(layer: Layer, picture: Picture) -> dict[int, Field]:
    horizontal, vertical = picture.metadata.dpi or (None, None)
    fields: dict[int, Field] = {
        NEW_SUBFILE_TYPE: (LONG, [ONE_OF_SEVERAL_PAGES]),
        PAGE_NAME: (ASCII, layer.name.encode() + b"\0"),
        # Positions count in units of the resolution.
        X_POSITION: (RATIONAL, [layer.left * RATIO, _ratio(horizontal)]),
        Y_POSITION: (RATIONAL, [layer.top * RATIO, _ratio(vertical)]),
    }
    if picture.metadata.dpi is None:
        for tag in (X_RESOLUTION, Y_RESOLUTION):
            fields[tag] = (RATIONAL, [_ratio(None), RATIO])
        fields[RESOLUTION_UNIT] = (SHORT, [NO_UNIT])
    return fields


def _ratio(resolution: float | None) -> int:
    return round((USUAL_RESOLUTION if resolution is None else resolution) * RATIO)


def _write_page(stream: BinaryIO, picture: Picture, fields: dict[int, Field]) -> tuple[int, int]:
    """Returns the positions of the page's directory and of its link to the next one."""
    rows_per_strip, offsets, counts = _write_strips(stream, picture.pixels)
    fields = fields | _layout(picture.pixels)
    fields[273], fields[278] = (LONG, offsets), (LONG, [rows_per_strip])
    fields[279] = (LONG, counts)
    exif = parse_exif(picture.metadata.exif)
    for tag in (EXIF_IFD, GPS_IFD):
        nested = nested_directory(exif, tag)
        if nested:
            fields[tag] = (LONG, [_write_nested(stream, nested)])
    return _write_directory(stream, fields)


def _layout(pixels: Pixels) -> dict[int, Field]:
    height, width, channels = pixels.shape
    fields: dict[int, Field] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [pixels.dtype.itemsize * 8] * channels),
        259: (SHORT, [DEFLATE]),
        262: (SHORT, [RGB if channels >= 3 else MIN_IS_BLACK]),
        277: (SHORT, [channels]),
        284: (SHORT, [1]),
        317: (SHORT, [HORIZONTAL_DIFFERENCES]),
    }
    if channels in (2, 4):
        fields[338] = (SHORT, [UNASSOCIATED_ALPHA])
    return fields


def _described(picture: Picture, profile: bytes | None) -> dict[int, Field]:
    metadata = picture.metadata
    fields: dict[int, Field] = {}
    for tag, value in parse_exif(metadata.exif).items():
        if isinstance(value, str):
            fields[tag] = (ASCII, value.rstrip("\0").encode("latin-1", "replace") + b"\0")
        elif isinstance(value, bytes):
            fields[tag] = (UNDEFINED, value)
        elif isinstance(value, int) and tag not in (EXIF_IFD, GPS_IFD, RESOLUTION_UNIT):
            # A negative one contradicts what the descriptive tags are, as -1 for a rating does.
            if not 0 <= value < 2**32:
                continue
            fields[tag] = (SHORT if value < 2**16 else LONG, [value])
    if metadata.dpi:
        for tag, dpi in zip((X_RESOLUTION, Y_RESOLUTION), metadata.dpi, strict=True):
            fields[tag] = (RATIONAL, [_ratio(dpi), RATIO])
        fields[RESOLUTION_UNIT] = (SHORT, [INCH])
    if metadata.xmp:
        fields[700] = (BYTE, metadata.xmp)
    if profile:
        fields[34675] = (UNDEFINED, profile)
    return fields


def _write_strips(stream: BinaryIO, pixels: Pixels) -> tuple[int, list[int], list[int]]:
    """Returns rows per strip, and the offset and length of each strip."""
    rows = max(1, STRIP_BYTES // pixels[:1].nbytes)
    offsets, counts = [], []
    for top in range(0, pixels.shape[0], rows):
        strip = pixels[top : top + rows]
        differences = strip.copy()
        # Unsigned integers wrap around, as the predictor wants it.
        differences[:, 1:] -= strip[:, :-1]
        little_endian = differences.astype(differences.dtype.newbyteorder("<"), copy=False)
        data = zlib.compress(little_endian.tobytes(), 4)
        offsets.append(_aligned(stream))
        counts.append(stream.write(data))
    return rows, offsets, counts


def _write_nested(stream: BinaryIO, values: dict[int, Any]) -> int:
    position = _aligned(stream)
    directory = Image.Exif()
    directory.endian = "<"
    directory.update(with_raw_text(values))
    # The block begins with "Exif\0\0" and an 8-byte TIFF header; the directory follows.
    stream.write(directory.tobytes(position)[14:])
    return position


def _write_directory(stream: BinaryIO, fields: dict[int, Field]) -> tuple[int, int]:
    entries = []
    for tag, (kind, value) in sorted(fields.items()):
        code = STRUCT_CODES.get(kind)
        data = value if code is None else struct.pack(f"<{len(value)}{code}", *value)
        count = len(value) // 2 if kind == RATIONAL else len(value)
        if len(data) > 4:
            position = _aligned(stream)
            stream.write(data)
            data = struct.pack("<I", position)
        entries.append(struct.pack("<HHI4s", tag, kind, count, data))
    directory = _aligned(stream)
    stream.write(struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0")
    return directory, stream.tell() - 4


def _aligned(stream: BinaryIO) -> int:
    """Go to an even position, where values and directories begin."""
    if stream.tell() % 2:
        stream.write(b"\0")
    return stream.tell()
