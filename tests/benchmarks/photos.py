"""Scratched photos of any size, made of the public-domain portrait of the example."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from backend.demo import load_portrait

Bytes = npt.NDArray[np.uint8]

NOISE_SIDE = 512
SCRATCHES = 6


def make_photo(width: int, height: int, seed: int = 0) -> tuple[Bytes, Bytes]:
    """(H, W, 3) with grain and white scratches, and (H, W), 255 where they are."""
    photo = np.asarray(cv2.resize(load_portrait(), (width, height), interpolation=cv2.INTER_CUBIC))
    grain = np.random.default_rng(seed).normal(0, 6, (NOISE_SIDE, NOISE_SIDE, 1))
    for top in range(0, height, NOISE_SIDE):
        # In bands, because the making must not need more memory than the restoring.
        band = photo[top : top + NOISE_SIDE]
        columns = -(-width // NOISE_SIDE)
        noise = np.tile(grain, (1, columns, 1))[: band.shape[0], :width]
        band[...] = np.clip(band + noise, 0, 235).astype(np.uint8)
    damage = np.zeros((height, width), np.uint8)
    thickness = max(2, round((width * height) ** 0.5 / 350))
    for index in range(SCRATCHES):
        start = (width * index // SCRATCHES, 0)
        end = (width * (index + 1) // SCRATCHES, height)
        cv2.line(damage, start, end, 255, thickness)
    photo[damage > 0] = 255
    return photo, damage
