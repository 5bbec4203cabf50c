"""Run networks over a picture strip by strip with the statistics of the whole picture.

A network is a list of steps (see steps.py). They run in passes over the picture: a pass ends where
statistics, or attention, need the whole map. What it computed is kept, or, where that would be
large and is cheap, computed again by the next pass. So the result is that of the whole picture at
once, in the memory of two or three maps at a quarter of its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from backend.streaming.attention import Attention
from backend.streaming.convolutions import Convolution, Pointwise, Rows, Shape
from backend.streaming.cost import Damage
from backend.streaming.keys import Elsewhere, Keys
from backend.streaming.maps import Map, MapStore
from backend.streaming.patches import combined, fill_patches
from backend.streaming.statistics import Statistics
from backend.streaming.steps import (
    AnyStep,
    FixedNormalization,
    NonLocal,
    Normalize,
    Patches,
    Residual,
    RowStep,
)

FEW_CHANNELS = 4
"""Up to so many, a convolution draws a picture, and is computed in float32."""

Known = dict[torch.nn.Module, FixedNormalization]
"""Statistics of a network's normalizations."""


@dataclass(frozen=True)
class Plan:
    """How the maps are computed and kept.

    Attributes:
        device: where strips are computed.
        compute: type of the convolutions' inputs, weights and outputs.
        kept: type of the maps between passes; those that come straight out of a convolution are
            never kept more precisely than they were computed.
        has_maps_there: the maps are kept on `device`; else in the computer's memory.
        folder: of the maps in files; None keeps them in memory.
        strip_bytes: memory of the largest strip, roughly.
        kept_values: a map is kept when it has at most so many values per pixel of the picture,
            else computed again.
    """

    device: torch.device
    compute: torch.dtype = torch.float32
    kept: torch.dtype = torch.float32
    has_maps_there: bool = True
    folder: Path | None = None
    strip_bytes: int = 2**23
    kept_values: float = 32.0


@dataclass
class _Flow:
    """What runs through the steps: a map, and steps that are still to be done on it."""

    base: Map
    is_own: bool
    chain: list[RowStep] = field(default_factory=list)

    @property
    def shapes(self) -> list[Shape]:
        shapes = [self.base.shape]
        for step in self.chain:
            shapes.append(step.output(shapes[-1]))
        return shapes


