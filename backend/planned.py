"""Encoder, mapping and decoder on a whole picture, by the first plan that the memory bears."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from backend.device import is_out_of_memory
from backend.geometry import Size
from backend.memory import budget, plans
from backend.streaming.cost import Damage, total_cost
from backend.streaming.keys import Elsewhere, Keys
from backend.streaming.maps import Picture
from backend.streaming.steps import list_steps
from backend.streaming.stream import Known, Plan, Stream
from models.latent_mapping import HighResolutionMapping, QualityMapping, ScratchMapping
from models.registry import data_folder
from models.restoration_vae import RestorationVAE


class Modules(NamedTuple):
    """The three networks of a restoration."""

    encoder: RestorationVAE
    mapping: QualityMapping | ScratchMapping | HighResolutionMapping
    decoder: RestorationVAE

    @property
    def used(self) -> tuple[nn.Module, ...]:
        """The parts that run, in their order."""
        return (self.encoder.encoder, *_parts(self.mapping), self.decoder.decoder)

    @property
    def widest(self) -> int:
        """Most channels of the latent's maps."""
        convolutions = (m for m in self.mapping.modules() if isinstance(m, nn.Conv2d))
        return max((m.out_channels for m in convolutions), default=1)

    def map(self, z: Tensor, mask: Tensor) -> Tensor:
        """The mapping of z (B, L, h, w), with mask (B, 1, H, W) where it takes one."""
        mapped: Tensor = (
            self.mapping(z) if isinstance(self.mapping, QualityMapping) else self.mapping(z, mask)
        )
        return mapped


class Streamed(NamedTuple):
    """What came of a picture.

    Attributes:
        picture: (1, 3, H, W) in [-1, 1].
        known: the statistics of its normalizations.
        keys: what its attention looked at, where it was asked for and there was damage.
    """

    picture: Tensor
    known: Known
    keys: Keys | None


def _parts(mapping: nn.Module) -> tuple[nn.Module, ...]:
    if isinstance(mapping, HighResolutionMapping):
        return (
            mapping.before_NL,
            mapping.NL_scale_1,
            mapping.res_block_1,
            mapping.NL_scale_2,
            mapping.res_block_2,
            mapping.NL_scale_3,
            mapping.after_NL,
        )
    if isinstance(mapping, ScratchMapping):
        return (mapping.before_NL, mapping.NL, mapping.after_NL)
    assert isinstance(mapping, QualityMapping)
    return (mapping.model,)


def stream(
    modules: Modules,
    x: Tensor,
    mask: Tensor,
    plan: Plan,
    on_progress: Callable[[float], None],
    *,
    elsewhere: Elsewhere | None = None,
    keeps_keys: bool = False,
) -> Streamed:
    """Run a picture through the networks by one plan.

    Args:
        modules: in float32.
        x: (1, 3, H, W) in [-1, 1]; the sides are multiples of 4.
        mask: (1, 1, H, W) of any type, 1 = repair, else 0.
        plan: see there.
        on_progress: told the share in [0, 1] that is done; may raise to stop.
        elsewhere: see Stream.
        keeps_keys: whether the result shall have them.

    Raises:
        MemoryError, RuntimeError, OSError: among others where `is_out_of_memory` says so.
    """
    steps = list_steps(*modules.used)
    damage = Damage.of(mask)
    source, target = Picture(x), Picture(torch.empty_like(x))
    total, done = total_cost(steps, source.shape, damage), 0.0

    def advance(cost: float) -> None:
        nonlocal done
        done += cost
        on_progress(min(1.0, done / total))

    run = Stream(plan, x.shape[2] * x.shape[3], damage, advance, elsewhere)
    run.keeps_keys = keeps_keys
    run.run(steps, source, target)
    return Streamed(target.values, run.statistics, run.keys)


def stream_as_memory_allows(
    modules: Modules,
    x: Tensor,
    mask: Tensor,
    first: Plan,
    on_progress: Callable[[float], None],
    *,
    memory_bytes: int | None = None,
    on_short: Callable[[], None] = lambda: None,
    elsewhere: Elsewhere | None = None,
    keeps_keys: bool = False,
) -> Streamed | None:
    """`stream` with the most precise and fastest plan that fits; None where none does.

    Args:
        modules, x, mask, on_progress, elsewhere, keeps_keys: see `stream`.
        first: with the device and the type to compute in.
        memory_bytes: see backend.memory.budget.
        on_short: called before a plan that needs less is tried.
    """
    run = partial(
        stream,
        modules,
        x,
        mask,
        elsewhere=elsewhere,
        keeps_keys=keeps_keys,
    )
    has_features = isinstance(modules.mapping, HighResolutionMapping)
    has_failed = False
    for plan in plans(
        first,
        Size(x.shape[3], x.shape[2]),
        modules.widest,
        has_hole=has_features or bool(mask.any()),
        available=budget(first.device, memory_bytes),
        folder=data_folder() / "work",
    ):
        if has_failed:
            on_short()
        try:
            return run(plan, on_progress)
        except (MemoryError, RuntimeError, OSError) as error:
            if not is_out_of_memory(error):
                raise
            # The error itself would keep alive what was computed so far.
            has_failed = True
    return None
