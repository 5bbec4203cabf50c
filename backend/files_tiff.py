"""Read TIFF with 16 bit per channel, which Pillow reads in gray only."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import tifffile
from PIL import Image

from backend.errors import InputError
from backend.files_metadata import (
    CENTIMETRES_PER_INCH,
    IPTC,
    MOST_DPI,
    ORIENTATION,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    Y_RESOLUTION,
    exif_bytes,
    upright_xmp,
    with_iptc,
)
from backend.files_pixels import OPPOSITE, oriented
from backend.images import Metadata, Pixels

TIFF_SIGNATURES: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MIN_IS_WHITE, MIN_IS_BLACK, RGB = 0, 1, 2
UNSPECIFIED, PREMULTIPLIED = 0, 1
PLANES = 2
"""Channels are stored one after the other."""

UNSIGNED, SIGNED, UNSTATED = 1, 2, 4
"""Kinds of channels; TIFF 6.0 lets readers take the unstated one for unsigned."""

BASELINE = (1, 5, 8, 32773, 32946)
"""Compressions that are read by all: none, LZW, deflate, PackBits."""

XMP = 700
INCH, CENTIMETRE = 2, 3
"""Units of the resolution."""


@dataclass(frozen=True)
class TiffPage:
    """The page that shows the photo.

    Attributes:
        index: of all pages; thumbnails may come before it.
        is_sixteen_bit: 16 bit per channel.
    """

    index: int
    is_sixteen_bit: bool


def is_tiff(path: Path) -> bool:
    """Whether `path` begins as a TIFF file."""
    with path.open("rb") as stream:
        return stream.read(4) in TIFF_SIGNATURES


def find_page(path: Path, most_pixels: int) -> TiffPage:
    """Look for the one page that is not the thumbnail of another.

    Raises:
        DecompressionBombError: it says that it has more pixels than `most_pixels`.
        InputError: several pages, or samples that are no 8 or 16-bit gray or RGB.
    """
    with tifffile.TiffFile(path) as file:
        # A reduced page is the thumbnail of another.
        pages: list[Any] = list(file.pages)
        whole = [index for index, page in enumerate(pages) if not page.is_reduced]
        if len(whole) > 1:
            raise InputError(
                "{name} has several pages: save each page as a file of its own.",
                code="several-pages",
                name=path.name,
            )
        index = whole[0] if whole else 0
        page = pages[index]
        if not all(isinstance(side, int) for side in (page.imagewidth, page.imagelength)):
            raise ValueError("the sides are no numbers")
        if page.imagewidth * page.imagelength > most_pixels:
            raise Image.DecompressionBombError(f"{page.imagewidth} x {page.imagelength} pixels")
        bits, kind = page.bitspersample, int(page.sampleformat)
        if kind == SIGNED:
            raise InputError(
                "{name} has signed channels: convert it to 16 or 8 bit per channel first.",
                code="signed",
                name=path.name,
            )
        if kind not in (UNSIGNED, UNSTATED):
            raise InputError(
                "{name} has floating-point channels: convert it to 16 or 8 bit per channel first.",
                code="floating-point",
                name=path.name,
            )
        if bits > 16 or 8 < bits < 16:
            raise InputError(
                "{name} has {bits}-bit channels: convert it to 16 or 8 bit per channel first.",
                code="too-many-bits",
                name=path.name,
                bits=bits,
            )
        return TiffPage(index, bool(bits == 16))


def read_sixteen_bit_tiff(path: Path, shown: TiffPage) -> Pixels:
    """Read (H, W, C) uint16 pixels of the page that `find_page` gives.

    Raises:
        InputError: a colour model, compression or channel count that cannot be read.
    """
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[shown.index]
        photometric, samples = int(page.photometric), int(page.samplesperpixel)
        extra = tuple(int(kind) for kind in page.extrasamples)
        planar = samples > 1 and int(page.planarconfig) == PLANES
        colors = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, RGB: 3}.get(photometric)
        if colors is None or samples - colors not in (0, 1):
            raise InputError(
                "{name} is neither gray nor RGB with at most one alpha channel: convert it to RGB "
                "first.",
                code="color-channels",
                name=path.name,
            )
        pixels = _decode(path, shown.index, page, samples, planar=planar)
    if planar and pixels.ndim == 3 and pixels.shape[0] == samples:
        pixels = np.moveaxis(pixels, 0, 2)
    pixels = pixels.reshape(pixels.shape[0], pixels.shape[1], samples)
    if photometric == MIN_IS_WHITE:
        pixels[..., 0] = 65535 - pixels[..., 0]
    if samples > colors and extra == (PREMULTIPLIED,):
        pixels = _divide_by_alpha(pixels)
    elif samples > colors and extra == (UNSPECIFIED,):
        # Infrared of a film scanner, for one.
        pixels = pixels[..., :colors]
    return np.ascontiguousarray(pixels)


def _decode(path: Path, index: int, page: Any, samples: int, *, planar: bool) -> Any:
    try:
        return page.asarray()
    except (ImportError, KeyError, ValueError) as error:
        decoded = None if planar else _decode_with_opencv(path, index)
        channels = 1 if decoded is None or decoded.ndim == 2 else decoded.shape[2]
        if decoded is None and not planar and int(page.compression) in BASELINE:
            raise ValueError("the content is damaged") from error
        if decoded is None or decoded.dtype != np.uint16 or channels != samples:
            raise InputError(
                "{name} is compressed in a way that cannot be read: save it without compression.",
                code="compression",
                name=path.name,
            ) from error
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
        # OpenCV has turned it.
        orientation = _orientation(page.tags)
        upright = np.atleast_3d(decoded)[..., order]
        return oriented(upright, OPPOSITE.get(orientation, orientation))


def _decode_with_opencv(path: Path, index: int) -> Any | None:
    """What tifffile needs another package for, LZW and the like, with 1, 3 or 4 channels.

    Channels that are stored one after the other come out wrong. By a name that is no UTF-8 OpenCV
    would end the program.
    """
    content = np.fromfile(path, np.uint8)
    wanted = (index, index + 1)
    _, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED, range=wanted)
    return pages[0] if pages else None


def _orientation(tags: Any) -> int:
    value = tags.valueof(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _divide_by_alpha(pixels: Pixels) -> Pixels:
    alpha = np.maximum(pixels[..., -1:].astype(np.uint64), 1)
    color = (pixels[..., :-1].astype(np.uint64) * 65535 + alpha // 2) // alpha
    pixels[..., :-1] = np.minimum(color, 65535).astype(np.uint16)
    return pixels


def read_tiff_metadata(path: Path, shown: TiffPage) -> tuple[Metadata, int]:
    """Profile, EXIF, XMP and resolution of a TIFF file that Pillow cannot identify (16-bit gray and
    alpha), and its orientation (1 to 8)."""
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[shown.index]
        tags = page.tags
        profile, xmp = tags.valueof("InterColorProfile"), tags.valueof(XMP)
        orientation, dpi = _orientation(tags), read_resolution(tags)
    if dpi is not None and orientation > 4:
        dpi = (dpi[1], dpi[0])
    exif = _read_exif_block(path, is_turned=orientation > 4) if shown.index == 0 else None
    metadata = Metadata(
        icc=profile,
        exif=with_iptc(exif, read_iptc(path, shown)),
        xmp=upright_xmp(xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp),
        dpi=dpi,
        suffix=".tif",
    )
    return metadata, orientation


def read_iptc(path: Path, shown: TiffPage) -> bytes | None:
    """The caption of a TIFF file as it is stored; many programs call its bytes 32-bit numbers."""
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[shown.index]
        value, order = page.tags.valueof(IPTC), file.byteorder
    if isinstance(value, int):
        value = (value,)
    if isinstance(value, tuple) and all(isinstance(v, int) and 0 <= v < 2**32 for v in value):
        return struct.pack(f"{order}{len(value)}I", *value)
    return value if isinstance(value, bytes) else None


def read_resolution(tags: Any) -> tuple[float, float] | None:
    """Pixels per inch across and down, from tifffile's tags; None where they say nothing useful."""
    unit = tags.valueof(RESOLUTION_UNIT, INCH)
    if unit not in (INCH, CENTIMETRE):
        return None
    factor = CENTIMETRES_PER_INCH if unit == CENTIMETRE else 1.0
    values = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        value = tags.valueof(tag)
        # Some programs write a whole number in place of a ratio.
        top, bottom = value if isinstance(value, tuple) and len(value) == 2 else (value, 1)
        if not isinstance(top, int | float) or not bottom:
            return None
        values.append(top / bottom * factor)
    return (values[0], values[1]) if all(0 < value <= MOST_DPI for value in values) else None


def _read_exif_block(path: Path, *, is_turned: bool) -> bytes | None:
    """What the first directory says of the picture, and the directories within it."""
    exif = Image.Exif()
    with path.open("rb") as stream:
        try:
            exif.load_from_fp(stream)
            return exif_bytes(exif, is_resized=is_turned)
        except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
            # A damaged note, or one of a BigTIFF, is no reason to refuse the photo.
            return None
