"""Layers that can each be computed for a strip of rows.

A strip is (1, C, rows, W) with all columns. Every layer says which rows of its input a range of
output rows needs, and pads only where the picture really ends, so that strips put together are
exactly the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn


class Rows(NamedTuple):
    """Rows start <= row < stop of a map."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class Shape(NamedTuple):
    """Of a map, without the batch of one."""

    channels: int
    height: int
    width: int

    @property
    def values(self) -> int:
        return self.channels * self.height * self.width


@dataclass(eq=False)
class Parameters:
    """A convolution's weight and bias, kept in the precision last asked for."""

    module: nn.Conv2d | nn.ConvTranspose2d
    _cast: tuple[Tensor, Tensor | None] | None = None

    def as_type(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        if self._cast is None or self._cast[0].dtype != dtype:
            bias = self.module.bias
            weight = self.module.weight.to(dtype, memory_format=torch.channels_last)
            self._cast = weight, None if bias is None else bias.to(dtype)
        return self._cast


@dataclass(eq=False)
class Convolution:
    """A convolution with the padding in front of it."""

    module: nn.Conv2d
    padding: int
    reflects: bool

    def __post_init__(self) -> None:
        self.parameters = Parameters(self.module)
        self.kernel, self.stride = int(self.module.kernel_size[0]), int(self.module.stride[0])

    def output(self, shape: Shape) -> Shape:
        height, width = (
            (length + 2 * self.padding - self.kernel) // self.stride + 1
            for length in (shape.height, shape.width)
        )
        return Shape(self.module.out_channels, height, width)

    def cost(self, shape: Shape) -> float:
        """Multiplications for the whole map."""
        return self.output(shape).values * shape.channels * self.kernel**2

    def needed(self, rows: Rows, height: int) -> Rows:
        above, below, inside = self._beyond(rows, height)
        if self.reflects:
            # The row that mirrors the outermost one must be there, too.
            inside = Rows(
                min(inside.start, height - 1 - below) if below else inside.start,
                max(inside.stop, above + 1) if above else inside.stop,
            )
        return inside

    def apply(self, strip: Tensor, have: Rows, height: int, rows: Rows) -> Tensor:
        above, below, inside = self._beyond(rows, height)
        columns = self.padding
        if self.reflects or above or below:
            sides = (columns, columns, above, below)
            strip = F.pad(strip, sides, mode="reflect" if self.reflects else "constant")
            columns = 0  # padded already
        # Rows that were needed for the mirror alone go again.
        first = 0 if above else inside.start - have.start
        strip = strip[:, :, first : first + above + inside.length + below]
        weight, bias = self.parameters.as_type(strip.dtype)
        return F.conv2d(strip, weight, bias, self.stride, (0, columns))

    def _beyond(self, rows: Rows, height: int) -> tuple[int, int, Rows]:
        """Rows missing above and below the map, and those inside it."""
        start = rows.start * self.stride - self.padding
        stop = (rows.stop - 1) * self.stride - self.padding + self.kernel
        return max(0, -start), max(0, stop - height), Rows(max(0, start), min(height, stop))


@dataclass(eq=False)
class Transposed:
    """A transposed convolution."""

    module: nn.ConvTranspose2d

    def __post_init__(self) -> None:
        self.parameters = Parameters(self.module)
        self.kernel, self.stride = int(self.module.kernel_size[0]), int(self.module.stride[0])
        self.padding = int(self.module.padding[0])

    def output(self, shape: Shape) -> Shape:
        height, width = (
            (length - 1) * self.stride - 2 * self.padding + self.kernel
            for length in (shape.height, shape.width)
        )
        return Shape(self.module.out_channels, height, width)

    def cost(self, shape: Shape) -> float:
        return shape.values * self.module.out_channels * self.kernel**2

    def needed(self, rows: Rows, height: int) -> Rows:
        start = -(-(rows.start + self.padding - self.kernel + 1) // self.stride)
        stop = (rows.stop - 1 + self.padding) // self.stride + 1
        return Rows(max(0, start), min(height, stop))

    def apply(self, strip: Tensor, have: Rows, height: int, rows: Rows) -> Tensor:
        del height
        weight, bias = self.parameters.as_type(strip.dtype)
        full = F.conv_transpose2d(strip, weight, bias, self.stride, (0, self.padding))
        first = rows.start + self.padding - have.start * self.stride
        return full[:, :, first : first + rows.length]


@dataclass(eq=False)
class Pointwise:
    """What treats each value by itself."""

    module: nn.Module

    def output(self, shape: Shape) -> Shape:
        return shape

    def cost(self, shape: Shape) -> float:
        del shape
        return 0.0

    def needed(self, rows: Rows, height: int) -> Rows:
        del height
        return rows

    def apply(self, strip: Tensor, have: Rows, height: int, rows: Rows) -> Tensor:
        del have, height, rows
        result: Tensor = self.module(strip)
        return result
