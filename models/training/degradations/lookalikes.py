"""Draw what looks like damage and is none: writing, wires, hair, fences, lace, edges of prints."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from models.training.degradations.marks import SHIFT_BITS, ByteArray, FloatArray, Paint

_LETTERS = list("ABCDEFGHKLMNOPRSTUWabcdefghiklmnorstuw0123456789.,&-' ")


def draw_lookalikes(shape: tuple[int, int], rng: np.random.Generator) -> Paint:
    """Draw one to four of them; they belong to the picture and are no damage.

    Args:
        shape: (H, W).
    """
    paint = Paint.nothing(shape)
    for _ in range(int(rng.integers(1, 5))):
        draw = _DRAWERS[int(rng.integers(len(_DRAWERS)))]
        canvas = draw(shape, rng)
        opacity = canvas.astype(np.float32) / np.float32(255) * np.float32(rng.uniform(0.4, 1.0))
        soft = np.asarray(cv2.GaussianBlur(opacity, (0, 0), rng.uniform(0.3, 1.0)), np.float32)
        level = rng.uniform(0.0, 0.3) if rng.random() < 0.5 else rng.uniform(0.7, 1.0)
        paint.add(soft, np.full(3, level), draw.__name__.strip("_"))
    return paint


def add_print_edges(
    paint: Paint, shape: tuple[int, int], rng: np.random.Generator, *, sides: int | None = None
) -> None:
    """Show a print's edges: its margin, as thin as a scratch, and what it lay on in the scanner.

    Args:
        paint: gets both on top.
        shape: (H, W).
        sides: how many of the four are seen; by chance if None.
    """
    if sides is None:
        sides = 4 if rng.random() < 0.35 else 1 + int(rng.binomial(3, 0.3))
    depth = _depth_in_print(shape, rng, sides)
    softness = rng.uniform(0.7, 2.5)

    def outside(distance: float) -> FloatArray:
        return np.asarray(np.clip((distance - depth) / softness + 0.5, 0, 1), np.float32)

    if rng.random() < 0.9:
        width = min(shape) * np.exp(rng.uniform(np.log(0.004), np.log(0.04)))
        level = rng.uniform(0.65, 1.0) if rng.random() < 0.8 else rng.uniform(0.0, 0.3)
        paint.add(outside(width), np.full(3, level), "margin")
    level = rng.uniform(0.0, 0.35) if rng.random() < 0.75 else rng.uniform(0.5, 1.0)
    paint.add(outside(0.0), np.full(3, level), "ground")


def _depth_in_print(shape: tuple[int, int], rng: np.random.Generator, sides: int) -> FloatArray:
    """(H, W), how far each pixel lies inside the edges of a print that lay hardly askew."""
    height, width = shape
    turn = np.radians(rng.normal(0, 0.7))
    y, x = np.mgrid[:height, :width].astype(np.float32) - np.reshape(
        np.array([height, width], np.float32) / 2, (2, 1, 1)
    )
    across, down = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    inset = rng.uniform(0.005, 0.16, 4) * min(shape)
    distances = (width / 2 + across, width / 2 - across, height / 2 + down, height / 2 - down)
    depths = [distances[n] - inset[n] for n in rng.permutation(4)[:sides]]
    return np.asarray(np.min(depths, axis=0), np.float32)


def _writing(shape: tuple[int, int], rng: np.random.Generator) -> ByteArray:
    """A line of letters, as on shop signs or under a print; two of the fonts are handwriting."""
    canvas = np.zeros(shape, dtype=np.uint8)
    letters = "".join(rng.choice(_LETTERS, int(rng.integers(3, 18))))
    x, y = (int(v) for v in rng.uniform([0, 0], [shape[1] * 0.7, shape[0]]))
    size, thickness = rng.uniform(0.4, 1.8), int(rng.integers(1, 4))
    cv2.putText(canvas, letters, (x, y), int(rng.integers(8)), size, 255, thickness, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((x, y), rng.normal(0, 8), 1.0)
    return np.asarray(cv2.warpAffine(canvas, turn, shape[::-1]), dtype=np.uint8)


def _lattice(shape: tuple[int, int], rng: np.random.Generator) -> ByteArray:
    """Regular parallel or crossing bars: fences, window panes, checked cloth."""
    canvas = np.zeros(shape, dtype=np.uint8)
    spacing, thickness = rng.uniform(5, 40), int(rng.integers(1, 4))
    directions = [rng.uniform(0, np.pi)]
    if rng.random() < 0.6:
        directions.append(directions[0] + np.pi / 2)
    centre = rng.uniform([0, 0], [shape[1], shape[0]])
    reach = rng.uniform(0.15, 0.6) * max(shape)
    for direction in directions:
        along = np.array([np.cos(direction), np.sin(direction)])
        across = np.array([-along[1], along[0]])
        for offset in np.arange(-reach, reach, spacing):
            ends = [centre + across * offset + along * sign * reach for sign in (-1, 1)]
            _stroke(canvas, np.array(ends), 255, thickness)
    return canvas


def _lace(shape: tuple[int, int], rng: np.random.Generator) -> ByteArray:
    """A regular pattern of rings and loops: lace, nets, embroidery, chains."""
    canvas = np.zeros(shape, dtype=np.uint8)
    pitch, thickness = rng.uniform(6, 24), int(rng.integers(1, 3))
    axes = rng.uniform(0.25, 0.65, 2) * pitch * 2**SHIFT_BITS
    middle = rng.uniform([0, 0], [shape[1], shape[0]])
    columns, rows = rng.integers(2, 14, 2)
    turn = rng.uniform(0, np.pi)
    u, v = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    for row in range(int(rows)):
        for column in range(int(columns)):
            place = middle + pitch * ((column + row % 2 / 2) * u + row * v)
            centre = tuple(int(value) for value in place * 2**SHIFT_BITS)
            cv2.ellipse(
                canvas,
                centre,
                (int(axes[0]), int(axes[1])),
                np.degrees(turn),
                0,
                360,
                255,
                thickness,
                cv2.LINE_AA,
                SHIFT_BITS,
            )
    return canvas


def _strands(shape: tuple[int, int], rng: np.random.Generator) -> ByteArray:
    """A lock of hair or a tuft of grass: many fine curves that run alike."""
    canvas = np.zeros(shape, dtype=np.uint8)
    root = rng.uniform([0, 0], [shape[1], shape[0]])
    direction, spread = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.5)
    length, bend = rng.uniform(0.1, 0.6) * max(shape), rng.normal(0, 0.12)
    width = rng.uniform(3, 0.25 * max(shape))
    for _ in range(int(rng.integers(8, 60))):
        angles = direction + rng.normal(0, spread) + np.cumsum(bend + rng.normal(0, 0.04, 12))
        steps = np.stack([np.cos(angles), np.sin(angles)], 1) * length / 12 * rng.uniform(0.6, 1)
        start = root + rng.normal(0, width / 2, 2)
        _stroke(canvas, start + np.cumsum(steps, axis=0), int(rng.integers(90, 256)), 1)
    return canvas


def _wires(shape: tuple[int, int], rng: np.random.Generator) -> ByteArray:
    """Two to six lines that hang alike between two ends: telegraph wires, rigging, clotheslines."""
    canvas = np.zeros(shape, dtype=np.uint8)
    x = np.linspace(-0.1, 1.1, 24) * shape[1]
    sag, slope = rng.uniform(0, 0.15) * shape[0], rng.normal(0, 0.3)
    top, gap = rng.uniform(0, 0.7) * shape[0], rng.uniform(4, 24)
    thickness = int(rng.integers(1, 3))
    for number in range(int(rng.integers(2, 7))):
        y = top + number * gap + slope * (x - shape[1] / 2)
        y += sag * (1 - (2 * x / shape[1] - 1) ** 2)
        _stroke(canvas, np.stack([x, y], axis=1), 255, thickness)
    return canvas


def _plain_shape(shape: tuple[int, int], rng: np.random.Generator) -> ByteArray:
    """A plain bright or dark shape with a sharp edge: a wall, a window, a mount."""
    canvas = np.zeros(shape, dtype=np.uint8)
    centre = rng.uniform([0, 0], [shape[1], shape[0]])
    corners = centre + rng.uniform(-0.4, 0.4, (4, 2)) * max(shape)
    hull = cv2.convexHull(np.round(corners).astype(np.int32))
    cv2.fillPoly(canvas, [hull], 255, cv2.LINE_AA)
    return canvas


def _stroke(canvas: ByteArray, points: npt.NDArray[np.float64], value: int, thickness: int) -> None:
    fixed = np.round(points * 2**SHIFT_BITS).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, value, thickness, cv2.LINE_AA, SHIFT_BITS)


_DRAWERS = (_writing, _writing, _lattice, _lace, _strands, _wires, _plain_shape)
