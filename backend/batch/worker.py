"""Restore one photo file after the other with warm networks: what runs in every worker."""

from __future__ import annotations

import io
import os
import time
import traceback
from pathlib import Path

import cv2
import torch
from PIL import Image

from backend.batch.work import Report
from backend.device import memory_errors_explained
from backend.errors import InputError, RestorationError
from backend.files import FORMATS, format_of, load_picture, save_picture
from backend.images import Picture, as_depth, to_eight_bit
from backend.networks import Networks
from backend.options import Options
from backend.photo import check_result_fits, found_in_words, restore_photo

THUMBNAIL_SIDE = 256
THUMBNAIL_QUALITY = 70


class PhotoWorker:
    """Warm networks, and photos that go through them.

    Args:
        options: for all photos.
        threads: to compute with.

    Raises:
        WeightsError, DeviceError: nothing can be restored at all.
    """

    def __init__(self, options: Options, threads: int) -> None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        self._options = options
        self._networks = Networks.for_options(options)
        for stage in options.models:
            self._networks.model(stage)

    def restore(self, source: Path, target: Path, memory_bytes: int | None = None) -> Report:
        """Restore a photo; every failure is a report.

        Args:
            source: the photo.
            target: written whole or not at all, and on the disk when this returns.
            memory_bytes: most memory for intermediate results, where the options say nothing.
        """
        started = time.perf_counter()
        self._networks.memory_bytes = self._options.memory_bytes or memory_bytes
        try:
            with memory_errors_explained():
                return self._restore(source, target, started)
        except RestorationError as error:
            seconds = time.perf_counter() - started
            return Report(seconds, error=str(error), error_code=error.code)
        except Exception as error:  # the others shall still be restored
            return Report(
                time.perf_counter() - started,
                error=f"This is an error in Restore Old Photo ({type(error).__name__}): please "
                "report it with its line of the manifest.",
                error_code="unexpected",
                trace=traceback.format_exc(),
            )

    def _restore(self, source: Path, target: Path, started: float) -> Report:
        picture = load_picture(source)
        _check_ending(source, picture)
        check_result_fits(picture, self._networks, self._options, target)
        final, result = restore_photo(picture, None, self._options, self._networks, lambda _: None)
        # A worker that was lost may have been here before.
        save_picture(final, target, overwrite=True)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
        return Report(
            time.perf_counter() - started,
            found_in_words(result),
            tuple(note.message for note in result.notes),
            thumbnail(picture),
            thumbnail(final),
        )


def _check_ending(photo: Path, picture: Picture) -> None:
    """Raises InputError where a photo has a JPEG's name, and its result would lose by being one."""
    suffix = picture.metadata.suffix
    if format_of(photo) != "JPEG" or FORMATS[suffix] == "JPEG":
        return
    if picture.metadata.lossless or picture.has_alpha:
        raise InputError(
            f"{photo.name} is no JPEG by its content, and its result would lose quality as one: "
            f"rename it to end in {suffix}.",
            code="file-ending",
        )


def thumbnail(picture: Picture) -> bytes:
    """A small WebP picture of a photo, on white where it is transparent."""
    height, width = picture.pixels.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Before all else: the photo may be large, and have 16 bit.
    small = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    pixels = to_eight_bit(as_depth(small.reshape(size[1], size[0], -1), picture.pixels))
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if picture.has_alpha:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    stream = io.BytesIO()
    image.convert("RGB").save(stream, format="WEBP", quality=THUMBNAIL_QUALITY)
    return stream.getvalue()
