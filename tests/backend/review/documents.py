"""A restored photo as layers, for tests of the files that are made of them."""

from __future__ import annotations

import numpy as np

from backend.geometry import Box
from backend.images import Mask, Metadata, Picture, Pixels
from backend.results import LayerKind, ResultLayer
from backend.review.document import Document, LayerView
from tests.backend.photos import noise

HEIGHT, WIDTH = 40, 56
FACE = Box(10, 6, 34, 30)
EXIF = b"Exif\0\0" + bytes.fromhex(
    # One entry, Artist, with the value "Wan".
    "4d4d002a000000080001013b00020000000457616e0000000000"
)


def layer(
    kind: LayerKind, box: Box, pixels: Pixels, mask: Mask | None, index: int, name: str
) -> ResultLayer:
    return ResultLayer(kind, name, box, pixels, mask, index)


def document(
    channels: int,
    depth: int,
    views: dict[LayerKind, LayerView] | None = None,
    icc: bytes | None = None,
) -> Document:
    """A photo with every kind of layer and soft masks."""
    photo = noise(HEIGHT, WIDTH, channels, depth)
    colors = 3 if channels >= 3 else 1
    damage = np.zeros((HEIGHT, WIDTH), np.uint8)
    damage[5:30, 20:24] = 200
    whole = Box(0, 0, WIDTH, HEIGHT)
    restored = noise(HEIGHT, WIDTH, colors, depth, seed=1)
    repair = Box(20, 5, 24, 30)
    soft = np.random.default_rng(3).integers(0, 256, (24, 24), dtype=np.uint8)
    layers = [
        layer("mask", whole, damage[..., None], None, 0, "Scratch mask"),
        layer(
            "repair", repair, restored[repair.slices], damage[repair.slices], 1, "Scratch repair"
        ),
        layer("restored", whole, restored, None, 2, "Restored"),
        layer("face", FACE, noise(24, 24, colors, depth, seed=2), soft, 3, "Face 1"),
    ]
    metadata = Metadata(icc=icc, exif=EXIF, dpi=(300.0, 300.0))
    return Document("scan of 1950.png", Picture(photo, metadata), layers, views or {})
