"""Read a file's EXIF, ICC, XMP and resolution, and bring them into the form that is written."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import Any

from PIL import Image

from backend.images import Metadata

ORIENTATION = 0x0112
EXIF_IFD = 0x8769
GPS_IFD = 0x8825
INTEROPERABILITY_IFD = 0xA005
IPTC = 33723
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
PIXEL_DIMENSIONS = (0xA002, 0xA003)
CENTIMETRES_PER_INCH = 2.54
MOST_DPI = 100_000
"""More is no resolution of a scan, and does not fit the fields of every format."""

XMP_ORIENTATION = re.compile(
    rb"""\s+tiff:Orientation\s*=\s*(["'])\d\1|<tiff:Orientation>\s*\d\s*</tiff:Orientation>"""
)
"""As an attribute, or as an element."""

DESCRIPTIVE_TAGS = {
    # Description, maker, model; resolution; page name; software, date, artist, computer; copyright;
    # rating; IPTC; the Windows title, comment, author, keywords and subject. All else in the main
    # directory of a TIFF file describes how that file stores its pixels.
    *(270, 271, 272, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, 285, 305, 306, 315, 316),
    *(18246, 18249, 33432, IPTC, EXIF_IFD, GPS_IFD, 40091, 40092, 40093, 40094, 40095),
}


def read_metadata(image: Image.Image, *, lossless: bool, suffix: str) -> tuple[Metadata, int]:
    """Take the metadata out of an opened file.

    Returns:
        The metadata, with orientation removed, and the orientation (1 to 8) that it had.
    """
    exif, orientation = read_exif(image)
    dpi = (image.info.get("dpi") if _has_resolution(image) else None) or _exif_dpi(exif)
    if dpi is not None and not all(0 < value <= MOST_DPI for value in dpi):
        dpi = None
    if dpi is not None and orientation > 4:
        dpi = (dpi[1], dpi[0])
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    metadata = Metadata(
        icc=image.info.get("icc_profile") or None,
        exif=exif_bytes(exif, is_resized=orientation > 4),
        xmp=upright_xmp(xmp.encode() if isinstance(xmp, str) else xmp),
        dpi=None if dpi is None else (float(dpi[0]), float(dpi[1])),
        lossless=lossless,
        suffix=suffix,
    )
    return metadata, orientation


def _has_resolution(image: Image.Image) -> bool:
    """Pillow gives TIFF files without one a pixel per inch, and JPEG files with EXIF 72."""
    if image.format in ("JPEG", "MPO"):
        return image.info.get("jfif_unit") in (1, 2)
    return X_RESOLUTION in getattr(image, "tag_v2", (X_RESOLUTION,))


def upright_xmp(xmp: bytes | None) -> bytes | None:
    """XMP without the orientation: the pixels are turned, and would be turned once more."""
    return XMP_ORIENTATION.sub(b"", xmp) if xmp else None


def read_exif(image: Image.Image) -> tuple[Image.Exif, int]:
    """The EXIF block, empty where it is missing or damaged, and the orientation (1 to 8)."""
    try:
        exif = image.getexif()
        # Reading the nested directories now keeps a damaged one from failing when it is written.
        exif.get_ifd(EXIF_IFD), exif.get_ifd(GPS_IFD)
        orientation = exif.get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return Image.Exif(), 1
    valid = isinstance(orientation, int) and 1 <= orientation <= 8
    return exif, orientation if valid else 1


def enlarged(metadata: Metadata, scale: int) -> Metadata:
    """The metadata of a picture with `scale` times the pixels on each side, and the same print."""
    dpi = metadata.dpi and (metadata.dpi[0] * scale, metadata.dpi[1] * scale)
    exif = parse_exif(metadata.exif)
    for tag in (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT):
        exif.pop(tag, None)
    return replace(metadata, dpi=dpi, exif=exif_bytes(exif, is_resized=True))


def exif_bytes(exif: Image.Exif, *, is_resized: bool) -> bytes | None:
    """The describing tags as an EXIF block, or None where there is nothing to say.

    Args:
        is_resized: the picture has other sides than the block says.
    """
    kept = Image.Exif()
    for tag, value in exif.items():
        # Of a caption that is stored as numbers Pillow gives the first alone; see `read_iptc`.
        if tag in DESCRIPTIVE_TAGS and (tag != IPTC or isinstance(value, bytes)):
            kept[tag] = value
    for tag in (EXIF_IFD, GPS_IFD):
        kept.pop(tag, None)
        nested = nested_directory(exif, tag)
        if is_resized:
            for dimension in PIXEL_DIMENSIONS:
                nested.pop(dimension, None)
        if nested:
            kept[tag] = nested
    if not len(kept):
        return None
    try:
        return exif_block(kept)
    except (ValueError, TypeError, KeyError, OverflowError, struct.error):
        # A tag whose value contradicts its type cannot be written by anyone.
        return None


def exif_block(exif: Image.Exif) -> bytes:
    """The block with its text as it was read: Pillow reads Latin-1 and writes question marks."""
    written = Image.Exif()
    for tag, value in exif.items():
        if tag in (EXIF_IFD, GPS_IFD):
            nested = value if isinstance(value, dict) else nested_directory(exif, tag)
            written[tag] = with_raw_text(nested)
        else:
            written[tag] = raw_text(value)
    return written.tobytes()


def nested_directory(exif: Image.Exif, tag: int) -> dict[int, Any]:
    """The directory that a tag points to, with the one that may lie in it.

    Pillow gives that as the place where it lay in the file that was read.
    """
    values = dict(exif.get_ifd(tag))
    if isinstance(values.get(INTEROPERABILITY_IFD), int):
        inner = dict(exif.get_ifd(INTEROPERABILITY_IFD))
        del values[INTEROPERABILITY_IFD]
        if inner:
            values[INTEROPERABILITY_IFD] = inner
    return values


def with_raw_text(values: dict[int, Any]) -> dict[int, Any]:
    """The values of a directory, by tag, each as `raw_text` gives it."""
    return {tag: raw_text(value) for tag, value in values.items()}


def raw_text(value: Any) -> Any:
    """The bytes that Pillow read as Latin-1, whatever they were; ASCII and all else as it is."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("latin-1", "replace")
    return value


def parse_exif(block: bytes | None) -> Image.Exif:
    """The opposite of `exif_bytes`."""
    exif = Image.Exif()
    if block:
        exif.load(block)
    return exif


def with_iptc(block: bytes | None, iptc: bytes | None) -> bytes | None:
    """The EXIF block with the caption in it, if there is one."""
    if not iptc:
        return block
    exif = parse_exif(block)
    exif[IPTC] = iptc
    return exif_block(exif)


def with_resolution(metadata: Metadata) -> bytes | None:
    """The EXIF block with the resolution in it, for WebP, which has no field of its own."""
    if metadata.dpi is None:
        return metadata.exif
    exif = parse_exif(metadata.exif)
    exif[X_RESOLUTION], exif[Y_RESOLUTION] = metadata.dpi
    exif[RESOLUTION_UNIT] = 2
    return exif_block(exif)


def fitting_profile(metadata: Metadata, channels: int) -> bytes | None:
    """The ICC profile if it describes this number of channels: a gray one does not fit RGB."""
    profile = metadata.icc
    if profile is None or len(profile) < 20:
        return profile
    wanted = b"GRAY" if channels < 3 else b"RGB "
    return profile if profile[16:20] in (wanted, b"\0\0\0\0") else None


def _exif_dpi(exif: Image.Exif) -> tuple[float, float] | None:
    values: list[Any] = [exif.get(tag) for tag in (X_RESOLUTION, Y_RESOLUTION)]
    unit = exif.get(RESOLUTION_UNIT, 2)
    if None in values or unit not in (2, 3):
        return None
    try:
        factor = CENTIMETRES_PER_INCH if unit == 3 else 1.0
        return float(values[0]) * factor, float(values[1]) * factor
    except (TypeError, ValueError, ZeroDivisionError):
        return None
