"""What time and bad scanners do to a whole picture: blur, grain, lost resolution, JPEG, fading.

Pictures are (H, W, 3) float32 RGB in [0, 1]. All choices come from a `numpy.random.Generator`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.training.damage import FloatArray

# Rec. 601 weights, the grey of most scanners and of Pillow's "L".
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Severity:
    """Upper limits of the unstructured degradations.

    Attributes:
        blur_sigma: Gaussian standard deviation in pixels.
        noise: standard deviation of the grain, as a share of full scale.
        reduction: largest factor by which resolution was lost.
        jpeg_quality: lowest JPEG quality.
    """

    blur_sigma: float = 1.6
    noise: float = 0.08
    reduction: float = 2.0
    jpeg_quality: int = 35


def to_gray(image: FloatArray) -> FloatArray:
    """Luminance in all three channels."""
    return np.asarray(np.repeat((image @ LUMINANCE)[..., None], 3, axis=2), dtype=np.float32)


def develop(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Give a modern photo the look of an old print: gray or toned, other contrast.

    This is the *clean* side: a toned print is not damaged, and a restoration keeps its tone.
    """
    if rng.random() < 0.6:
        image = to_gray(image)
        if rng.random() < 0.35:
            paper = np.array([1.0, rng.uniform(0.88, 0.97), rng.uniform(0.7, 0.9)], np.float32)
            ink = np.array([rng.uniform(0.05, 0.25), 0.08, 0.05], dtype=np.float32)
            image = ink * (1 - image) + paper * image
    gamma = rng.uniform(0.75, 1.35)
    black, white = rng.uniform(0, 0.2), rng.uniform(0.8, 1.0)
    return np.asarray(black + (white - black) * np.clip(image, 0, 1) ** gamma, dtype=np.float32)


def add_grain(image: FloatArray, rng: np.random.Generator, severity: Severity) -> FloatArray:
    """Film grain: spatially correlated, mostly in the luminance, strongest in the mid-tones."""
    sigma = rng.uniform(0.01, severity.noise)
    gray = rng.standard_normal((*image.shape[:2], 1)).astype(np.float32)
    size = rng.uniform(0.0, 0.9)
    if size > 0.3:
        blurred = np.asarray(cv2.GaussianBlur(gray, (0, 0), size), dtype=np.float32)[..., None]
        gray = blurred / (blurred.std() + np.float32(1e-6))
    grain = gray
    if rng.random() < 0.4 and np.ptp(image, axis=2).max() > 0.02:
        grain = 0.7 * gray + 0.7 * rng.standard_normal(image.shape).astype(np.float32)
    if rng.random() < 0.5:
        grain = grain * (0.35 + 2.6 * image * (1 - image))
    return np.asarray(np.clip(image + sigma * grain, 0, 1), dtype=np.float32)


def lose_resolution(image: FloatArray, rng: np.random.Generator, severity: Severity) -> FloatArray:
    """Reduce and enlarge again."""
    height, width = image.shape[:2]
    factor = rng.uniform(1.0, severity.reduction)
    small = (max(2, round(width / factor)), max(2, round(height / factor)))
    way_back = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    enlarged = cv2.resize(reduced, (width, height), interpolation=way_back)
    return np.asarray(np.clip(enlarged, 0, 1), dtype=np.float32)


def blur(image: FloatArray, rng: np.random.Generator, severity: Severity) -> FloatArray:
    sigma = rng.uniform(0.3, severity.blur_sigma)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def compress(image: FloatArray, rng: np.random.Generator, severity: Severity) -> FloatArray:
    """Save as JPEG and read back."""
    quality = int(rng.integers(severity.jpeg_quality, 96))
    levels = np.round(image[..., ::-1] * 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert back is not None  # OpenCV just wrote these bytes
    result = np.asarray(back[..., ::-1], dtype=np.float32) / np.float32(255)
    gray = np.ptp(image, axis=2).max() < 1e-4
    return to_gray(result) if gray else np.ascontiguousarray(result)


def degrade(
    image: FloatArray, rng: np.random.Generator, severity: Severity | None = None
) -> FloatArray:
    """Apply a random part of: blur, lost resolution, grain, JPEG, in the order they happen.

    Source: the four operations of Wan et al., CVPR 2020, section 4.1, with correlated grain and in
    the physical order (optics, film, scan, file) instead of a random one.
    """
    severity = severity or Severity()
    if rng.random() < 0.6:
        image = blur(image, rng, severity)
    if rng.random() < 0.35:
        image = lose_resolution(image, rng, severity)
    if rng.random() < 0.75:
        image = add_grain(image, rng, severity)
    if rng.random() < 0.5:
        image = compress(image, rng, severity)
    return image
