"""Bring a picture into the tone of another one of the same scene."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CELLS = 16
"""The tone is read from a copy of so many cells along a side: grain and sharpness say nothing."""

CAUTION = 1e-3
"""Weight of leaving the contrast alone, as a sum of squares; it decides in flat places."""


def in_tone_of(wanted: Floats, picture: Floats, known: Floats) -> Floats:
    """The picture with each channel's brightness and contrast brought nearest to another one's.

    A gain and an offset for each channel, by least squares over local means. A map that mixes the
    channels would fit more, but the grain left in the means makes such a fit too pale.

    Args:
        wanted: (S, S, 3) in [0, 1], whose tone is taken.
        picture: (S, S, 3) in [0, 1], the same scene.
        known: (S, S), 1 where both show it, 0 where they cannot be compared.

    Returns:
        (S, S, 3) in [0, 1]; `picture` itself where nothing is known.
    """
    weight = _reduced(known)[..., None]
    total = float(weight.sum())
    if total == 0:
        return picture
    seen, aim = (
        _reduced(image * known[..., None]) / weight.clip(1e-6) for image in (picture, wanted)
    )
    seen_mean, aim_mean = ((weight * cells).sum(axis=(0, 1)) / total for cells in (seen, aim))
    deviation = seen - seen_mean
    covariance = (weight * deviation * (aim - aim_mean)).sum(axis=(0, 1))
    variance = (weight * deviation**2).sum(axis=(0, 1))
    gain = (covariance + CAUTION) / (variance + CAUTION)
    return np.asarray(np.clip((picture - seen_mean) * gain + aim_mean, 0, 1), np.float32)


def _reduced(image: Floats) -> Floats:
    return np.asarray(cv2.resize(image, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float32)
