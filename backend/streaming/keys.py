"""The cells of a map that its attention looks at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class Chosen(NamedTuple):
    """Some cells of a map.

    Attributes:
        places: (K,), their numbers, row by row, rising.
        log_weights: (K,), logarithms of how many cells each of them stands for.
    """

    places: Tensor
    log_weights: Tensor


class Keys(NamedTuple):
    """Cells of a map, with what they hold.

    Attributes:
        cells: (K, C).
        chosen: which they are.
    """

    cells: Tensor
    chosen: Chosen


class Elsewhere(NamedTuple):
    """What a part of a map needs to know of the rest of it.

    Attributes:
        keys: of the whole map, from when it was last computed.
        trusted: (K,), whether they are undamaged now.
        part: (K,), their numbers in the part, or -1 outside: there the part's own cells count.
    """

    keys: Keys
    trusted: Tensor
    part: Tensor


class Group(NamedTuple):
    """Cells (K, C) that each stand for exp(log_weight) cells."""

    cells: Tensor
    log_weight: float


class Groups(NamedTuple):
    """What is looked at: undamaged cells, and damaged ones, which only take attention away."""

    trusted: list[Group]
    damaged: list[Group]


def all_of(trusted: Tensor) -> Chosen:
    """Every cell of a map (N,), each for itself."""
    return Chosen(torch.arange(len(trusted)), torch.zeros(len(trusted)))


def choose(trusted: Tensor, wanted: Tensor, limit: int) -> Chosen:
    """Cells that stand for all of a map.

    Args:
        trusted: (N,), whether cells are undamaged.
        wanted: (N,), true for cells that are taken in any case, and stand for themselves.
        limit: of either kind, trusted or not, at most so many are taken, the wanted ones not
            counted; they are spread evenly and stand for what is left out, too.
    """
    log_weights = torch.full(trusted.shape, torch.nan)
    log_weights[wanted] = 0.0
    for kind in (trusted & ~wanted, ~trusted & ~wanted):
        count = int(kind.sum())
        taken = spread(kind, limit)
        log_weights[taken] = math.log(max(1, count) / max(1, len(taken)))
    places = (~log_weights.isnan()).nonzero().squeeze(1)
    return Chosen(places, log_weights[places])


def spread(kind: Tensor, limit: int) -> Tensor:
    """Numbers of at most `limit` of the cells that are true in (N,), the same ones each time."""
    index = kind.nonzero().squeeze(1)
    if len(index) <= limit:
        return index
    order = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))
    return index[order[:limit]].sort().values


def grouped(cells: Tensor, trusted: Tensor, log_weights: Tensor) -> Groups:
    """Sort keys by kind and weight.

    Args:
        cells: (K, C), on any device.
        trusted, log_weights: (K,), see `Elsewhere` and `Chosen`.
    """

    def of(kind: Tensor) -> Iterator[Group]:
        for log_weight in sorted(set(log_weights[kind].tolist())):
            index = (kind & (log_weights == log_weight)).nonzero().squeeze(1)
            yield Group(cells[index.to(cells.device)], log_weight)

    return Groups(list(of(trusted)), list(of(~trusted)))
