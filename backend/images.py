"""Pictures as arrays of pixels, with what a file says beside them. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from backend.errors import InputError
from backend.geometry import Box, Size

Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""(H, W, C) uint8 or uint16: gray (1), gray and alpha (2), RGB (3), RGB and alpha (4)."""

Mask: TypeAlias = npt.NDArray[np.uint8]
"""(H, W) uint8: 255 = repair, 0 = keep, between = repair in part.

A repair alone fades with the mask. Where the whole picture is cleaned, what is half selected is
repaired, and only places that are fainter throughout are in part.
"""

GRAY_TOLERANCE, STRAY_TOLERANCE, STRAY_SHARE = 1, 8, 1e-3
"""Levels of 8 bit by which the channels of a gray picture differ after lossy compression; those of
a few stray pixels after scaling, and how many of all these are."""


@dataclass(frozen=True)
class Metadata:
    """What a file carries beside its pixels.

    Attributes:
        icc: the ICC profile.
        exif: an EXIF block that begins with b"Exif\\0\\0", orientation already applied and removed.
        xmp: an XMP packet.
        dpi: resolution in pixels per inch, horizontal and vertical.
        extras: kind and data of blocks that only the photo's own format has: comments of JPEG
            (b"COM"), and the chunks of PNG in `files_png.EXTRA_CHUNKS`.
        lossless: the file kept every pixel; decides how WebP is written.
        suffix: the usual file name ending of the format, with its dot.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    extras: tuple[tuple[bytes, bytes], ...] = ()
    lossless: bool = True
    suffix: str = ".png"


@dataclass(frozen=True)
class Picture:
    """Pixels and metadata of one photo.

    Args:
        pixels: (H, W, C), C in 1 (gray), 2 (gray, alpha), 3 (RGB), 4 (RGB, alpha); alpha is not
            multiplied into the colours.

    Raises:
        InputError: another shape or type, or no pixels at all.
    """

    pixels: Pixels
    metadata: Metadata = Metadata()

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.dtype not in (np.uint8, np.uint16):
            raise InputError(
                f"The pixels are {pixels.dtype}, but only 8 and 16 bit per channel can be "
                "restored: convert the picture first.",
                code="pixel-type",
            )
        if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
            raise InputError(
                f"The pixels have the shape {pixels.shape}, but (height, width, 1 to 4 channels) "
                "is expected, with at least one pixel.",
                code="pixel-shape",
            )

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def has_alpha(self) -> bool:
        return self.pixels.shape[2] in (2, 4)

    @property
    def color(self) -> Pixels:
        """(H, W, 1 or 3) without the alpha channel."""
        return self.pixels[..., :-1] if self.has_alpha else self.pixels

    @property
    def alpha(self) -> Pixels | None:
        """(H, W) alpha channel, 0 = transparent."""
        return self.pixels[..., -1] if self.has_alpha else None

    def with_color(self, color: Pixels) -> Picture:
        """The same picture and alpha with other colours of the same shape and depth."""
        if self.has_alpha:
            color = np.concatenate([color, self.pixels[..., -1:]], axis=2)
        return replace(self, pixels=color)


def level_count(pixels: Pixels) -> int:
    """The value of white: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)


def is_gray(color: Pixels) -> bool:
    """Whether (H, W, 1 or 3) `color` shows no colour, by its model or by its values."""
    if color.shape[2] == 1:
        return True
    unit = level_count(color) // 255
    room = STRAY_SHARE * color.shape[0] * color.shape[1]
    # In bands, so that a large picture is not copied as signed integers.
    for top in range(0, color.shape[0], 256):
        band = color[top : top + 256, :, :3].astype(np.int32)
        difference = band.max(axis=2) - band.min(axis=2)
        room -= np.count_nonzero(difference > GRAY_TOLERANCE * unit)
        if room < 0 or difference.max() > STRAY_TOLERANCE * unit:
            return False
    return True


def as_depth(levels: npt.NDArray[Any], like: Pixels) -> Pixels:
    """Rounded levels as a contiguous array with the depth of `like`."""
    if like.dtype == np.uint8:
        return np.ascontiguousarray(levels, dtype=np.uint8)
    return np.ascontiguousarray(levels, dtype=np.uint16)


def bounding_box(mask: Mask) -> Box:
    """The smallest box around the pixels that are not 0; there is at least one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def to_eight_bit(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """The same picture in 8 bit, rounded to the nearest level."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
