"""Put layers over a picture exactly as GIMP does in perceptual space with normal mode."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backend.images import Pixels
from backend.results import ResultLayer

FULL_WEIGHT = np.uint32(255 * 100)
"""A mask's white times an opacity of 100 per cent."""

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


def put_layer(color: Pixels, layer: ResultLayer, opacity_percent: int = 100) -> None:
    """Blend one layer into (H, W, 1 or 3) `color` in place; its opacity is from 0 to 100."""
    below = color[layer.box.slices]
    if layer.mask is None and opacity_percent == 100:
        below[...] = layer.pixels
        return
    for top in range(0, below.shape[0], BAND_ROWS):
        rows = slice(top, top + BAND_ROWS)
        mask = np.uint32(255) if layer.mask is None else layer.mask[rows, :, None].astype(np.uint32)
        weight = mask * np.uint32(opacity_percent)
        if not weight.any():
            continue
        mixed = below[rows] * (FULL_WEIGHT - weight) + layer.pixels[rows] * weight
        # 65535 * 25500 fits 32 bits; where the weight is 0 the result is exactly `below`.
        below[rows] = ((mixed + FULL_WEIGHT // 2) // FULL_WEIGHT).astype(color.dtype)
