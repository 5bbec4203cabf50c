"""Load and save photos: PNG, JPEG, TIFF and WebP with their profile, EXIF and resolution."""

from __future__ import annotations

import os
import secrets
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from backend.errors import InputError
from backend.files_faults import faults_explained
from backend.files_jpeg import jpeg_settings, read_caption, read_comments
from backend.files_metadata import (
    fitting_profile,
    read_exif,
    read_metadata,
    with_iptc,
    with_resolution,
)
from backend.files_pixels import OPPOSITE, eight_bit_pixels, oriented
from backend.files_png import (
    check_png,
    is_sixteen_bit_png,
    png_extras,
    read_extras,
    read_sixteen_bit_png,
    write_sixteen_bit_png,
)
from backend.files_tiff import (
    TiffPage,
    find_page,
    is_tiff,
    read_iptc,
    read_sixteen_bit_tiff,
    read_tiff_metadata,
)
from backend.files_tiff_writer import MOST_BYTES, write_tiff
from backend.files_webp import is_lossless_webp
from backend.images import Metadata, Picture, to_eight_bit

FORMATS: Final = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
"""File name endings that are read and written."""

USUAL_SUFFIX: Final = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "TIFF": ".tif",
    "WEBP": ".webp",
}
MOST_PIXELS = 1_000_000_000
WEBP_LONGEST_SIDE = 16383
JPEG_LONGEST_SIDE = 65500
WEBP_QUALITY = 95
"""From 0 to 100; for lossy files only."""

PNG_LONGEST_CHUNK = 1 << 26
"""Bytes of a compressed profile or text; Pillow's own limit refuses large printer profiles."""

# Scans have hundreds of megapixels, which Pillow takes for an attack. Once for the whole program:
# its threads read photos at the same time. `_check_size` refuses what is too large.
Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_CHUNK = PNG_LONGEST_CHUNK


def load_picture(path: Path, *, upright: bool = True) -> Picture:
    """Read a photo.

    Args:
        path: PNG, JPEG, TIFF or WebP, gray or RGB, 8 or 16 bit per channel, one picture.
        upright: turn it as its EXIF orientation says; False gives the pixels as they are stored.

    Raises:
        InputError: one sentence about why it cannot be used.
    """
    with faults_explained(path, MOST_PIXELS):
        return _load(path, upright)


def save_picture(picture: Picture, path: Path, *, overwrite: bool = False) -> None:
    """Write a photo in the format that the ending of `path` names, whole or not at all.

    JPEG and WebP hold 8 bit per channel, JPEG no transparency; 16 bit are rounded to 8 for them.

    Args:
        picture: what to write.
        path: its folder must exist.
        overwrite: replace an existing file; without it an existing file is an error.

    Raises:
        InputError: the format cannot hold the picture, or the file cannot be written.
    """
    kind = format_of(path)
    # A link to nothing takes the name, too.
    if not overwrite and os.path.lexists(path):
        raise _exists(path)
    check_fits(picture, path)
    # Without the name of the photo, which may be as long as the disk allows.
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        # Made here and exclusively, so that the file gets the user's usual permissions.
        with partial.open("xb") as stream:
            write_picture(picture, kind, stream)
        if not overwrite:
            # Another program may have made one meanwhile, and only one of the two gets the name.
            path.open("xb").close()
        _put(partial, path, is_empty=not overwrite)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}): choose another folder.",
            code="file-not-written",
        ) from error
    finally:
        # A disk that takes nothing does not even say that the file is not there.
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _put(partial: Path, path: Path, *, is_empty: bool) -> None:
    """Give a file its name; an empty one that kept it goes where that fails."""
    try:
        partial.replace(path)
    except OSError:
        if is_empty:
            path.unlink(missing_ok=True)
        raise


def _exists(path: Path) -> InputError:
    return InputError(f"{path} exists already: choose another name.", code="file-exists")


def count_pixels(path: Path) -> int | None:
    """Width times height from a photo's header; None where it cannot be read so quickly."""
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except (OSError, SyntaxError, ValueError, struct.error):
        return None


