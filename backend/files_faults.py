"""What is wrong with a file that cannot be read, in one sentence."""

from __future__ import annotations

import logging
import lzma
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
from PIL import Image, UnidentifiedImageError

from backend.errors import InputError

DAMAGE = (
    *(OSError, SyntaxError, EOFError, struct.error, zlib.error, lzma.LZMAError, cv2.error),
    *(ValueError, ArithmeticError, LookupError, TypeError, AttributeError),
)
"""What Pillow, tifffile and OpenCV raise for truncated or contradictory bytes."""


@contextmanager
def faults_explained(path: Path, most_pixels: int) -> Iterator[None]:
    """Turn what the libraries raise while they read a photo into a sentence.

    Args:
        path: of the photo.
        most_pixels: that Pillow was told to read.

    Raises:
        InputError: one sentence about why the photo cannot be used.
        MemoryError: it is too large for the memory.
    """
    # What tifffile logs of a damaged file would come before the sentence that says so.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    # Of damaged metadata Pillow warns in words for programmers, and goes on without.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    try:
        if not path.is_dir() and not stat.S_ISREG(path.stat().st_mode):
            # Reading one could wait for ever, and goes forwards only.
            raise InputError(
                "{name} is a pipe or a device, not a file: save the photo in a file first.",
                code="file-kind",
                name=str(path),
            )
        yield
    except Image.DecompressionBombError as error:
        raise InputError(
            "{name} has more than {megapixels} megapixels: make it smaller.",
            code="file-too-large",
            name=path.name,
            megapixels=most_pixels // 1_000_000,
        ) from error
    except DAMAGE as error:
        if isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        # Those of the system have a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise _fault_of_the_system(error, path) from error
        raise _fault_of_the_content(error, path) from error


def _fault_of_the_system(error: OSError, path: Path) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(
            "{path} does not exist: check the name.", code="file-missing", path=str(path)
        )
    if isinstance(error, IsADirectoryError):
        return InputError("{path} is a folder, not a photo.", code="file-is-folder", path=str(path))
    if isinstance(error, PermissionError):
        return InputError(
            "{path} may not be read: check its permissions.",
            code="file-permission",
            path=str(path),
        )
    return InputError(
        "{name} cannot be read ({reason}): check its name and its disk.",
        code="file-not-read",
        name=str(path),
        reason=str(error.strerror),
    )


def _fault_of_the_content(error: Exception, path: Path) -> InputError:
    if not isinstance(error, UnidentifiedImageError):
        return InputError(
            "{name} is damaged: copy or scan it again.", code="file-damaged", name=path.name
        )
    if path.stat().st_size == 0:
        return InputError("{name} is empty: copy it again.", code="file-empty", name=path.name)
    return InputError(
        "{name} is no PNG, JPEG, TIFF or WebP picture: convert it to one of them.",
        code="file-format",
        name=path.name,
    )
