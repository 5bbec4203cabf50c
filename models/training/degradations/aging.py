"""Apply operations to parts of a batch, and keep a record of what was done to which picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.training.degradations.dice import Dice

Parameters = dict[str, Tensor]
"""(B,) or (B, 1, 1, 1) each."""

Operation = Callable[[Tensor, Dice], tuple[Tensor, Parameters]]
"""(B, 3, H, W) pictures in [0, 1] -> changed pictures in [0, 1] and what was chosen."""


@dataclass(frozen=True)
class Applied:
    """One operation as it was applied to one picture."""

    name: str
    parameters: dict[str, float]


@dataclass
class Aging:
    """A batch on its way from clean to degraded.

    Attributes:
        image: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 where structured damage can be seen.
        unsure: (B, 1, H, W), 1 where it lies but nobody could tell.
        applied: for each picture what was done, in order.
    """

    image: Tensor
    mask: Tensor
    unsure: Tensor
    applied: list[list[Applied]] = field(default_factory=list)

    @classmethod
    def of(cls, clean: Tensor) -> Aging:
        """Nothing has happened yet."""
        empty = torch.zeros_like(clean[:, :1])
        return cls(clean, empty, empty, [[] for _ in range(len(clean))])

    def apply(self, operation: Operation, dice: Dice, probability: float) -> None:
        """Apply an operation to each picture with this probability."""
        self.apply_to(dice.happens(len(self.image), probability), operation, dice)

    def apply_to(self, chosen: Tensor, operation: Operation, dice: Dice) -> None:
        """Apply an operation to the pictures for which `chosen` (B,) is true."""
        index = chosen.nonzero().flatten()
        if len(index) == 0:
            return
        place = index.to(self.image.device)
        changed, parameters = operation(self.image[place], dice)
        self.image = self.image.index_copy(0, place, changed.clamp(0, 1))
        self.record(index.tolist(), getattr(operation, "__name__", "operation"), parameters)

    def record(self, pictures: Sequence[int], name: str, parameters: Parameters) -> None:
        """Note what was done to some pictures; `parameters` are in the order of `pictures`."""
        values = {key: value.flatten().tolist() for key, value in parameters.items()}
        for place, picture in enumerate(pictures):
            chosen = {key: float(numbers[place]) for key, numbers in values.items()}
            self.applied[picture].append(Applied(name, chosen))
