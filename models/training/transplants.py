"""Lift labelled damage off real old photos, to lay it over other pictures.

Labels name the real damage of some photos. Seen only where it is, it could be learned by heart,
together with its photo; on other pictures it teaches what damage looks like (copy and paste as
augmentation: Ghiasi et al., CVPR 2021, https://arxiv.org/abs/2012.07177).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.training.damage_labels import LabelledPhotos
from models.training.degradations.marks import ByteArray, FloatArray, Paint

# Damage reaches a little beyond what was outlined; what is beyond that is the picture's own.
_RIM = 2
# Nobody would see a weaker one anywhere else.
_LEAST_CHANGE = 0.06
# Larger pieces are edges, stains and torn corners, which belong where they are.
_LARGEST = 256
_BLACK, _WHITE = np.zeros(3), np.ones(3)


@dataclass(frozen=True)
class Transplant:
    """One piece of damage.

    Attributes:
        lighter, darker: (h, w) in [0, 1], opacity of the white and of the black that turn what was
            there before into what is there now.
    """

    lighter: FloatArray
    darker: FloatArray


def lift_damage(old: LabelledPhotos) -> list[list[Transplant]]:
    """The pieces of damage of every photo that has some, one list for each."""
    pairs = zip(old.pictures, old.masks, strict=True)
    lifted = (
        _lift(picture, masks[..., 0] // 255) for picture, masks in pairs if masks[..., 0].any()
    )
    return [pieces for pieces in lifted if pieces]


def _lift(picture: ByteArray, damaged: ByteArray) -> list[Transplant]:
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    wide = cv2.dilate(damaged, _disk(_RIM))
    before = cv2.inpaint(gray, cv2.dilate(damaged, _disk(_RIM + 1)), 5, cv2.INPAINT_TELEA)
    now, then = (np.asarray(levels, np.float32) / np.float32(255) for levels in (gray, before))
    count, areas, boxes, _ = cv2.connectedComponentsWithStats(wide, connectivity=8)
    pieces = []
    for number in range(1, count):
        left, top, width, height = (int(value) for value in boxes[number, :4])
        if max(width, height) > _LARGEST:
            continue
        place = np.s_[top : top + height, left : left + width]
        inside = (areas[place] == number).astype(np.float32)
        soft = cv2.GaussianBlur(inside, (3, 3), 0, borderType=cv2.BORDER_CONSTANT)
        change = (now[place] - then[place]) * inside * np.asarray(soft, np.float32)
        if np.abs(change).max() < _LEAST_CHANGE:
            continue
        room = np.where(change > 0, 1 - then[place], then[place])
        opacity = np.clip(np.abs(change) / room.clip(0.1), 0, 1)
        pieces.append(Transplant(opacity * (change > 0), opacity * (change < 0)))
    return pieces


def _disk(radius: int) -> ByteArray:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def draw_transplants(
    shape: tuple[int, int], rng: np.random.Generator, lifted: Sequence[Sequence[Transplant]]
) -> Paint:
    """Draw some damage of one photo, moved, turned and scaled.

    Args:
        shape: (H, W).
        rng: source of all choices.
        lifted: from `lift_damage`, at least one photo's.
    """
    paint = Paint.nothing(shape)
    pieces = lifted[int(rng.integers(len(lifted)))]
    gain, scale = rng.uniform(0.6, 1.3), rng.uniform(0.6, 1.6)
    count = 1 + rng.poisson(4 * shape[0] * shape[1] / 256**2 * rng.random())
    for number in rng.permutation(len(pieces))[:count]:
        piece = pieces[number]
        turn = _somewhere(piece.lighter.shape, shape, rng, scale * rng.uniform(0.8, 1.25))
        for opacity, color in ((piece.lighter, _WHITE), (piece.darker, _BLACK)):
            moved = cv2.warpAffine(opacity, turn, shape[::-1], flags=cv2.INTER_LINEAR)
            if moved.any():
                paint.add(np.asarray((moved * gain).clip(0, 1), np.float32), color, "transplant")
    return paint


def _somewhere(
    piece: tuple[int, ...], shape: tuple[int, int], rng: np.random.Generator, scale: float
) -> npt.NDArray[np.float64]:
    """The matrix that mirrors, turns and moves a piece to a random place of a picture."""
    middle = np.array([piece[1], piece[0]]) / 2
    turn = np.asarray(cv2.getRotationMatrix2D((0.0, 0.0), rng.uniform(0, 360), scale), np.float64)
    if rng.random() < 0.5:
        turn[:, 0] *= -1
    turn[:, 2] = rng.uniform([0, 0], [shape[1], shape[0]]) - turn[:, :2] @ middle
    return turn
