"""What a parity check computes, and how far it may be from what the original computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from models.pseudo_random import PseudoRandomWeights

Arrays = Mapping[str, npt.NDArray[Any]]
"""A pair: inputs and the original's outputs, by name."""


@dataclass(frozen=True)
class Output:
    """One array that we computed.

    Attributes:
        values: as the original's array of the same name.
        largest: bound of the largest absolute difference.
        mean: bound of the mean absolute difference, or None.
        relative: differences are divided by the largest absolute value of the original's array.
        undecided: places where rounding decides, and that are not compared.
    """

    values: npt.NDArray[Any]
    largest: float
    mean: float | None = None
    relative: bool = False
    undecided: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of pair.

    Attributes:
        needs: names of the input arrays.
        compute: from the pair to our outputs, by name.
    """

    needs: tuple[str, ...]
    compute: Callable[[Arrays, PseudoRandomWeights], dict[str, Output]]


def exact(values: npt.NDArray[Any]) -> Output:
    return Output(values, 0.0)


def levels(values: npt.NDArray[Any], mean: float = 0.01) -> Output:
    """8-bit values that may round to the neighbouring level in places."""
    return Output(values, 1.0, mean)


def array(tensor: Tensor) -> npt.NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy())
