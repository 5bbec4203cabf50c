"""The attention of a non-local block over a map that is read strip by strip."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from backend.streaming.convolutions import Rows
from backend.streaming.maps import Map
from models.layers import SMALLEST_ATTENTION_MASS, PartialNonLocalBlock

LARGEST_EXACT = 2**18
"""Cells up to which every cell looks at every other: 4 megapixels. Time grows with the square."""

KEYS_BEYOND = 2**16
"""Cells that are looked at in larger maps, spread evenly.

Exact attention fits into memory at any size, but its time does not: at 12 megapixels a damaged
fifth of the map would take, extrapolated, 700 core seconds in bfloat16, several times the rest.
What the limit costs depends on how many cells a query looks at in truth. With the original's widths
and weights by rule that is hardly more than one, the worst case: a share of 1/4, 1/11 or 1/48 of
the keys, as at 4, 12 and 50 megapixels, leaves collected cells with a mean cosine of 0.62, 0.44 and
0.36 to the exact ones. So the user is told. The mapping for high resolution knows no such limit.
"""

KEYS_FOR_STATISTICS = 2**13
"""The same for cells whose own value is thrown away, and counts in the statistics alone."""

_QUERIES = 2**13
"""Cells that look at a time."""

_KEYS_AT_A_TIME = 2**12
"""So that a cancellation is noticed in between."""

_LARGEST_SCORES = 2**25
"""Where no fused kernel gives the mass of attention, so many scores are held at a time."""


class Keys(NamedTuple):
    """Cells of a map that others look at.

    Attributes:
        cells: (K, C).
        places: (K,), their numbers in the map, row by row.
        log_ratio: logarithm of how much more a trusted one counts, where not all are taken.
    """

    cells: Tensor
    places: Tensor
    log_ratio: float


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


class Attention:
    """What each cell of a map collects from the undamaged ones, behind the block's last projection.

    Query, key and value are linear in the cells, so that the cells themselves serve as keys and
    values, and no other map is needed: q · k = (theta x)ᵀ(phi y) = (phiᵀ theta x)ᵀ y up to a term
    that is the same for all y, and a mean of g y is g of the mean of y.

    Args:
        block: theta, phi, g and W are taken from it.
        cells: (1, C, h, w).
        trust: (1, 1, h, w), 1 or 0.
        device: where to compute.
        compute: type of the products; sums are float32.
        largest_exact: see LARGEST_EXACT.
        elsewhere: where `cells` are a part of a map, the rest of it.
    """

    def __init__(
        self,
        block: PartialNonLocalBlock,
        cells: Map,
        trust: Tensor,
        device: torch.device,
        compute: torch.dtype,
        largest_exact: int = LARGEST_EXACT,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._cells = cells
        self._trusted = trust.flatten().cpu() == 1
        self._device, self._compute = device, compute
        theta, phi, g, last = (_matrix(m) for m in (block.theta, block.phi, block.g, block.W))
        bias = [_bias(m) for m in (block.theta, block.g, block.W)]
        self._query = (phi.T @ theta).to(device, torch.float32)
        self._query_bias = (phi.T @ bias[0]).to(device, torch.float32)
        self._value = (last @ g).to(device, torch.float32)
        self._value_bias = (last @ bias[1]).to(device, torch.float32)
        self._last_bias = bias[2].to(device, torch.float32)
        self._is_exact = self._trusted.numel() <= largest_exact
        self._near = _near_holes(block, trust)
        self._skips_far = block.reach is not None
        self._elsewhere = elsewhere

    def strips(self, advance: Callable[[float], None]) -> Iterator[tuple[Rows, Tensor]]:
        """Yields rows and (1, C, rows, w) float32 for the whole map."""
        shape = self._cells.shape
        near_keys = self._near_keys()
        far_keys = near_keys if self._is_exact else self._gather(KEYS_FOR_STATISTICS)
        count = max(1, _QUERIES // shape.width)
        for start in range(0, shape.height, count):
            rows = Rows(start, min(start + count, shape.height))
            cells = self._read(rows)
            near = self._near[rows.start * shape.width : rows.stop * shape.width]
            near = near.to(self._device)
            collected = torch.zeros_like(cells)
            mass = torch.zeros(len(cells), 1, device=self._device)
            groups = [(near, near_keys)] + ([] if self._skips_far else [(~near, far_keys)])
            if self._is_exact and not self._skips_far:
                groups = [(torch.ones_like(near), near_keys)]
            for chosen, keys in groups:
                index = chosen.nonzero().squeeze(1)
                if len(index):
                    collected[index], mass[index] = self._collect(cells[index], keys, advance)
            out = collected @ self._value.T + mass * self._value_bias + self._last_bias
            yield rows, out.reshape(1, rows.length, shape.width, -1).permute(0, 3, 1, 2)

    def _read(self, rows: Rows) -> Tensor:
        """(cells, C) float32."""
        strip = self._cells.read(rows).to(self._device, torch.float32)
        return strip.permute(0, 2, 3, 1).reshape(-1, strip.shape[1])

    def sample(self) -> Keys:
        """Keys that stand for the whole map, at most KEYS_BEYOND of either kind."""
        chosen = [_chosen(kind, KEYS_BEYOND) for kind in (self._trusted, ~self._trusted)]
        trusted, damaged, log_ratio = self._gather_chosen(*chosen)
        places = torch.cat([kind.nonzero().squeeze(1) for kind in chosen])
        # They are kept for long, and an accelerator's memory is scarce.
        return Keys(torch.cat([trusted, damaged]).cpu(), places, log_ratio)

    def _near_keys(self) -> _Keys:
        if self._elsewhere is None:
            return self._gather(len(self._trusted) if self._is_exact else KEYS_BEYOND)
        keys, trusted, part = self._elsewhere
        own = torch.zeros_like(self._trusted)
        own[part[part >= 0]] = True
        here = self._gather_chosen(self._trusted & own, ~self._trusted & own)
        outside = keys.cells[part < 0].to(self._device, self._compute)
        is_trusted = trusted[part < 0]
        return _Keys(
            torch.cat([here.trusted, outside[is_trusted.to(outside.device)]]),
            torch.cat([here.damaged, outside[~is_trusted.to(outside.device)]]),
            keys.log_ratio,
        )

    def _gather(self, limit: int) -> _Keys:
        return self._gather_chosen(*(_chosen(k, limit) for k in (self._trusted, ~self._trusted)))

    def _gather_chosen(self, *parts: Tensor) -> _Keys:
        """The cells that are true in (N,), trusted and damaged ones."""
        shape = self._cells.shape
        found: tuple[list[Tensor], list[Tensor]] = [], []
        count = max(1, _QUERIES // shape.width)
        for start in range(0, shape.height, count):
            rows = Rows(start, min(start + count, shape.height))
            cells = self._read(rows).to(self._compute)
            for part, into in zip(parts, found, strict=True):
                index = part[rows.start * shape.width : rows.stop * shape.width]
                into.append(cells[index.nonzero().squeeze(1).to(cells.device)])
        trusted, damaged = (torch.cat(cells) for cells in found)
        totals = int(self._trusted.sum()), int((~self._trusted).sum())
        # A cell that stands for several weighs as much as they would.
        weights = [
            math.log(total / max(1, len(keys)) or 1)
            for total, keys in zip(totals, (trusted, damaged), strict=True)
        ]
        return _Keys(trusted, damaged, weights[0] - weights[1])

    def _collect(
        self, cells: Tensor, keys: _Keys, advance: Callable[[float], None]
    ) -> tuple[Tensor, Tensor]:
        """The mean over trusted keys (Q, C), faded, and the share that is left (Q, 1)."""
        query = (cells @ self._query.T + self._query_bias).to(self._compute)
        mean, trusted_mass = _attend(query, keys.trusted, advance)
        if not len(keys.trusted):
            return mean, torch.zeros_like(trusted_mass)
        if not len(keys.damaged):
            return mean, torch.ones_like(trusted_mass)
        _, damaged_mass = _attend(query, keys.damaged, advance)
        share = torch.sigmoid(trusted_mass + keys.log_ratio - damaged_mass)
        fade = (share / SMALLEST_ATTENTION_MASS).clamp_max(1)
        return mean * fade, fade


def attention_cost(block: PartialNonLocalBlock, trust: Tensor, channels: int) -> float:
    """Multiplications for the whole map, roughly."""
    count, near = trust.numel(), int(_near_holes(block, trust).sum())
    far = 0 if block.reach is not None else count - near
    near_keys, far_keys = (
        (count, count) if count <= LARGEST_EXACT else (2 * KEYS_BEYOND, 2 * KEYS_FOR_STATISTICS)
    )
    return 2.0 * (near * near_keys + far * far_keys) * channels


def _near_holes(block: PartialNonLocalBlock, trust: Tensor) -> Tensor:
    """(N,) true for cells whose value reaches a damaged one through the residual blocks."""
    reach = block.reach or 2 * len(block.res_block)
    hole = (trust < 1).to(torch.float32)
    return F.max_pool2d(hole, 2 * reach + 1, 1, reach).flatten().cpu() > 0


class _Keys(NamedTuple):
    """Cells (K, C) that are looked at, and the logarithm by which the trusted ones count more."""

    trusted: Tensor
    damaged: Tensor
    log_ratio: float


def _chosen(kind: Tensor, limit: int) -> Tensor:
    """At most `limit` of the cells that are true in (N,), the same ones each time."""
    index = kind.nonzero().squeeze(1)
    if len(index) <= limit:
        return kind
    order = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))
    chosen = torch.zeros_like(kind)
    chosen[index[order[:limit]]] = True
    return chosen


def _attend(query: Tensor, keys: Tensor, advance: Callable[[float], None]) -> tuple[Tensor, Tensor]:
    """Softmax-weighted mean of the keys (Q, C), and the logarithm of the weights' sum (Q, 1)."""
    mean = torch.zeros(query.shape, device=query.device)
    mass = torch.full((len(query), 1), -torch.inf, device=query.device)
    for start in range(0, len(keys), _KEYS_AT_A_TIME):
        part = keys[start : start + _KEYS_AT_A_TIME]
        part_mean, part_mass = _attend_to_few(query, part)
        both = torch.logaddexp(mass, part_mass)
        mean = mean * (mass - both).exp() + part_mean * (part_mass - both).exp()
        mass = both
        advance(2.0 * query.numel() * len(part))
    return mean, mass


def _attend_to_few(query: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    if query.device.type == "cpu":
        queries, few = query[None, None], keys[None, None]
        mean, mass = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            queries, few, few, 0.0, False, scale=1.0
        )
        return mean[0, 0].float(), mass.reshape(-1, 1).float()
    means, masses = [], []
    for part in torch.split(query, max(1, _LARGEST_SCORES // len(keys))):
        scores = part.float() @ keys.float().T
        masses.append(torch.logsumexp(scores, dim=1, keepdim=True))
        means.append((scores - masses[-1]).exp() @ keys.float())
    return torch.cat(means), torch.cat(masses)


def _matrix(layer: nn.Conv2d) -> Tensor:
    """(C, C) float64 of a 1x1 convolution."""
    return layer.weight.detach()[:, :, 0, 0].cpu().double()


def _bias(layer: nn.Conv2d) -> Tensor:
    if layer.bias is None:
        return torch.zeros(layer.out_channels, dtype=torch.float64)
    return layer.bias.detach().cpu().double()
