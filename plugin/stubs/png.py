"""PNG files as samples, with the standard library only: 8 and 16 bits, without interlacing."""

from __future__ import absolute_import, division, unicode_literals

import io
import struct
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Iterator, Text, Tuple, Union  # noqa: F401

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Gray, RGB, a palette's numbers, gray with alpha, RGB with alpha.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}


class PngError(ValueError):
    """The file is no PNG that can be read here; the message says why."""


class Png(object):
    """A picture: rows from the top, samples interleaved, 16-bit samples in this machine's order.

    Args:
        palette: RGB for each number when the samples are numbers; else empty.
    """

    def __init__(self, width, height, channels, depth, data, palette=b""):
        # type: (int, int, int, int, Union[bytes, bytearray], bytes) -> None
        self.width = width
        self.height = height
        self.channels = channels
        self.depth = depth
        self.data = bytearray(data)
        self.palette = palette


def read(path):
    # type: (Text) -> Png
    """The picture in a file.

    Raises:
        EnvironmentError: it cannot be read.
        PngError: it is no such picture.
    """
    with io.open(path, "rb") as file:
        content = file.read()
    if content[:8] != SIGNATURE:
        raise PngError("%s is no PNG file: save the picture as PNG first." % path)
    header, packed, palette = b"", b"", b""
    for name, part in _chunks(content):
        if name == b"IHDR":
            header = part
        elif name == b"PLTE":
            palette = part
        elif name == b"IDAT":
            packed += part
    try:
        width, height, depth, kind, _, _, interlacing = struct.unpack(str(">IIBBBBB"), header)
        rows = bytearray(zlib.decompress(packed))
    except (struct.error, zlib.error) as damage:
        raise PngError("%s is damaged (%s): use another file." % (path, damage))
    if kind not in _CHANNELS or depth not in (8, 16) or interlacing:
        raise PngError(
            "%s is interlaced or has fewer than 8 bits: save it as a plain 8 or 16 bit PNG." % path
        )
    channels = _CHANNELS[kind]
    pixel_bytes = channels * depth // 8
    if len(rows) != (width * pixel_bytes + 1) * height:
        raise PngError("%s is cut short: use another file." % path)
    data = _unfiltered(rows, width * pixel_bytes, pixel_bytes)
    return Png(width, height, channels, depth, _swapped(data, depth), palette)


def write(path, picture):
    # type: (Text, Png) -> None
    """Save a picture.

    Raises:
        EnvironmentError: the file cannot be written.
    """
    kind = 3 if picture.palette else _KINDS[picture.channels]
    header = struct.pack(
        str(">IIBBBBB"), picture.width, picture.height, picture.depth, kind, 0, 0, 0
    )
    data = _swapped(picture.data, picture.depth)
    row = picture.width * picture.channels * picture.depth // 8
    rows = b"".join(b"\0" + bytes(data[start : start + row]) for start in range(0, len(data), row))
    with io.open(path, "wb") as file:
        file.write(SIGNATURE + _chunk(b"IHDR", header))
        if picture.palette:
            file.write(_chunk(b"PLTE", picture.palette))
        file.write(_chunk(b"IDAT", zlib.compress(rows, 1)) + _chunk(b"IEND", b""))


def _chunks(content):
    # type: (bytes) -> Iterator[Tuple[bytes, bytes]]
    place = len(SIGNATURE)
    while place + 8 <= len(content):
        (length,) = struct.unpack(str(">I"), content[place : place + 4])
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(name, data):
    # type: (bytes, bytes) -> bytes
    check = zlib.crc32(name + data) & 0xFFFFFFFF
    return struct.pack(str(">I"), len(data)) + name + data + struct.pack(str(">I"), check)


def _swapped(data, depth):
    # type: (bytearray, int) -> bytearray
    """Samples between this machine's byte order and the file's, which has the high byte first."""
    if depth == 8 or sys.byteorder == "big":
        return data
    swapped = bytearray(len(data))
    swapped[0::2], swapped[1::2] = data[1::2], data[0::2]
    return swapped


def _unfiltered(rows, row_bytes, pixel_bytes):
    # type: (bytearray, int, int) -> bytearray
    """The samples; each row begins with the number of the way in which it was filtered."""
    data = bytearray()
    above = bytearray(row_bytes)
    for start in range(0, len(rows), row_bytes + 1):
        row = rows[start + 1 : start + 1 + row_bytes]
        way = rows[start]
        if way == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, above))
        elif way:
            _unfilter_sideways(row, above, way, pixel_bytes)
        data += row
        above = row
    return data


def _unfilter_sideways(row, above, way, step):
    # type: (bytearray, bytearray, int, int) -> None
    for index in range(len(row)):
        left = row[index - step] if index >= step else 0
        up = above[index]
        if way == 1:
            guess = left
        elif way == 3:
            guess = (left + up) // 2
        else:
            guess = _nearest(left, up, above[index - step] if index >= step else 0)
        row[index] = (row[index] + guess) & 255


def _nearest(left, up, corner):
    # type: (int, int, int) -> int
    """The one that is nearest to left + up - corner, in this order."""
    target = left + up - corner
    return min((left, up, corner), key=lambda value: abs(target - value))
