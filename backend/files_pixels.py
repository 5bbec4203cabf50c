"""Bring what Pillow has decoded into plain channels, and turn it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from backend.errors import InputError
from backend.images import Pixels

# Direct modes, and what each other mode becomes.
MODES: Final = {"L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "1": "L", "P": "RGB"}
MODES_MORE: Final = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}

OPPOSITE: Final = {6: 8, 8: 6}
"""EXIF orientations that undo each other; all others undo themselves."""


def eight_bit_pixels(image: Image.Image, path: Path) -> Pixels:
    """(H, W, 1 to 4) pixels of an opened picture, gray or RGB and perhaps alpha.

    Raises:
        InputError: another colour model.
    """
    mode = {**MODES, **MODES_MORE}.get(image.mode)
    if mode is None:
        raise InputError(
            "{name} is a picture of the kind {kind}: convert it to gray or RGB with 8 or 16 bit "
            "per channel first.",
            code="color-model",
            name=path.name,
            kind=image.mode,
        )
    if "transparency" in image.info and "A" not in mode:
        mode = "LA" if mode == "L" and image.mode != "P" else "RGBA"
    pixels: Any = np.asarray(image if image.mode == mode else image.convert(mode))
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    result: Pixels = np.ascontiguousarray(pixels)
    return result


def oriented(pixels: Pixels, orientation: int) -> Pixels:
    """Turn and mirror (H, W, C) pixels as the EXIF orientation (1 to 8) says."""
    turned: Any = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    result: Pixels = np.ascontiguousarray(turned)
    return result
