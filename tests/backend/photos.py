"""Photos for tests: a real portrait that comes with scikit-image, and made ones."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from backend.demo import load_portrait
from backend.images import Mask, Pixels


@lru_cache
def portrait() -> Pixels:
    """(240, 240, 3), a face about 90 pixels wide in the middle; no white pixel."""
    pixels = np.minimum(load_portrait()[10:250, 100:340], 235)
    pixels.setflags(write=False)
    return pixels


def noise(height: int, width: int, channels: int, depth: int = 8, seed: int = 0) -> Pixels:
    """Random levels, none of them white."""
    generator = np.random.default_rng(seed)
    if depth == 8:
        return generator.integers(0, 235, (height, width, channels), dtype=np.uint8)
    return generator.integers(0, 60000, (height, width, channels), dtype=np.uint16)


def scratched(pixels: Pixels) -> tuple[Pixels, Mask]:
    """White scratches drawn on a picture, and where they are (255)."""
    height, width = pixels.shape[:2]
    drawn = np.zeros((height, width), dtype=np.uint8)
    cv2.line(drawn, (width // 5, 0), (width // 3, height), 255, 3)
    cv2.line(drawn, (0, height - 20), (width, height - 30), 255, 3)
    damaged = pixels.copy()
    damaged[drawn > 0] = np.iinfo(pixels.dtype).max
    return damaged, drawn
