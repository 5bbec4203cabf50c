"""Pixels between GIMP 2.10's pixel regions and bytes, without loss.

A region gives and takes the samples as the image holds them: no profile and no gamma is applied.
So 8-bit and 16-bit images are exact, and images of other precisions, which a region would give as
linear or floating-point numbers, are refused. Everything here is slicing, since GIMP 2.10's Python
has no numpy.
"""

from __future__ import absolute_import, division, unicode_literals

import sys

import gimpenums
from restore_old_photo_shared.errors import PluginError

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Tuple, Union  # noqa: F401

    import gimp  # noqa: F401

    Buffer = Union[bytes, bytearray, memoryview]
    Area = Tuple[int, int, int, int]

# Four rows of GIMP's tiles: one call for a whole large picture would hold it twice.
BAND_ROWS = 256
BYTE_ORDER = sys.byteorder
_DEPTHS = {gimpenums.PRECISION_U8_GAMMA: 8, gimpenums.PRECISION_U16_GAMMA: 16}


def sample_depth(image):
    # type: (gimp.Image) -> int
    """Bits in a sample, 8 or 16.

    Raises:
        PluginError: the image has another precision.
    """
    depth = _DEPTHS.get(image.precision)
    if depth is None:
        raise PluginError(
            "The image has linear light or more than 16 bits, which the plug-in for GIMP 2.10 "
            "cannot write back exactly: choose 8 or 16 bit integer and perceptual gamma in Image > "
            "Precision, or use GIMP 3."
        )
    return depth


def read(drawable, area):
    # type: (gimp.Drawable, Area) -> bytearray
    """The area's samples as the drawable holds them; zeros where it lies outside the drawable.

    Args:
        drawable: any layer, mask or selection.
        area: x, y, width, height in the drawable's own coordinates.
    """
    x, y, width, height = area
    left, right = max(x, 0), min(x + width, drawable.width)
    bottom = min(y + height, drawable.height)
    region = drawable.get_pixel_rgn(0, 0, drawable.width, drawable.height, False, False)
    data = bytearray(width * height * region.bpp)
    if left >= right:
        return data
    row_bytes, span = width * region.bpp, (right - left) * region.bpp
    indent = (left - x) * region.bpp
    for top in range(max(y, 0), bottom, BAND_ROWS):
        rows = min(BAND_ROWS, bottom - top)
        band = region[left:right, top : top + rows]
        start = (top - y) * row_bytes
        if span == row_bytes:
            data[start : start + len(band)] = band
            continue
        for row in range(rows):
            place = start + row * row_bytes + indent
            data[place : place + span] = band[row * span : (row + 1) * span]
    return data


def write(drawable, data):
    # type: (gimp.Drawable, bytearray) -> None
    """Fill the whole drawable with samples as it holds them.

    Raises:
        ValueError: `data` has another length.
    """
    width, height = drawable.width, drawable.height
    region = drawable.get_pixel_rgn(0, 0, width, height, True, False)
    row_bytes = width * region.bpp
    if len(data) != row_bytes * height:
        raise ValueError(
            "Expected %d bytes for %d x %d pixels, got %d."
            % (row_bytes * height, width, height, len(data))
        )
    for top in range(0, height, BAND_ROWS):
        rows = min(BAND_ROWS, height - top)
        band = bytes(data[top * row_bytes : (top + rows) * row_bytes])
        region[0:width, top : top + rows] = band
    drawable.flush()
    drawable.update(0, 0, width, height)


def read_mask(mask, area):
    # type: (gimp.Channel, Area) -> bytes
    """A selection's or layer mask's values, a byte a pixel."""
    return bytes(narrowed(read(mask, area), mask.bpp))


def narrowed(values, sample_bytes):
    # type: (bytearray, int) -> bytearray
    """Samples of 8 or 16 bits as 8 bits: the high byte, which undoes widened() exactly."""
    if sample_bytes == 1:
        return values
    return values[1 if BYTE_ORDER == "little" else 0 :: 2]


def widened(values, sample_bytes):
    # type: (Buffer, int) -> bytearray
    """Samples of 8 bits as 8 or 16 bits, 255 becoming the largest value."""
    source = bytearray(values)
    if sample_bytes == 1:
        return source
    wide = bytearray(2 * len(source))
    wide[0::2] = wide[1::2] = source
    return wide


def channel(data, index, channels, sample_bytes):
    # type: (Buffer, int, int, int) -> bytearray
    """One channel of interleaved samples."""
    source, step = bytearray(data), channels * sample_bytes
    values = bytearray(len(source) // channels)
    for byte in range(sample_bytes):
        values[byte::sample_bytes] = source[index * sample_bytes + byte :: step]
    return values


def interleaved(parts, sample_bytes):
    # type: (Tuple[Buffer, ...], int) -> bytearray
    """Channels of the same size as interleaved samples."""
    step = len(parts) * sample_bytes
    joined = bytearray(sum(len(part) for part in parts))
    for index, part in enumerate(parts):
        source = bytearray(part)
        for byte in range(sample_bytes):
            joined[index * sample_bytes + byte :: step] = source[byte::sample_bytes]
    return joined


def looked_up(indices, channels, colormap):
    # type: (Buffer, int, bytes) -> bytearray
    """An indexed layer's pixels as RGB, with its alpha where it has one."""
    places = channel(indices, 0, channels, 1)
    table = bytearray(colormap).ljust(3 * 256, b"\0")
    parts = [places.translate(bytes(table[index::3])) for index in range(3)]
    if channels == 2:
        parts.append(channel(indices, 1, channels, 1))
    return interleaved(tuple(parts), 1)


def crop(data, stride, area, pixel_bytes):
    # type: (Buffer, int, Area, int) -> bytes
    """Cut x, y, width, height out of rows of `stride` pixels."""
    x, y, width, height = area
    source = bytearray(data)
    starts = ((row * stride + x) * pixel_bytes for row in range(y, y + height))
    return b"".join(bytes(source[start : start + width * pixel_bytes]) for start in starts)