class Stream:
    """Runs steps on one picture.

    Args:
        plan: see there.
        pixel_count: of the picture.
        damage: of the picture.
        advance: told the multiplications done since the last call; may raise to stop.
        elsewhere: where the picture is a part of one, what its attention sees of the rest.

    Attributes:
        statistics: of the normalizations so far.
        keys: of the attention, where `keeps_keys` was set.
    """

    def __init__(
        self,
        plan: Plan,
        pixel_count: int,
        damage: Damage,
        advance: Callable[[float], None],
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._plan = plan
        self._elsewhere = elsewhere
        self.keeps_keys = False
        self.keys: Keys | None = None
        self._largest_kept = plan.kept_values * pixel_count
        self._damage = damage
        self._advance = advance
        self._store = MapStore(
            plan.device if plan.has_maps_there else torch.device("cpu"), plan.folder
        )
        self.statistics: Known = {}

    def run(self, steps: Sequence[AnyStep], source: Map, target: Map) -> None:
        """Write what the steps make of `source`, which is left as it is, to `target`."""
        flow = _Flow(source, is_own=False)
        self._run(steps, flow)
        for rows, strip in self._strips(flow):
            target.write(rows, strip)

    def _run(self, steps: Sequence[AnyStep], flow: _Flow) -> None:
        for step in steps:
            if isinstance(step, Normalize):
                self._normalize(step, flow)
            elif isinstance(step, Residual):
                self._add_branch(step, flow)
            elif isinstance(step, NonLocal):
                self._fill(step, flow)
            elif isinstance(step, Patches):
                self._fill_patches(step, flow)
            else:
                flow.chain.append(step)

    def _normalize(self, step: Normalize, flow: _Flow) -> None:
        shape = flow.shapes[-1]
        statistics = Statistics(shape.channels)
        if shape.values <= self._largest_kept:
            coarser = self._plan.kept if self._plan.kept.itemsize == 2 else self._plan.compute
            self._settle(flow, coarser, statistics)
        else:
            for _, strip in self._strips(flow):
                statistics.add(strip)
        known = FixedNormalization(statistics.mean, statistics.variance, step.module.eps)
        self.statistics[step.module] = known
        flow.chain.append(Pointwise(known.to(self._plan.device)))

    def _add_branch(self, step: Residual, flow: _Flow) -> None:
        self._settle(flow, self._plan.kept)
        branch = _Flow(flow.base, is_own=False)
        self._run(step.steps, branch)
        target = flow.base if flow.is_own else self._take(flow.base.shape, self._plan.kept)
        self._write_behind(
            target,
            (
                (rows, flow.base.read(rows).to(strip.device, torch.float32) + strip)
                for rows, strip in self._strips(branch)
            ),
        )
        self._drop(branch)
        flow.base, flow.is_own = target, True

    def _fill(self, step: NonLocal, flow: _Flow) -> None:
        trust = self._damage.trust
        if self._damage.is_none:
            return
        self._settle(flow, self._plan.kept)
        filled = _Flow(self._take(flow.base.shape, self._plan.kept), is_own=True)
        plan, elsewhere = self._plan, self._elsewhere
        attention = Attention(
            step.module, flow.base, trust, plan.device, plan.compute, elsewhere=elsewhere
        )
        if self.keeps_keys:
            self.keys = attention.sample(self._advance)
        for rows, strip in attention.strips(self._advance):
            filled.base.write(rows, strip)
        self._run(step.steps, filled)
        target = flow.base if flow.is_own else self._take(flow.base.shape, self._plan.kept)
        for rows, strip in self._strips(filled):
            keep = trust[:, :, rows.start : rows.stop].to(strip.device)
            own = flow.base.read(rows).to(strip.device, torch.float32)
            target.write(rows, keep * own + (1 - keep) * strip)
        self._drop(filled)
        flow.base, flow.is_own = target, True

    def _fill_patches(self, step: Patches, flow: _Flow) -> None:
        self._settle(flow, self._plan.kept)
        features = _Flow(flow.base, is_own=False)
        self._run(step.steps, features)
        touched, plan = self._damage.touched, self._plan
        fill_patches(step, features.base, touched, plan.device, plan.compute, self._advance)
        shape, part = flow.base.shape, step.parts[0]
        # Strips of two maps are there at once.
        count = max(1, self._rows_per_strip([part], [shape, shape]) // 2)
        strips = combined(step, flow.base, features.base, touched, count, plan.device, plan.compute)
        target = flow.base if flow.is_own else self._take(shape, plan.kept)
        self._write_behind(target, self._counted(strips, 2 * part.cost(shape) / shape.height))
        self._drop(features)
        flow.base, flow.is_own = target, True

    def _settle(
        self, flow: _Flow, dtype: torch.dtype, statistics: Statistics | None = None
    ) -> None:
        """Do what is still to be done, and keep the result."""
        if not flow.chain:
            return
        shape = flow.shapes[-1]
        in_place = flow.is_own and flow.base.shape == shape and flow.base.dtype == dtype
        target = flow.base if in_place else self._take(shape, dtype)

        def counted() -> Iterator[tuple[Rows, Tensor]]:
            for rows, strip in self._strips(flow):
                if statistics is not None:
                    statistics.add(strip)
                yield rows, strip

        self._write_behind(target, counted())
        if not in_place:
            self._drop(flow)
        flow.base, flow.is_own, flow.chain = target, True, []

    def _write_behind(self, target: Map, strips: Iterator[tuple[Rows, Tensor]]) -> None:
        """Write each strip after the next was computed, which still reads the rows around it."""
        waiting: tuple[Rows, Tensor] | None = None
        for strip in strips:
            if waiting is not None:
                target.write(*waiting)
            waiting = strip
        if waiting is not None:
            target.write(*waiting)

    def _counted(
        self, strips: Iterator[tuple[Rows, Tensor]], cost_per_row: float
    ) -> Iterator[tuple[Rows, Tensor]]:
        for rows, strip in strips:
            yield rows, strip
            self._advance(cost_per_row * rows.length)

    def _strips(self, flow: _Flow) -> Iterator[tuple[Rows, Tensor]]:
        """Do the chain strip by strip; the flow stays as it is."""
        shapes, chain = flow.shapes, flow.chain
        height = shapes[-1].height
        count = self._rows_per_strip(chain, shapes)
        # Only the last convolution is new; what is computed again is not counted as progress.
        costs = [step.cost(shape) for step, shape in zip(chain, shapes, strict=False)]
        cost = next((c for c in reversed(costs) if c > 0), 0.0)
        for start in range(0, height, count):
            rows = Rows(start, min(start + count, height))
            yield rows, self._compute(chain, shapes, rows, flow.base)
            self._advance(cost * rows.length / height)

    def _compute(self, chain: list[RowStep], shapes: list[Shape], rows: Rows, base: Map) -> Tensor:
        ranges = [rows]
        for step, shape in zip(reversed(chain), reversed(shapes[:-1]), strict=True):
            ranges.append(step.needed(ranges[-1], shape.height))
        ranges.reverse()
        strip = base.read(ranges[0])
        owned = strip.to(self._plan.device, self._plan.compute)
        if owned is strip and chain and isinstance(chain[0], Pointwise):
            # It may work in place, and this is a part of the map.
            owned = strip.clone()
        strip = owned
        for step, shape, have, wanted in zip(chain, shapes, ranges, ranges[1:], strict=False):
            self._advance(0.0)
            if isinstance(step, Convolution) and step.module.out_channels <= FEW_CHANNELS:
                # A picture itself would show the steps of half precision.
                strip = strip.float()
            strip = step.apply(strip, have, shape.height, wanted)
        return strip

    def _rows_per_strip(self, chain: list[RowStep], shapes: list[Shape]) -> int:
        """Output rows for which no step's strip is larger than planned, but more than the halo."""
        height = shapes[-1].height
        size = self._plan.compute.itemsize
        bytes_per_row = max(shape.values * size / height for shape in shapes)
        middle = Rows(height // 2, height // 2 + 1)
        needed = middle
        for step, shape in zip(reversed(chain), reversed(shapes[:-1]), strict=True):
            needed = step.needed(needed, shape.height)
        scale = shapes[0].height / height
        halo = int(needed.length / scale) + 1
        return max(int(self._plan.strip_bytes / bytes_per_row), halo, 1)

    def _take(self, shape: Shape, dtype: torch.dtype) -> Map:
        return self._store.take(shape, dtype)

    def _drop(self, flow: _Flow) -> None:
        if flow.is_own:
            self._store.give_back(flow.base)
