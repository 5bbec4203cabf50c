"""The photos under review, with a reduced copy that a page can work on quickly."""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from backend.errors import InputError, RestorationError
from backend.images import Mask, Picture, Pixels, as_depth, to_eight_bit

PREVIEW_PIXELS = 3_000_000
"""Restored in a few seconds on two cores, and more than a screen shows."""

WorkSize = Literal["preview", "whole", "full"]
"""Reduced, all pixels in 8 bit (which is what a screen shows), or the photo as it is."""

LEAST_PHOTOS = 2
"""A page that moves on to the next photo may still save the last one."""

MOST_BYTES = 2**29
"""Memory for further ones: other pages may hold what was painted on theirs."""

_FORBIDDEN = frozenset('<>:"/\\|?*')
"""What one system or another refuses in names."""

_JOINERS = frozenset("\u200c\u200d")
"""Invisible like those that turn a name round, but Persian and Hindi words are spelt with them."""

_LONGEST_NAME = 120
"""Bytes of UTF-8 without the ending; a disk holds names of 255."""


class UnknownPhotoError(RestorationError):
    """There is no such photo, or it was forgotten."""

    default_code = "unknown-photo"


@dataclass(frozen=True)
class Photo:
    """One photo under review.

    Attributes:
        name: of its file.
        picture: as it was read.
        preview: (h, w, C) of at most PREVIEW_PIXELS, what the page works on.
        mask: (H, W), what was painted on the page, 255 = repair; None where nothing was.
    """

    id: str
    name: str
    picture: Picture
    preview: Pixels
    mask: Mask | None = None

    @property
    def is_reduced(self) -> bool:
        return self.preview.shape[:2] != self.picture.size.shape

    def pixels(self, size: WorkSize) -> Pixels:
        """(h, w, C), what a job of this size works on."""
        if size == "preview":
            return self.preview
        return self.picture.pixels if size == "full" else to_eight_bit(self.picture.pixels)

    def mask_of(self, size: WorkSize) -> Mask:
        """(h, w), the painted mask for a job of this size.

        Raises:
            InputError: nothing was painted.
        """
        if self.mask is None:
            raise InputError("Nothing was painted on this photo: paint what is damaged first.")
        return reduced_mask(self.mask, self.preview.shape[:2]) if size == "preview" else self.mask

    def has_everything(self, size: WorkSize) -> bool:
        """Whether these are the photo's very pixels, so that a file can be made from them."""
        is_eight_bit = self.picture.pixels.dtype == np.uint8
        return size == "full" or (is_eight_bit and (size == "whole" or not self.is_reduced))


class Photos:
    """The photos of all pages, for any thread; what was unused for the longest time goes first."""

    def __init__(self) -> None:
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._changing = threading.RLock()

    def add(self, path: Path) -> Photo:
        """Read a photo.

        Raises:
            InputError: it cannot be used.
        """
        # These read libraries, which must not delay the server's first answer.
        from backend.files import load_picture

        picture = load_picture(path)
        photo = Photo(secrets.token_hex(8), path.name, picture, reduced(picture.pixels))
        with self._changing:
            self._photos[photo.id] = photo
            while len(self._photos) > LEAST_PHOTOS and self._bytes() > MOST_BYTES:
                self._photos.popitem(last=False)
        return photo

    def _bytes(self) -> int:
        return sum(p.picture.pixels.nbytes + p.preview.nbytes for p in self._photos.values())

    def get(self, photo_id: str) -> Photo:
        """Raises UnknownPhotoError when there is no such photo."""
        try:
            with self._changing:
                self._photos.move_to_end(photo_id)
                return self._photos[photo_id]
        except KeyError:
            raise UnknownPhotoError("This photo is not here any more: open it again.") from None

    def paint(self, photo_id: str, values: bytes) -> None:
        """Keep the mask that was painted on a photo, one byte a pixel.

        Raises:
            UnknownPhotoError: there is no such photo.
            InputError: the mask has another size.
        """
        with self._changing:
            photo = self.get(photo_id)
            size = photo.picture.size
            if len(values) != size.pixel_count:
                raise InputError(
                    f"The mask has {len(values)} bytes and the photo {size.pixel_count} pixels: "
                    "open the photo again."
                )
            mask = np.frombuffer(values, np.uint8).reshape(size.shape)
            self._photos[photo_id] = replace(photo, mask=mask)


def reduced_mask(mask: Mask, shape: tuple[int, int]) -> Mask:
    """A mask in a smaller size: each pixel has the largest of the values that fall into it.

    The page enlarges what was found in the preview by the inverse rule, so that it comes back as it
    was; and no stroke is so thin that it gets lost.

    Args:
        mask: (H, W).
        shape: (h, w), not larger.
    """
    rows, columns = (_first_of_each(*sides) for sides in zip(mask.shape, shape, strict=True))
    largest: Mask = np.maximum.reduceat(np.maximum.reduceat(mask, rows, axis=0), columns, axis=1)
    return largest


def _first_of_each(full: int, small: int) -> list[int]:
    # Pixel i of the full side belongs to the pixel of the small one in which its centre lies.
    return [-(-(2 * index * full - small) // (2 * small)) for index in range(small)]


def reduced(pixels: Pixels) -> Pixels:
    """(H, W, C) as 8 bit, reduced to PREVIEW_PIXELS where it has more."""
    import cv2

    height, width, channels = pixels.shape
    scale = (PREVIEW_PIXELS / (height * width)) ** 0.5
    if scale >= 1:
        return to_eight_bit(pixels)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return to_eight_bit(as_depth(small.reshape(size[1], size[0], channels), like=pixels))


def plain_name(given: str) -> str:
    """A file name from a stranger as one that is harmless in every folder."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    marked = "".join(letter if _is_harmless(letter) else "\0" for letter in last)
    name = re.sub("\0+", "_", marked).strip(" ").rstrip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    short = stem.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return f"{short or 'photo'}{dot}{suffix[:10]}"


def _is_harmless(letter: str) -> bool:
    # Control, format and unassigned characters, and the ends of lines and paragraphs.
    is_invisible = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
    return letter in _JOINERS or not (is_invisible or letter in _FORBIDDEN)
