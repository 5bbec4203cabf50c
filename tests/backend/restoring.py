"""Photos, networks and monitors for tests of the restoration at any size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from backend.monitor import Monitor
from backend.networks import Networks
from backend.results import Event, Note
from backend.tensors import to_image
from tests.backend.networks import RandomWeights
from tests.backend.photos import portrait, scratched

CPU = torch.device("cpu")


def listening() -> tuple[Monitor, list[str]]:
    codes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            codes.append(event.code)

    return Monitor("restoration", listen, lambda: False), codes


def official(**changes: Any) -> Networks:
    return Networks(RandomWeights("official"), CPU, fast_type=torch.float32, **changes)


def photo() -> tuple[Tensor, np.ndarray[Any, np.dtype[np.uint8]]]:
    pixels, damage = scratched(portrait())
    return to_image(pixels), damage


def lines(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A scratch across everything, and two spots."""
    damage = np.zeros((height, width), np.uint8)
    cv2.line(damage, (0, 30), (width - 1, height - 40), 255, 4)
    damage[height - 20 : height - 14, 5:12] = damage[3:9, width - 30 : width - 26] = 200
    return damage
