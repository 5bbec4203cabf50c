"""Soft clipping: shadows and highlights that a change of tone pushes out of range are bent back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from backend.tensors import luminance

KNEE = 0.2
"""Luminance from the end of the range below which shadows, and above which highlights, move."""

RARE = 0.005
"""Share of a small copy that may go beyond the range: sparks, and a thin border that was black."""

MOST_BEYOND = 0.9 * KNEE
"""Distance beyond the range from which pixels are given up: nearer to the knee's own width, the
darkest tones would all become one."""


@dataclass(frozen=True)
class SoftClip:
    """How far a changed picture goes beyond [0, 1] at either end, each at least 0."""

    below: float
    above: float

    @staticmethod
    def of(changed: Tensor) -> SoftClip:
        """Those of a small copy (1, 3, h, w)."""
        light = luminance(changed).flatten()
        low, high = torch.quantile(light, torch.tensor([RARE, 1 - RARE])).tolist()
        return SoftClip(*(min(MOST_BEYOND, max(0.0, beyond)) for beyond in (-low, high - 1)))

    def apply(self, changed: Tensor) -> Tensor:
        """The picture (1, 3, H, W) with its shadows and highlights in [0, 1], in their order.

        Nothing changes between the knees, nor where nothing goes beyond.
        """
        if not (self.below or self.above):
            return changed
        light = luminance(changed)
        raised = _above_zero(light, self.below)
        lowered = 1 - _above_zero(1 - raised, self.above)
        return changed + (lowered - light)


def _above_zero(light: Tensor, beyond: float) -> Tensor:
    """Bend what is below the knee so that -beyond becomes 0; smooth at the knee, and rising."""
    if not beyond:
        return light
    slope = (KNEE + beyond) / KNEE
    depth = ((KNEE - light) / (KNEE + beyond)).clamp(0, 1)
    bent = KNEE * (1 - depth * (slope + (1 - slope) * depth))
    return torch.where(light < KNEE, bent, light)
