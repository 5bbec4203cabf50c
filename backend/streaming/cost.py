"""Where a picture is damaged, and how much work its steps are: progress is counted in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from backend.streaming.attention import attention_cost
from backend.streaming.convolutions import Convolution, Pointwise, Shape, Transposed
from backend.streaming.patches import patches_cost
from backend.streaming.steps import AnyStep, NonLocal, Patches, Residual
from models.layers import touched_cells, undamaged_cells


class Damage(NamedTuple):
    """Where the latent's map is damaged, (1, 1, h, w) each.

    Attributes:
        trust: for non-local blocks: 1 on undamaged cells, else 0; see undamaged_cells.
        touched: for patch attentions: 1 on damaged cells, else 0; see touched_cells.
    """

    trust: Tensor
    touched: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> Damage:
        """From (1, 1, H, W) of any type, 1 = repair, else 0."""
        size = mask.shape[2] // 4, mask.shape[3] // 4
        mask = mask.float()
        return cls(undamaged_cells(mask, *size), touched_cells(mask, *size))

    @property
    def is_none(self) -> bool:
        return bool((self.trust == 1).all())


def total_cost(steps: Sequence[AnyStep], shape: Shape, damage: Damage) -> float:
    """Multiplications for steps on a picture, as a stream counts them."""
    return _cost(steps, shape, damage)[0]


def _cost(steps: Sequence[AnyStep], shape: Shape, damage: Damage) -> tuple[float, Shape]:
    cost = 0.0
    for step in steps:
        if isinstance(step, Convolution | Transposed | Pointwise):
            cost += step.cost(shape)
            shape = step.output(shape)
        elif isinstance(step, Residual):
            cost += _cost(step.steps, shape, damage)[0]
        elif isinstance(step, Patches):
            cost += patches_cost(step, damage.touched, shape.channels)
            cost += _cost(step.steps, shape, damage)[0]
            cost += sum(part.cost(shape) for part in step.parts[:2])
        elif isinstance(step, NonLocal) and not damage.is_none:
            cost += attention_cost(step.module, damage.trust, shape.channels)
            cost += _cost(step.steps, shape, damage)[0]
    return cost, shape
