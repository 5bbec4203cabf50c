"""Let repaired pixels match the brightness and tint of the untouched picture around them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]
"""(H, W, 3) in [0, 1]."""

REDUCTION = 4
"""The difference is smooth, so it is computed on a picture this much smaller."""

SIGMAS = (64.0, 32.0, 16.0, 8.0, 4.0)
"""Widths of the low-pass in pixels of the full picture, coarse to fine."""

TRUST = 0.05
"""Weight of the coarser estimate, in units of a neighbourhood of known pixels only."""


def match_tone(repaired: Values, source: Values, known: npt.NDArray[np.float32]) -> Values:
    """Add the local mean difference of the known pixels to the repaired picture.

    Args:
        repaired: (H, W, 3), the same scene in another tone.
        source: (H, W, 3).
        known: (H, W), 1 where `source` shows the scene, 0 where it is damaged.

    Returns:
        (H, W, 3), not clipped; `repaired` itself where nothing is known.
    """
    height, width = known.shape
    small = (-(-width // REDUCTION), -(-height // REDUCTION))
    weight = _resized(known, small, cv2.INTER_AREA)
    total = float(weight.sum())
    if total == 0:
        return repaired
    difference = _resized((source - repaired) * known[..., None], small, cv2.INTER_AREA)
    mean = difference.sum(axis=(0, 1)) / total
    offset = np.broadcast_to(mean.astype(np.float32), difference.shape)
    for sigma in SIGMAS:
        blurred = _blurred(difference, sigma / REDUCTION)
        share = _blurred(weight, sigma / REDUCTION)[..., None]
        # Deep inside a large hole the share is nearly 0, and the coarser estimate stays.
        offset = (blurred + TRUST * offset) / (share + TRUST)
    return np.asarray(repaired + _resized(offset, (width, height), cv2.INTER_LINEAR), np.float32)


def _blurred(values: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    blurred = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, dtype=np.float32).reshape(values.shape)


def _resized(
    values: npt.NDArray[np.float32], size: tuple[int, int], method: int
) -> npt.NDArray[np.float32]:
    resized = cv2.resize(np.ascontiguousarray(values), size, interpolation=method)
    return np.asarray(resized, dtype=np.float32).reshape(size[1], size[0], *values.shape[2:])
