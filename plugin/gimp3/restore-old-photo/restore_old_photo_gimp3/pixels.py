"""Pixels between GEGL buffers and bytes, without loss, in the image's own colour space."""

from __future__ import annotations

import sys
from array import array

import gi

gi.require_version("Babl", "0.1")
gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Babl, Gegl, Gimp  # noqa: E402

Buffer = bytes | bytearray | memoryview

# One call for a whole large picture is slower, and above 2 GiB it crashes.
BAND_ROWS = 256
# Selections and layer masks have no gamma; a format with one would bend their soft values.
MASK_FORMAT = "Y u8"
# The mark stands for the gamma: ' is the profile's own, ~ is that of sRGB.
MODELS = {1: "Y{0}", 2: "Y{0}A", 3: "R{0}G{0}B{0}", 4: "R{0}G{0}B{0}A"}


def is_stored_encoded(image: Gimp.Image) -> bool:
    """Whether the image's numbers are encoded with its profile's own gamma, as scans are."""
    return str(image.get_precision().value_nick).endswith("-non-linear")


def blend_space(image: Gimp.Image) -> Gimp.LayerColorSpace:
    """The space that blends the same numbers as pixel_format() reads and writes."""
    spaces = Gimp.LayerColorSpace
    return spaces.RGB_NON_LINEAR if is_stored_encoded(image) else spaces.RGB_PERCEPTUAL


def sample_depth(image: Gimp.Image) -> int:
    """Bits a sample that hold this image's pixels: 8 only for gamma-encoded 8-bit images."""
    nick = str(image.get_precision().value_nick)
    return 8 if nick in ("u8-non-linear", "u8-perceptual") else 16


def pixel_format(drawable: Gimp.Drawable, channels: int, depth: int) -> str:
    """The name of the gamma-encoded format in the drawable's own space.

    A format without a space means sRGB: babl would convert from and to the image's profile, and
    that loses up to 12 of 255 levels. Where the image holds light, its profile's gamma would have
    to be computed both ways, which babl does only to a level and a half; that of sRGB is exact.
    """
    mark = "'" if is_stored_encoded(drawable.get_image()) else "~"
    space = Babl.format_get_space(drawable.get_format())
    encoding = Babl.format_with_space(f"{MODELS[channels].format(mark)} u{depth}", space)
    return str(Babl.get_name(encoding))


def read(drawable: Gimp.Drawable, area: tuple[int, int, int, int], format_name: str) -> bytes:
    """The area's pixels in `format_name`; zeros where it lies outside the drawable.

    Args:
        drawable: any layer, mask or selection.
        area: x, y, width, height in the drawable's own coordinates.
        format_name: of babl.
    """
    x, y, width, height = area
    buffer = drawable.get_buffer()
    bands = []
    for top in range(0, height, BAND_ROWS):
        rows = min(BAND_ROWS, height - top)
        band = Gegl.Rectangle.new(x, y + top, width, rows)
        bands.append(buffer.get(band, 1.0, format_name, Gegl.AbyssPolicy.NONE))
    return b"".join(bands)


def write(drawable: Gimp.Drawable, data: Buffer, format_name: str, pixel_bytes: int) -> None:
    """Fill the whole drawable.

    Raises:
        ValueError: `data` has another length; GEGL itself would silently do nothing.
    """
    width, height = drawable.get_width(), drawable.get_height()
    view = memoryview(data).cast("B")
    expected = width * height * pixel_bytes
    if len(view) != expected:
        raise ValueError(
            f"Expected {expected} bytes for {width} x {height} pixels, got {len(view)}."
        )
    buffer = drawable.get_buffer()
    row_bytes = width * pixel_bytes
    for top in range(0, height, BAND_ROWS):
        rows = min(BAND_ROWS, height - top)
        band = bytes(view[top * row_bytes : (top + rows) * row_bytes])
        buffer.set(Gegl.Rectangle.new(0, top, width, rows), format_name, band)
    buffer.flush()
    drawable.update(0, 0, width, height)


def alpha_of(pixels: Buffer, channels: int, depth: int) -> bytes:
    """The last channel of interleaved samples."""
    return samples(pixels, depth)[channels - 1 :: channels].tobytes()


def with_alpha(colours: Buffer, alpha: Buffer, channels: int, depth: int) -> bytes:
    """Interleave `channels` colour channels and an alpha channel."""
    source = samples(colours, depth)
    joined = array(source.typecode, bytes(len(alpha) * (channels + 1)))
    for channel in range(channels):
        joined[channel :: channels + 1] = source[channel::channels]
    joined[channels :: channels + 1] = samples(alpha, depth)
    return joined.tobytes()


def samples(data: Buffer, depth: int) -> array[int]:
    values: array[int] = array("B" if depth == 8 else "H")
    values.frombytes(data)
    return values


def crop(data: Buffer, stride: int, box: tuple[int, int, int, int], pixel_bytes: int) -> bytes:
    """Cut x, y, width, height out of rows of `stride` pixels."""
    x, y, width, height = box
    view = memoryview(data).cast("B")
    starts = ((row * stride + x) * pixel_bytes for row in range(y, y + height))
    return b"".join(view[start : start + width * pixel_bytes] for start in starts)


BYTE_ORDER = sys.byteorder
