"""Draw structured damage: scratches, folds, hairs, dust, spots and torn edges.

Structured damage hides what was there, so it has a mask; blur, noise and the like have none. Marks
are drawn with OpenCV from a `numpy.random.Generator`, one picture at a time; laying them over a
batch of pictures is tensor code (`painting.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Sprites = dict[str, list[ByteArray]]
Tone = Literal["any", "light", "dark"]

# Sub-pixel positions for OpenCV's anti-aliased drawing: coordinates carry this many binary digits.
SHIFT_BITS = 3

_SPRITE_CLASSES = ("hair", "hair-short", "lint", "spots", "dots", "dirt", "sprinkles")

# Every eighth sprite of a class is never trained on, so that tests see unknown ones.
_TEST_SHARE = 8


@dataclass
class Paint:
    """Layers of colour laid over each other.

    Attributes:
        color: (H, W, 3) float32 in [0, 1], already multiplied by the opacity.
        opacity: (H, W) float32 in [0, 1].
        kinds: what was drawn, in order.
    """

    color: FloatArray
    opacity: FloatArray
    kinds: list[str]

    @classmethod
    def nothing(cls, shape: tuple[int, int]) -> Paint:
        return cls(np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32), [])

    def add(self, opacity: FloatArray, color: npt.NDArray[np.float64], kind: str) -> None:
        """Lay an even colour over what is there. opacity: (H, W); color: (3,)."""
        self.color *= (1 - opacity)[..., None]
        self.color += opacity[..., None] * color.astype(np.float32)
        self.opacity += opacity * (1 - self.opacity)
        self.kinds.append(kind)

    def as_array(self) -> FloatArray:
        """(4, H, W): colour and opacity."""
        planes = np.concatenate([self.color, self.opacity[..., None]], axis=2)
        return np.ascontiguousarray(planes.transpose(2, 0, 1))


def load_sprites(folder: Path, part: Literal["train", "test"]) -> Sprites:
    """Read the binary damage sprites, one list of (h, w) uint8 masks (0 or 255) per class.

    Args:
        folder: holds a folder of image files per class.
        part: which of the two disjoint parts.
    """
    sprites: Sprites = {}
    for name in _SPRITE_CLASSES:
        files = sorted((folder / name).glob("*.png"))
        chosen = [f for n, f in enumerate(files) if (n % _TEST_SHARE == 0) == (part == "test")]
        pictures = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in chosen]
        sprites[name] = [np.asarray(p, dtype=np.uint8) for p in pictures if p is not None]
    return sprites


def draw_marks(
    shape: tuple[int, int],
    rng: np.random.Generator,
    sprites: Sprites,
    amount: float = 1.0,
    tone: Tone = "any",
) -> Paint:
    """Draw a random mixture of marks, light (bare paper) and dark (dirt, shadow).

    Args:
        shape: (H, W).
        rng: source of all choices.
        sprites: from `load_sprites`; classes may be empty.
        amount: scales the number of marks; 1 is a badly kept photo.
        tone: draw only marks of this tone.
    """
    paint = Paint.nothing(shape)
    area = shape[0] * shape[1] / 256**2
    for draw, mean_count in _DRAWERS:
        # Few kinds of damage occur together on one photo.
        if rng.random() > 0.4:
            continue
        for _ in range(rng.poisson(mean_count * amount * area)):
            opacity = draw(shape, rng, sprites) * np.float32(rng.uniform(0.35, 1.0))
            is_light = rng.random() < 0.6 if tone == "any" else tone == "light"
            paint.add(opacity, _color(rng, is_light=is_light), draw.__name__.strip("_"))
            if draw is _fold and tone == "any" and rng.random() < 0.5:
                _shade_beside(paint, opacity, rng)
    return paint


def draw_lines(shape: tuple[int, int], rng: np.random.Generator) -> Paint:
    """Draw one to three lines through the picture, the plainest of all damage.

    Among many marks they are rare, and masts, ropes and window bars are like them.

    Args:
        shape: (H, W).
        rng: source of all choices.
    """
    paint = Paint.nothing(shape)
    for _ in range(int(rng.integers(1, 4))):
        steep = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.02)
        angle = steep if rng.random() < 0.6 else rng.uniform(0, 2 * np.pi)
        path = _walk(shape, rng, angle, rng.uniform(0.6, 2.5) * max(shape), rng.uniform(0, 0.03))
        opacity = _polyline(shape, path, int(rng.choice([1, 2, 2, 3, 3, 4, 5])))
        color = _color(rng, is_light=rng.random() < 0.65)
        paint.add(opacity * np.float32(rng.uniform(0.5, 1.0)), color, "line")
    return paint


def _color(rng: np.random.Generator, *, is_light: bool) -> npt.NDArray[np.float64]:
    """(3,): bare paper, or dirt and shadow; nearly gray."""
    level = rng.uniform(0.75, 1.0) if is_light else rng.uniform(0.0, 0.25)
    return np.asarray(np.clip(level + rng.normal(0, 0.03, 3), 0, 1), dtype=np.float64)


def _shade_beside(paint: Paint, opacity: FloatArray, rng: np.random.Generator) -> None:
    """A crease is lit on one side and dark on the other."""
    move = np.array([[1, 0, rng.uniform(-3, 3)], [0, 1, rng.uniform(-3, 3)]])
    moved = cv2.warpAffine(opacity, move, opacity.shape[::-1])
    shadow = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.8, 2.5)) * (1 - opacity)
    shadow = np.asarray(shadow * rng.uniform(0.1, 0.5), dtype=np.float32)
    paint.add(shadow, np.full(3, rng.uniform(0, 0.2)), "crease shadow")


def _polyline(
    shape: tuple[int, int], points: npt.NDArray[np.float64], thickness: int
) -> FloatArray:
    canvas = np.zeros(shape, dtype=np.uint8)
    fixed = np.round(points * 2**SHIFT_BITS).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, 255, thickness, cv2.LINE_AA, SHIFT_BITS)
    return canvas.astype(np.float32) / np.float32(255)


def _smooth_noise(shape: tuple[int, int], cell: float, rng: np.random.Generator) -> FloatArray:
    """Standard normal noise that varies over about `cell` pixels."""
    coarse = rng.standard_normal(
        (max(2, int(shape[0] / cell) + 2), max(2, int(shape[1] / cell) + 2))
    )
    noise = cv2.resize(coarse.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / (noise.std() + 1e-6), dtype=np.float32)


def _walk(
    shape: tuple[int, int], rng: np.random.Generator, angle: float, length: float, bend: float
) -> npt.NDArray[np.float64]:
    """A wandering path through a random point of the picture."""
    steps = max(4, int(length / 8))
    angles = angle + np.cumsum(rng.normal(0, bend, steps))
    offsets = np.cumsum(np.stack([np.cos(angles), np.sin(angles)], 1) * length / steps, axis=0)
    middle = rng.uniform([0, 0], [shape[1], shape[0]])
    return np.asarray(middle + offsets - offsets[steps // 2], dtype=np.float64)


def _interrupted(opacity: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Let a scratch fade and break along its way, as real ones do."""
    if rng.random() < 0.5:
        return opacity
    gate = _smooth_noise(opacity.shape[:2], rng.uniform(6, 40), rng) + rng.uniform(0.2, 1.5)
    return np.asarray(opacity * np.clip(gate * 2, 0, 1), dtype=np.float32)


