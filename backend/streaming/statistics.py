"""Mean and variance of a map that is seen strip by strip."""

from __future__ import annotations

import torch
from torch import Tensor


class Statistics:
    """Sums per channel in double precision.

    Source:
        T. F. Chan et al., "Updating formulae and a pairwise algorithm for computing sample
        variances", COMPSTAT 1982: exact for any split, without the cancellation of a plain sum of
        squares.
    """

    def __init__(self, channels: int) -> None:
        self._count = 0
        # In double precision on the CPU: not every accelerator has it.
        self._mean = torch.zeros(channels, dtype=torch.float64)
        self._squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, strip: Tensor) -> None:
        """Count (1, C, rows, W) in."""
        count = strip.shape[2] * strip.shape[3]
        mean, variance = _moments(strip)
        total = self._count + count
        shift = mean - self._mean
        self._mean += shift * (count / total)
        self._squares += variance * count + shift**2 * (self._count * count / total)
        self._count = total

    @property
    def mean(self) -> Tensor:
        """(C,) float32."""
        return self._mean.float()

    @property
    def variance(self) -> Tensor:
        """(C,) float32, biased, as instance normalization takes it."""
        return (self._squares / max(1, self._count)).float()


def _moments(strip: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, (C,) float64 on the CPU."""
    if strip.dtype != torch.float32 and strip.device.type == "cpu":
        # One fused pass. Its plain sums lose six bits, which half precision never had.
        running = torch.zeros(2, strip.shape[1])
        mean, variance = torch.ops.aten.batch_norm_update_stats(strip, running[0], running[1], 0.0)
        return mean.double(), variance.double()
    values = strip.float()
    first = values.mean((0, 2, 3), keepdim=True)
    centred = values - first
    # What rounding left of the mean; adding it makes a second pass as good as double precision.
    rest = centred.mean((0, 2, 3))
    squares = centred.square_().mean((0, 2, 3))
    # At once, because an accelerator is waited for each time.
    found, rest, squares = torch.stack([first.flatten(), rest, squares]).cpu().double()
    return found + rest, (squares - rest**2).clamp_min_(0)
