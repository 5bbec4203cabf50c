"""Random numbers for a batch of pictures, fixed by a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Dice:
    """Random numbers for some pictures of one batch.

    Numbers that choose (which operation, how strong) are drawn on the CPU and are the same for
    every device; noise is drawn where the pictures are, and is the same for every run on that kind
    of device.

    Args:
        seed: fixes everything.
        device: where noise is made.
    """

    def __init__(self, seed: int | Sequence[int], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.choices = np.random.default_rng(seed)
        self._noise = torch.Generator(self.device)
        self._noise.manual_seed(int(self.choices.integers(2**62)))

    def uniform(self, count: int, low: float, high: float) -> Tensor:
        """(count, 1, 1, 1), one number for each picture."""
        return self._column(self.choices.uniform(low, high, count))

    def mostly_low(self, count: int, low: float, high: float) -> Tensor:
        """Like `uniform`, but half of the numbers lie in the lowest quarter of the range."""
        return self._column(low + (high - low) * self.choices.random(count) ** 2)

    def gaussian(self, count: int, deviation: float) -> Tensor:
        """(count, 1, 1, 1), normally distributed around 0."""
        return self._column(self.choices.normal(0, deviation, count))

    def pick(self, count: int, values: Sequence[float]) -> Tensor:
        """(count, 1, 1, 1), each one of the values."""
        return self._column(self.choices.choice(np.asarray(values, dtype=np.float64), count))

    def happens(self, count: int, probability: float) -> Tensor:
        """(count,) bool on the CPU: it chooses pictures."""
        return torch.from_numpy(self.choices.random(count) < probability)

    def noise(self, *shape: int) -> Tensor:
        """Standard normal."""
        return torch.randn(*shape, generator=self._noise, device=self.device)

    def flat(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(*shape, generator=self._noise, device=self.device)

    def _column(self, values: np.ndarray) -> Tensor:
        column = torch.from_numpy(values.astype(np.float32)).view(-1, 1, 1, 1)
        return column.to(self.device)
