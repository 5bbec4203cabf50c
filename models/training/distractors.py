"""Things that look like damage and are not: writing, wires, fences, checked cloth."""

from __future__ import annotations

import cv2
import numpy as np

from models.training.damage import ByteArray, FloatArray

_LETTERS = list("ABCDEFGHKLMNOPRSTUWabcdefghiklmnorstuw0123456789.,&-' ")


def add_distractors(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw one to three of them into a picture.

    Args:
        image: (H, W, 3) float32 in [0, 1]; it is not changed.

    Returns:
        A new picture; what was drawn belongs to it and is no damage.
    """
    result = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        draw = (_writing, _lattice, _ruled_area)[int(rng.integers(3))]
        result = draw(result, rng)
    return result


def _ink(rng: np.random.Generator) -> float:
    return float(rng.choice([rng.uniform(0.0, 0.3), rng.uniform(0.7, 1.0)]))


def _writing(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A line of letters, as on shop signs or under a print."""
    letters = "".join(rng.choice(_LETTERS, int(rng.integers(3, 18))))
    font = int(rng.choice([0, 1, 2, 3, 4, 5, 6, 7]))
    place = rng.uniform([0, 0], [image.shape[1] * 0.7, image.shape[0]])
    canvas = np.zeros(image.shape[:2], dtype=np.uint8)
    cv2.putText(
        canvas,
        letters,
        (int(place[0]), int(place[1])),
        font,
        rng.uniform(0.4, 1.8),
        255,
        int(rng.integers(1, 4)),
        cv2.LINE_AA,
    )
    turn = cv2.getRotationMatrix2D((float(place[0]), float(place[1])), rng.normal(0, 8), 1.0)
    turned = np.asarray(cv2.warpAffine(canvas, turn, image.shape[1::-1]), dtype=np.uint8)
    return _laid_over(image, turned, rng)


def _lattice(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Regular parallel or crossing bars: fences, window panes, lace, checked cloth."""
    canvas = np.zeros(image.shape[:2], dtype=np.uint8)
    spacing, thickness = rng.uniform(5, 40), int(rng.integers(1, 4))
    directions = [rng.uniform(0, np.pi)]
    if rng.random() < 0.6:
        directions.append(directions[0] + np.pi / 2)
    centre = rng.uniform([0, 0], [image.shape[1], image.shape[0]])
    reach = rng.uniform(0.15, 0.6) * max(image.shape[:2])
    for direction in directions:
        along = np.array([np.cos(direction), np.sin(direction)])
        across = np.array([-along[1], along[0]])
        for offset in np.arange(-reach, reach, spacing):
            ends = [centre + across * offset + along * sign * reach for sign in (-1, 1)]
            points = np.round(np.array(ends)).astype(np.int32)
            cv2.polylines(canvas, [points], False, 255, thickness, cv2.LINE_AA)
    return _laid_over(image, canvas, rng)


def _ruled_area(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A plain bright or dark shape with a sharp edge: a wall, a window, a mount."""
    canvas = np.zeros(image.shape[:2], dtype=np.uint8)
    centre = rng.uniform([0, 0], [image.shape[1], image.shape[0]])
    corners = centre + rng.uniform(-0.4, 0.4, (4, 2)) * max(image.shape[:2])
    hull = cv2.convexHull(np.round(corners).astype(np.int32))
    cv2.fillPoly(canvas, [hull], 255, cv2.LINE_AA)
    return _laid_over(image, canvas, rng)


def _laid_over(image: FloatArray, canvas: ByteArray, rng: np.random.Generator) -> FloatArray:
    alpha = canvas.astype(np.float32)[..., None] / 255 * rng.uniform(0.4, 1.0)
    soft = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.3, 1.0))[..., None]
    return np.asarray(image * (1 - soft) + _ink(rng) * soft, dtype=np.float32)
