"""What Pillow leaves out of PNG: 16 bit per channel in colour, sums and rows, chunks to keep."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import cv2
import numpy as np

from backend.errors import InputError
from backend.images import Metadata, Picture, Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES: Final = {1: 0, 2: 4, 3: 2, 4: 6}
"""Number of channels to the color type of the PNG specification (third edition, 11.2.1)."""

FILTER_UP = 2
"""Each row is stored as the difference to the row above: simple, and good for photos."""

EXTRA_CHUNKS: Final = (b"cHRM", b"gAMA", b"sRGB", b"cICP", b"tEXt", b"zTXt", b"iTXt")
"""What a file says of its colours without a profile, and in words (11.3.2 and 11.3.3)."""

MOST_EXTRAS = 1 << 20
"""Bytes; notes of people are shorter."""

# What is written anew, was stored by a program for itself, or describes the file and not the photo.
_OTHER_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type ", b"Thumb::", b"date:")

INCHES_PER_METRE = 1 / 0.0254
BAND_BYTES = 1 << 24


def is_sixteen_bit_png(path: Path) -> bool:
    """Whether `path` begins as a PNG file with 16 bit per channel."""
    with path.open("rb") as stream:
        header = stream.read(26)
    return header.startswith(SIGNATURE) and len(header) == 26 and header[24] == 16


def check_png(path: Path) -> None:
    """See that a PNG file is whole, which Pillow does not: sums and rows.

    Raises:
        ValueError: it is damaged.
        zlib.error: its rows are.

    Source:
        PNG specification, third edition, sections 5.3 (chunks) and 9 (filters, one byte a row).
    """
    with path.open("rb") as stream:
        stream.seek(len(SIGNATURE))
        unpack, found, expected = zlib.decompressobj(), 0, 0
        for kind, data in _chunks(stream):
            if kind == b"IHDR":
                expected = _row_bytes(data)
            elif kind == b"IDAT":
                found += _unpacked_size(unpack, data)
    if found < expected:
        raise ValueError("rows are missing")


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each, with the sums of those checked that make the pixels."""
    kind = b""
    while kind != b"IEND":
        head = stream.read(8)
        if len(head) < 8:
            # The mark of the end may be missing as long as no row is.
            return
        size, kind = struct.unpack(">I4s", head)
        data, check = stream.read(size), stream.read(4)
        is_right = zlib.crc32(kind + data) == int.from_bytes(check, "big")
        if not is_right and kind in (b"IHDR", b"PLTE", b"IDAT"):
            raise ValueError(f"the sum of {kind!r} is wrong")
        yield kind, data


def read_extras(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """Kind and data of those chunks of a PNG file that are kept as they are, for `Metadata`."""
    kept: list[tuple[bytes, bytes]] = []
    room = MOST_EXTRAS
    with path.open("rb") as stream:
        stream.seek(len(SIGNATURE))
        while len(head := stream.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind not in EXTRA_CHUNKS or size > room:
                stream.seek(size + 4, os.SEEK_CUR)
                continue
            data, check = stream.read(size), stream.read(4)
            is_whole = zlib.crc32(kind + data) == int.from_bytes(check, "big")
            if is_whole and not data.startswith(_OTHER_TEXTS):
                kept.append((kind, data))
                room -= size
    return tuple(kept)


def png_extras(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """Those extras that PNG holds."""
    return [(kind, data) for kind, data in metadata.extras if kind in EXTRA_CHUNKS]


def _row_bytes(header: bytes) -> int:
    """How many bytes all rows have, from the data of IHDR; 0 where they are interlaced."""
    width, height, depth, color_type, _, _, interlace = struct.unpack(">IIBBBBB", header)
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color_type, 0)
    return 0 if interlace else int(height * (1 + -(-width * samples * depth // 8)))


def _unpacked_size(unpack: Any, data: bytes) -> int:
    """How many bytes come out, without keeping them."""
    size = 0
    while data:
        size += len(unpack.decompress(data, BAND_BYTES))
        data = unpack.unconsumed_tail
    return size


def read_sixteen_bit_png(path: Path, transparency: object) -> Pixels:
    """Read (H, W, C) uint16 pixels.

    Args:
        path: a PNG file with 16 bit per channel.
        transparency: the gray level that stands for transparent, if the file names one.

    Raises:
        InputError: the file is damaged.
    """
    encoded = np.fromfile(path, dtype=np.uint8)
    color_type = int(encoded[25])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise InputError(
            "{name} is damaged: copy or scan it again.", code="file-damaged", name=path.name
        )
    pixels: Any = decoded if decoded.ndim == 3 else decoded[..., None]
    if color_type == 4:
        # OpenCV repeats the gray level in three channels.
        return np.ascontiguousarray(pixels[..., [0, 3]])
    if pixels.shape[2] == 1 and isinstance(transparency, int):
        alpha = np.where(pixels == transparency, 0, 65535).astype(np.uint16)
        return np.concatenate([pixels, alpha], axis=2)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[2]]
    return np.ascontiguousarray(pixels[..., order])


def write_sixteen_bit_png(picture: Picture, profile: bytes | None, stream: BinaryIO) -> None:
    """Write 16-bit pixels with ICC, EXIF, XMP, resolution and extras."""
    metadata, size = picture.metadata, picture.size
    color_type = COLOR_TYPES[picture.pixels.shape[2]]
    stream.write(SIGNATURE)
    header = struct.pack(">IIBBBBB", size.width, size.height, 16, color_type, 0, 0, 0)
    _write_chunk(stream, b"IHDR", header)
    for kind, data in png_extras(metadata):
        _write_chunk(stream, kind, data)
    if profile:
        _write_chunk(stream, b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    if metadata.dpi:
        per_metre = [round(value * INCHES_PER_METRE) for value in metadata.dpi]
        _write_chunk(stream, b"pHYs", struct.pack(">IIB", *per_metre, 1))
    if metadata.exif:
        _write_chunk(stream, b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    if metadata.xmp:
        _write_chunk(stream, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    _write_rows(stream, picture.pixels)
    _write_chunk(stream, b"IEND", b"")


def _write_rows(stream: BinaryIO, pixels: Pixels) -> None:
    height, width, channels = pixels.shape
    row_bytes = width * channels * 2
    band_rows = max(1, BAND_BYTES // row_bytes)
    # Level 4 is about three times as fast as the default for a few per cent of size.
    compressor = zlib.compressobj(4)
    above = np.zeros((1, row_bytes), dtype=np.uint8)
    for top in range(0, height, band_rows):
        band = np.ascontiguousarray(pixels[top : top + band_rows].astype(">u2"))
        rows = band.view(np.uint8).reshape(-1, row_bytes)
        filtered = np.empty((len(rows), row_bytes + 1), dtype=np.uint8)
        filtered[:, 0] = FILTER_UP
        filtered[:, 1:] = rows - np.concatenate([above, rows[:-1]])
        above = rows[-1:]
        data = compressor.compress(filtered.tobytes())
        if data:
            _write_chunk(stream, b"IDAT", data)
    _write_chunk(stream, b"IDAT", compressor.flush())


def _write_chunk(stream: BinaryIO, kind: bytes, data: bytes) -> None:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    stream.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum))