def _scratch(shape: tuple[int, int], rng: np.random.Generator, _: Sprites) -> FloatArray:
    length = rng.uniform(0.05, 1.2) * max(shape)
    path = _walk(shape, rng, rng.uniform(0, 2 * np.pi), length, rng.uniform(0, 0.12))
    thickness = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    return _interrupted(_polyline(shape, path, thickness), rng)


def _film_line(shape: tuple[int, int], rng: np.random.Generator, _: Sprites) -> FloatArray:
    """A nearly straight line along one axis, as a transport roller leaves."""
    axis = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.02)
    path = _walk(shape, rng, axis, 2.5 * max(shape), 0.002)
    return _interrupted(_polyline(shape, path, int(rng.choice([1, 1, 2]))), rng)


def _fold(shape: tuple[int, int], rng: np.random.Generator, _: Sprites) -> FloatArray:
    """A crease through the whole print: a broken core with flaked-off edges."""
    path = _walk(shape, rng, rng.uniform(0, np.pi), 2.5 * max(shape), 0.01)
    path += rng.normal(0, 0.6, path.shape)
    wide = _polyline(shape, path, int(rng.integers(3, 10)))
    flakes = wide * (_smooth_noise(shape, rng.uniform(2, 6), rng) > rng.uniform(-0.3, 1.0))
    core = _polyline(shape, path, int(rng.integers(1, 4)))
    return np.asarray(np.maximum(core, cv2.GaussianBlur(flakes, (3, 3), 0)), dtype=np.float32)


