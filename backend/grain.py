"""Grain that enhancement took away, made anew from what the picture around shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from cv2 import GaussianBlur

from backend.alignment import Crop

SMOOTHING = 1.2
"""Standard deviation, in pixels, of the blur that parts grain from shapes."""

CLIP = 2.5
"""Standard deviations of the grain beyond which a deviation is an edge."""

LEAST = 0.002
"""Half an 8-bit level: standard deviation of grain below which nobody misses it."""

_FROM_MEDIAN = 1.4826
"""Standard deviation of normal noise over the median of its absolute values."""

Floats = npt.NDArray[np.float32]


def with_grain(before: Crop, after: Crop) -> Crop:
    """Give a face the grain that it had, so that it does not look pasted in.

    Where both have as much, or the picture has none, `after` comes back as it is. The grain is
    random: its spectrum and colours are those of `before`, its places are not, since what lies in
    the same places belongs to the blur and the blocks that were removed.

    Args:
        before, after: (S, S, 3) in [0, 1].

    Source:
        B. Galerne, Y. Gousseau, J.-M. Morel, "Random phase textures: theory and synthesis", IEEE
        Transactions on Image Processing 20(1), 2011.
    """
    wanted, present = grain_deviation(before), grain_deviation(after)
    missing = np.sqrt(np.maximum(wanted**2 - present**2, 0))
    missing[missing < LEAST] = 0
    if not missing.any():
        return after
    pattern = _shuffled(_fine(before).clip(-CLIP * wanted, CLIP * wanted))
    pattern /= np.maximum(pattern.std(axis=(0, 1)), 1e-6)
    return np.asarray(np.clip(after + missing * pattern, 0, 1), dtype=np.float32)


def grain_deviation(crop: Crop) -> Floats:
    """(3,), standard deviation of what is finer than shapes, by channel; edges hardly count."""
    deviations = np.abs(_fine(crop)).reshape(-1, crop.shape[2])
    return np.asarray(_FROM_MEDIAN * np.median(deviations, axis=0), dtype=np.float32)


def _fine(crop: Crop) -> Floats:
    smooth = np.asarray(GaussianBlur(crop, (0, 0), SMOOTHING), dtype=np.float32)
    return crop - smooth


def _shuffled(pattern: Floats) -> Floats:
    """The same spectrum with random phases, the same for all channels so that gray stays gray."""
    rng = np.random.default_rng(0)
    noise = np.fft.rfft2(rng.standard_normal(pattern.shape[:2]))
    phases = noise / np.maximum(np.abs(noise), 1e-9)
    spectrum = np.fft.rfft2(pattern, axes=(0, 1)) * phases[..., None]
    return np.asarray(np.fft.irfft2(spectrum, pattern.shape[:2], axes=(0, 1)), dtype=np.float32)
