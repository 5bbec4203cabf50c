"""What of the old photos among the data is damaged, as seen by eye: `labels/*.json`.

Drawn damage is sharp about its edges and poor in ideas; real damage is neither. The labels name it
on real photos, and the places where a detector took a clothes line or a window bar for it.

One file per folder of photos. For each photo, by the name of its file without suffix: `size`, width
and height in pixels of the copy that was looked at; `damaged`, polygons; `unknown`, polygons around
what may be damage or not, and around the edges of what is; `lookalikes`, points on what only looks
like damage. A polygon is a flat list x, y, x, y ... of pixels. A photo without a polygon was looked
at as well and shows no damage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.training.datasets import PicturePool, Window, from_bgr
from models.training.degradations.marks import ByteArray, FloatArray

FOLDER = Path(__file__).with_name("labels")

# Of the crops that could lie anywhere, so many are laid over a labelled place.
_SHARE_OF_PLACES = 0.5

# A labelled pixel that is reduced counts as damaged if so much of it is.
_LEAST_SHARE = 0.35

Points = npt.NDArray[np.float64]
"""(N, 2): x and y as shares of width and height."""


@dataclass(frozen=True)
class DamageLabels:
    """The labels of one photo; see above."""

    damaged: Sequence[Points]
    unknown: Sequence[Points]
    lookalikes: Points

    @property
    def places(self) -> Points:
        """Where there is something to learn: one point for each piece of damage and lookalike."""
        middles = [polygon.mean(axis=0) for polygon in self.damaged]
        return np.concatenate([np.reshape(middles, (-1, 2)), self.lookalikes])

    def drawn(self, height: int, width: int) -> tuple[ByteArray, ByteArray]:
        """Masks (height, width) of the damaged and of the unknown pixels, 1 there; never both."""
        damaged = _filled(self.damaged, height, width)
        return damaged, _filled(self.unknown, height, width) & (1 - damaged)


def load_labels(name: str) -> dict[str, DamageLabels]:
    """The labels of a folder of photos: "train" or "val"."""
    entries: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {stem: _parse(entry) for stem, entry in entries.items()}


def _parse(entry: dict[str, Any]) -> DamageLabels:
    size = np.array(entry["size"], dtype=np.float64)

    def points(flat: Sequence[int]) -> Points:
        shares: Points = (np.reshape(flat, (-1, 2)) + 0.5) / size
        return shares

    return DamageLabels(
        [points(flat) for flat in entry["damaged"]],
        [points(flat) for flat in entry["unknown"]],
        points(entry["lookalikes"]),
    )


def _filled(polygons: Sequence[Points], height: int, width: int) -> ByteArray:
    mask = np.zeros((height, width), dtype=np.uint8)
    for polygon in polygons:
        pixels = np.floor(polygon * (width, height)).astype(np.int32)
        cv2.fillPoly(mask, [pixels], 1)
    return mask


class LabelledPhotos(PicturePool):
    """Old photos with the labels of their damage, and crops of both.

    Args:
        folders, longest_side: see `PicturePool`.
        labels: by name; photos without any count as undamaged.
    """

    def __init__(
        self, folders: list[Path], longest_side: int, labels: Mapping[str, DamageLabels]
    ) -> None:
        super().__init__(folders, longest_side)
        nothing = DamageLabels([], [], np.zeros((0, 2)))
        known = [labels.get(name, nothing) for name in self.names]
        pairs = zip(self.pictures, known, strict=True)
        self.masks = [np.dstack(label.drawn(*p.shape[:2])) * np.uint8(255) for p, label in pairs]
        """(H, W, 2), 255 on damaged, and on unknown pixels."""
        self.places = [label.places for label in known]
        self._interesting = [number for number, places in enumerate(self.places) if len(places)]

    def choose(self, rng: np.random.Generator, side: int, scales: tuple[float, float]) -> Window:
        """As everywhere, but half of the squares contain a labelled place."""
        anywhere = super().choose(rng, side, scales)
        if not self._interesting or rng.random() >= _SHARE_OF_PLACES:
            return anywhere
        number = self._interesting[int(rng.integers(len(self._interesting)))]
        height, width = self.pictures[number].shape[:2]
        place = self.places[number][int(rng.integers(len(self.places[number])))]
        cut = int(min(side / rng.uniform(*scales), height, width))
        middle = place * (width, height) - cut * rng.uniform(0.1, 0.9, 2)
        left, top = np.clip(middle, 0, (width - cut, height - cut)).astype(int)
        return replace(anywhere, picture=number, top=int(top), left=int(left), side=cut)

    def labelled_crop(
        self, rng: np.random.Generator, side: int, scales: tuple[float, float]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """A random square, and what is damaged and what is unknown in it.

        Returns:
            (side, side, 3) RGB in [0, 1]; two masks (side, side) of zeros and ones, never both one.
        """
        window = self.choose(rng, side, scales)
        image = from_bgr(window.cut(self.pictures[window.picture], side))
        masks = window.cut(self.masks[window.picture], side) > 255 * _LEAST_SHARE
        damaged, unknown = masks[..., 0], masks[..., 1]
        return image, damaged.astype(np.float32), (unknown & ~damaged).astype(np.float32)