def format_of(path: Path) -> str:
    """The format that the ending of `path` names: PNG, JPEG, TIFF or WEBP.

    Raises:
        InputError: another ending.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"The ending of {path.name} names no known format: use .png, .jpg, .tif or .webp.",
            code="file-ending",
        )
    return kind


def _load(path: Path, upright: bool) -> Picture:
    page = find_page(path, MOST_PIXELS) if is_tiff(path) else None
    # A stream, not a name: Pillow maps a TIFF file that it knows by name with its sides exchanged
    # where the orientation says so, and gives noise.
    with path.open("rb") as stream:
        return _read(stream, path, page, upright)


def _read(stream: BinaryIO, path: Path, page: TiffPage | None, upright: bool) -> Picture:
    try:
        image = Image.open(stream, formats=("PNG", "JPEG", "TIFF", "WEBP"))
    except UnidentifiedImageError:
        if page is None or not page.is_sixteen_bit:
            raise
        metadata, orientation = read_tiff_metadata(path, page)
        pixels = read_sixteen_bit_tiff(path, page)
        return Picture(oriented(pixels, orientation if upright else 1), metadata)
    with image:
        _check_size(image)
        kind = str(image.format)
        _check_single(image, kind, path)
        lossless = kind in ("PNG", "TIFF") or (kind == "WEBP" and is_lossless_webp(path))
        if page is not None:
            image.seek(page.index)
        metadata, orientation = read_metadata(image, lossless=lossless, suffix=USUAL_SUFFIX[kind])
        caption = read_caption(image) if page is None else read_iptc(path, page)
        extras = read_extras(path) if kind == "PNG" else read_comments(image)
        metadata = replace(metadata, exif=with_iptc(metadata.exif, caption), extras=extras)
        if page is not None and page.is_sixteen_bit:
            pixels = read_sixteen_bit_tiff(path, page)
        elif kind == "PNG" and is_sixteen_bit_png(path):
            pixels = read_sixteen_bit_png(path, image.info.get("transparency"))
        else:
            if kind == "PNG":
                check_png(path)
            pixels = eight_bit_pixels(image, path)
            if read_exif(image)[1] != orientation:
                # Pillow has turned it while loading, as it does with TIFF.
                pixels = oriented(pixels, OPPOSITE.get(orientation, orientation))
    return Picture(oriented(pixels, orientation if upright else 1), metadata)


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise Image.DecompressionBombError(f"{image.width} x {image.height}")


def _check_single(image: Image.Image, kind: str, path: Path) -> None:
    # Further pictures in a JPEG are previews or gain maps; TIFF pages are checked before.
    if kind in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1:
        raise InputError(
            "{name} is animated: save the frame that you want as a picture of its own.",
            code="animated",
            name=path.name,
        )


def check_fits(picture: Picture, path: Path) -> None:
    """Raises InputError when the format that `path` names cannot hold the picture."""
    kind = format_of(path)
    longest = {"WEBP": WEBP_LONGEST_SIDE, "JPEG": JPEG_LONGEST_SIDE}.get(kind)
    if longest and max(picture.size.width, picture.size.height) > longest:
        raise InputError(
            f"{path.name} would be wider or higher than the {longest} pixels that the format "
            "holds: use .png or .tif.",
            code="format-size",
        )
    if kind == "TIFF" and picture.pixels.nbytes > MOST_BYTES:
        raise InputError(f"{path.name} would be too large for TIFF: use .png.", code="format-size")
    if kind == "JPEG" and picture.has_alpha:
        raise InputError(
            f"{path.name} cannot be transparent, but the photo is: use .png, .tif or .webp.",
            code="format-alpha",
        )


def write_picture(picture: Picture, kind: str, stream: BinaryIO) -> None:
    """Write a photo that fits the format `kind`: PNG, JPEG, TIFF or WEBP; see `check_fits`."""
    pixels, metadata = picture.pixels, picture.metadata
    channels = pixels.shape[2]
    profile = fitting_profile(metadata, channels)
    if kind == "TIFF":
        write_tiff(picture, profile, stream)
        return
    if kind == "PNG" and pixels.dtype == np.uint16:
        write_sixteen_bit_png(picture, profile, stream)
        return
    image = Image.fromarray(to_eight_bit(pixels if channels > 1 else pixels[..., 0]))
    if kind == "WEBP" and channels < 3:
        image = image.convert("RGB" if channels == 1 else "RGBA")
        profile = fitting_profile(metadata, 3)
    settings = _settings(metadata, kind, profile)
    try:
        image.save(stream, format=kind, **settings)
    except OSError as error:
        if kind != "JPEG" or error.errno is not None:
            raise
        # Pillow allows for two bytes a pixel where it optimizes, and extreme noise takes more.
        stream.seek(0)
        stream.truncate()
        image.save(stream, format=kind, **{**settings, "optimize": False})


def _settings(metadata: Metadata, kind: str, profile: bytes | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if metadata.dpi:
        settings["dpi"] = metadata.dpi
    if kind == "JPEG":
        return settings | jpeg_settings(metadata)
    exif = with_resolution(metadata) if kind == "WEBP" else metadata.exif
    if exif:
        settings["exif"] = exif
    if kind == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for name, data in png_extras(metadata):
            chunks.add(name, data)
        if metadata.xmp:
            chunks.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
        return settings | {"pnginfo": chunks}
    if metadata.xmp:
        settings["xmp"] = metadata.xmp
    # "exact" keeps the colours below full transparency.
    return {**settings, "lossless": metadata.lossless, "quality": WEBP_QUALITY, "exact": True}
