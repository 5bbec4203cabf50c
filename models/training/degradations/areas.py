"""Areas drawn with a brush: what people select, and the holes of the papers' tests."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.training.degradations.marks import ByteArray, FloatArray

SELECTED_SHARE, COVERED_SHARE = 0.12, 0.4
"""Of the pictures: undamaged pixels are selected; something opaque lies under the selection."""


@dataclass(frozen=True)
class Brush:
    """How strokes look, in shares of the picture's longer side.

    Attributes:
        width: least and greatest.
        longest: of a stroke; the shortest is a dot.
    """

    width: tuple[float, float]
    longest: float


BROAD, FINE = Brush((0.015, 0.16), 0.6), Brush((0.003, 0.015), 1.0)


def draw_selection(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Draw a selection, or nothing.

    Args:
        shape: (H, W).
        rng: source of all choices.

    Returns:
        (2, H, W) float32: 1 where a pixel is selected though nothing is wrong with it; 1 where
        something else than the picture is shown.
    """
    selection = np.zeros((2, *shape), np.float32)
    kind = rng.random()
    if kind < SELECTED_SHARE:
        selection[0] = _strokes(shape, rng)
    elif kind < SELECTED_SHARE + COVERED_SHARE:
        selection[1] = _strokes(shape, rng)
    return selection


def draw_holes(
    shape: tuple[int, int], rng: np.random.Generator, share: float, brush: Brush
) -> FloatArray:
    """Strokes that cover at least a share of the picture.

    Args:
        shape: (H, W).
        rng: source of all choices.
        share: in [0, 1).
        brush: what they are drawn with.

    Returns:
        (H, W) float32, 0 or 1.
    """
    holes = np.zeros(shape, np.float32)
    while holes.mean() < share:
        holes = np.maximum(holes, _strokes(shape, rng, brush))
    return holes


def draw_tears(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """What a print loses: a corner, a fold across it, and a place where something stuck to it.

    Args:
        shape: (H, W).
        rng: source of all choices.

    Returns:
        (H, W) float32, 0 or 1.
    """
    height, width = shape
    side = min(shape)
    canvas: ByteArray = np.zeros(shape, np.uint8)
    across, down = rng.uniform(0.15, 0.3, 2) * side
    corner = np.array([[0, 0], [across, 0], [0.4 * across, 0.35 * down], [0, down]])
    rows = np.linspace(0, width, 5)
    fold = np.stack([rows, height * rng.uniform(0.3, 0.7) + rng.normal(0, 0.03 * side, 5)], axis=1)
    cv2.polylines(canvas, [fold.round().astype(np.int32)], False, 1, round(0.07 * side))
    axes = (rng.uniform(0.05, 0.1, 2) * side).round().astype(int)
    centre = (rng.uniform(0.2, 0.8, 2) * (width, height)).round().astype(int)
    cv2.ellipse(canvas, centre.tolist(), axes.tolist(), rng.uniform(0, 180), 0, 360, 1, -1)
    cv2.fillPoly(canvas, [corner.round().astype(np.int32)], 1)
    if rng.random() < 0.5:
        canvas = canvas[:, ::-1]
    if rng.random() < 0.5:
        canvas = canvas[::-1]
    return canvas.astype(np.float32)


def _strokes(shape: tuple[int, int], rng: np.random.Generator, brush: Brush = BROAD) -> FloatArray:
    """One to three strokes of a brush, dots among them."""
    canvas: ByteArray = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        width = rng.uniform(*brush.width) * max(shape)
        length = rng.uniform(0, brush.longest) * max(shape)
        angles = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.3, 8))
        steps = np.stack([np.cos(angles), np.sin(angles)], 1) * length / 8
        points = rng.uniform([0, 0], [shape[1], shape[0]]) + np.cumsum(steps, axis=0)
        cv2.polylines(canvas, [np.round(points).astype(np.int32)], False, 1, max(2, round(width)))
    return canvas.astype(np.float32)