def _specks(shape: tuple[int, int], rng: np.random.Generator, _: Sprites) -> FloatArray:
    """A handful of dust grains."""
    canvas = np.zeros(shape, dtype=np.uint8)
    for _unused in range(int(rng.integers(3, 20))):
        centre = rng.uniform([0, 0], [shape[1], shape[0]]) * 2**SHIFT_BITS
        axes = rng.uniform(0.5, 2.8, 2) * 2**SHIFT_BITS
        cv2.ellipse(
            canvas,
            (int(centre[0]), int(centre[1])),
            (int(axes[0]), int(axes[1])),
            rng.uniform(0, 180),
            0,
            360,
            255,
            -1,
            cv2.LINE_AA,
            SHIFT_BITS,
        )
    return canvas.astype(np.float32) / np.float32(255)


def _flake(shape: tuple[int, int], rng: np.random.Generator, _: Sprites) -> FloatArray:
    """A patch of lost emulsion with a ragged outline."""
    radius = rng.uniform(3, 0.12 * max(shape))
    centre = rng.uniform([0, 0], [shape[1], shape[0]])
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    stretch = rng.uniform(0.5, 2.0)
    distance = np.hypot((columns - centre[0]) * stretch, rows - centre[1]) / radius
    edge = 1 - distance + 0.35 * _smooth_noise(shape, max(2.0, radius / 3), rng)
    return np.asarray(np.clip(edge * radius / 1.5, 0, 1), dtype=np.float32)


def _torn_edge(shape: tuple[int, int], rng: np.random.Generator, _: Sprites) -> FloatArray:
    """A border or corner that is missing."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    across = columns * np.cos(angle) + rows * np.sin(angle)
    across = (across - across.min()) / max(shape)
    edge = rng.uniform(0.02, 0.15) + 0.015 * _smooth_noise(shape, rng.uniform(4, 20), rng) - across
    return np.asarray(np.clip(edge * max(shape) / 1.5, 0, 1), dtype=np.float32)


def _sprite(shape: tuple[int, int], rng: np.random.Generator, sprites: Sprites) -> FloatArray:
    """One of the drawn film-damage sprites, scaled and turned."""
    names = [name for name, pictures in sprites.items() if pictures]
    opacity = np.zeros(shape, dtype=np.float32)
    if not names:
        return opacity
    name = names[int(rng.integers(len(names)))]
    sprite = sprites[name][int(rng.integers(len(sprites[name])))]
    thin = name in ("hair", "hair-short", "lint")
    extent = rng.uniform(24, 160) if thin else rng.uniform(6, 60)
    scale = extent / max(sprite.shape)
    turn = cv2.getRotationMatrix2D(
        (sprite.shape[1] / 2, sprite.shape[0] / 2), rng.uniform(0, 360), scale
    )
    place = rng.uniform([0, 0], [shape[1], shape[0]])
    turn[:, 2] += place - np.array([sprite.shape[1] / 2, sprite.shape[0] / 2])
    # Blur first: a strongly reduced thin line would otherwise break into dots.
    soft = cv2.GaussianBlur(sprite, (0, 0), max(0.3, 0.35 / scale))
    warped = cv2.warpAffine(soft, turn, shape[::-1], flags=cv2.INTER_LINEAR)
    gain = 1.6 if thin else 1.2
    return np.asarray(np.clip(warped.astype(np.float32) / 255 * gain, 0, 1), dtype=np.float32)


_Drawer = Callable[[tuple[int, int], np.random.Generator, Sprites], FloatArray]

# (kind, mean number on 256 x 256 pixels at amount 1)
_DRAWERS: tuple[tuple[_Drawer, float], ...] = (
    (_scratch, 5.0),
    (_film_line, 0.6),
    (_fold, 0.7),
    (_specks, 3.0),
    (_flake, 1.5),
    (_torn_edge, 0.3),
    (_sprite, 4.0),
)
