"""Put layers over a picture exactly as GIMP does in perceptual space with normal mode."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backend.images import Pixels
from backend.results import ResultLayer

BAND_ROWS = 256
"""Rows blended at a time, which bounds the memory of the 32-bit intermediate."""


def composite(color: Pixels, layers: Iterable[ResultLayer]) -> Pixels:
    """Blend `layers` over a picture, bottom first.

    Args:
        color: (H, W, 1 or 3) of the source; it is not changed.
        layers: "mask" layers are skipped: they are no part of the picture.

    Returns:
        (H, W, 1 or 3): below + (layer - below) * mask / 255, rounded after each layer.
    """
    result = color.copy()
    for layer in layers:
        if layer.kind != "mask":
            put_layer(result, layer)
    return result


def put_layer(color: Pixels, layer: ResultLayer) -> None:
    """Blend one layer into (H, W, 1 or 3) `color` in place."""
    below = color[layer.box.slices]
    if layer.mask is None:
        below[...] = layer.pixels
        return
    for top in range(0, below.shape[0], BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        if not layer.mask[rows].any():
            continue
        weight = layer.mask[rows, :, None].astype(np.uint32)
        mixed = below[rows] * (255 - weight) + layer.pixels[rows] * weight
        # 65535 * 255 + 127 fits 32 bits; where the weight is 0 the result is exactly `below`.
        below[rows] = ((mixed + 127) // 255).astype(color.dtype)
