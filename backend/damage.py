"""What is damaged in a photo, and what of it has been filled."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from backend.geometry import Box
from backend.images import Mask

HALF = 128
"""From this value of a soft mask on a pixel is taken as damaged."""

HOLE_GROWTH = 1
"""Pixels around damage are partly damaged: they would be continued into it, or be copied."""

LEAST = 8
"""A place where the mask is fainter throughout is none: its repair could not be seen."""


class Filled(NamedTuple):
    """A photo whose damage is filled in part, before it is restored.

    Attributes:
        image: (1, 3, H, W) in [0, 1]; what has been filled is cleaned like all the rest.
        places: (H, W), 1 on all damage, else 0; from `marked`.
        left: (H, W), 1 on damage that is still to be repaired, else 0.
    """

    image: Tensor
    places: Mask
    left: Mask

    @property
    def done(self) -> npt.NDArray[np.bool_]:
        """(H, W), true on the damage that needs no network any more."""
        return np.asarray(self.places > self.left)

    @classmethod
    def not_yet(cls, image: Tensor, damage: Mask) -> Filled:
        """A photo of which nothing has been filled; `damage` is (H, W), 0 to 255."""
        places = marked(damage)
        return cls(image, places, places)


def marked(damage: Mask) -> Mask:
    """What the networks are to take as damaged, of a soft mask of a whole picture.

    Args:
        damage: (H, W), 0 to 255.

    Returns:
        (H, W), 0 or 1: where the mask is half or more; of a place that is selected in part only,
        where it has half of its own highest value.
    """
    result = (damage >= HALF).astype(np.uint8)
    if not ((damage >= LEAST) & (damage < HALF)).any():
        return result
    _, labels, boxes, _ = cv2.connectedComponentsWithStats((damage >= LEAST).astype(np.uint8))
    faint = np.setdiff1d(np.unique(labels), labels[damage >= HALF])
    for label in faint[faint > 0]:
        x, y, width, height = (int(value) for value in boxes[label, :4])
        box = Box(x, y, x + width, y + height).slices
        place = np.where(labels[box] == label, damage[box], 0)
        result[box] |= (place * 2 >= place.max()).astype(np.uint8)
    return result
