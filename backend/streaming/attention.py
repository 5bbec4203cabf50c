"""The attention of a non-local block over a map that is read strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from backend.streaming.convolutions import Rows
from backend.streaming.keys import (
    Chosen,
    Elsewhere,
    Group,
    Groups,
    Keys,
    all_of,
    choose,
    grouped,
    spread,
)
from backend.streaming.maps import Map
from models.layers import SMALLEST_ATTENTION_MASS, PartialNonLocalBlock

LARGEST_EXACT = 2**18
"""Cells up to which every cell looks at every other: 4 megapixels. Time grows with the square."""

KEYS_BEYOND = 2**15
"""Cells of either kind that are looked at in larger maps, spread evenly, besides the wanted ones.

Exact attention fits into memory at any size, but its time does not: at 12 megapixels a damaged
fifth of the map would take, extrapolated, 700 core seconds in bfloat16, several times the rest.
The mapping for high resolution knows no such limit.
"""

KEYS_FOR_STATISTICS = 2**13
"""The same for cells whose own value is thrown away, and counts in the statistics alone."""

VOTERS = 0.5
"""For each of these, so many cells are asked which one of all they look at most: the wanted ones.

The products of queries and keys are not scaled, so that few long keys win nearly all the attention
there is, and evenly chosen keys miss most of them. With the original's widths and weights by rule,
where a query looks at hardly more than one key, on a map of 192 x 192 cells: an evenly chosen
eleventh or 48th of the keys, as at 12 and 50 megapixels, leaves collected cells with a mean cosine
of 0.47 and 0.35 to the exact ones; with voters it is 0.96 and 0.90. So the user is told.
"""

_QUERIES = 2**13
"""Cells that look at a time."""

_KEYS_AT_A_TIME = 2**12
"""So that a cancellation is noticed in between."""

_VOTERS_AT_A_TIME = 2**11

_LARGEST_SCORES = 2**25
"""Where no fused kernel gives the mass of attention, so many scores are held at a time."""


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
        elsewhere: where `cells` are a part of a map, the rest of it.
    """

    def __init__(
        self,
        block: PartialNonLocalBlock,
        cells: Map,
        trust: Tensor,
        device: torch.device,
        compute: torch.dtype,
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
        self._is_exact = self._trusted.numel() <= LARGEST_EXACT
        self._near = _near_holes(block, trust)
        self._skips_far = block.reach is not None
        self._elsewhere = elsewhere
        self._few_chosen: Chosen | None = None

    def strips(self, advance: Callable[[float], None]) -> Iterator[tuple[Rows, Tensor]]:
        """Yields rows and (1, C, rows, w) float32 for the whole map."""
        shape = self._cells.shape
        near_keys = self._near_keys(advance)
        groups = [(self._near, near_keys)]
        if not self._skips_far and self._is_exact:
            groups = [(torch.ones_like(self._near), near_keys)]
        elif not self._skips_far:
            far = self._choose(~self._near, KEYS_FOR_STATISTICS, advance)
            groups.append((~self._near, self._gather(far)))
        for rows in self._all_rows():
            cells = self._read(rows)
            collected = torch.zeros_like(cells)
            mass = torch.zeros(len(cells), 1, device=self._device)
            for chosen, keys in groups:
                index = _within(chosen, rows, shape.width).nonzero().squeeze(1).to(self._device)
                if len(index):
                    collected[index], mass[index] = self._collect(cells[index], keys, advance)
            out = collected @ self._value.T + mass * self._value_bias + self._last_bias
            yield rows, out.reshape(1, rows.length, shape.width, -1).permute(0, 3, 1, 2)

    def _read(self, rows: Rows) -> Tensor:
        """(cells, C) float32."""
        strip = self._cells.read(rows).to(self._device, torch.float32)
        return strip.permute(0, 2, 3, 1).reshape(-1, strip.shape[1])

    def _all_rows(self) -> Iterator[Rows]:
        """The whole map, so many rows at a time as hold _QUERIES cells."""
        shape = self._cells.shape
        count = max(1, _QUERIES // shape.width)
        for start in range(0, shape.height, count):
            yield Rows(start, min(start + count, shape.height))

    def sample(self, advance: Callable[[float], None]) -> Keys:
        """Keys that stand for the whole map."""
        chosen = self._few(advance)
        # They are kept for long, and an accelerator's memory is scarce.
        return Keys(self._cells_at(chosen.places).cpu(), chosen)

    def _near_keys(self, advance: Callable[[float], None]) -> Groups:
        if self._elsewhere is None:
            return self._gather(all_of(self._trusted) if self._is_exact else self._few(advance))
        keys, trusted, part = self._elsewhere
        is_own = part >= 0
        cells = keys.cells.to(self._device, self._compute, copy=True)
        cells[is_own.to(self._device)] = self._cells_at(part[is_own])
        trusted = torch.where(is_own, self._trusted[part], trusted)
        return grouped(cells, trusted, keys.chosen.log_weights)

    def _few(self, advance: Callable[[float], None]) -> Chosen:
        if self._few_chosen is None:
            self._few_chosen = self._choose(self._near, KEYS_BEYOND, advance)
        return self._few_chosen

    def _choose(self, asking: Tensor, limit: int, advance: Callable[[float], None]) -> Chosen:
        wanted = torch.zeros_like(self._trusted)
        if max(int(self._trusted.sum()), int((~self._trusted).sum())) > limit:
            voters = spread(asking, int(limit * VOTERS))
            wanted[self._named(voters, advance)] = True
        return choose(self._trusted, wanted, limit)

    def _named(self, voters: Tensor, advance: Callable[[float], None]) -> Tensor:
        """(V,) the number of the cell that each of the cells (V,) looks at most."""
        query = self._cells_at(voters).float() @ self._query.T + self._query_bias
        query = query.to(self._compute)
        best = torch.full((len(voters),), -torch.inf, device=self._device)
        named = torch.zeros(len(voters), dtype=torch.int64, device=self._device)
        for rows in self._all_rows():
            cells = self._read(rows).to(self._compute)
            first = rows.start * self._cells.shape.width
            for start in range(0, len(query), _VOTERS_AT_A_TIME):
                chosen = slice(start, start + _VOTERS_AT_A_TIME)
                score, number = (query[chosen] @ cells.T).max(dim=1)
                is_better = score.float() > best[chosen]
                named[chosen] = torch.where(is_better, number + first, named[chosen])
                best[chosen] = torch.maximum(best[chosen], score.float())
                advance(float(len(score) * cells.numel()))
        return named.cpu()

    def _cells_at(self, places: Tensor) -> Tensor:
        """(K, C) for numbers of cells, in any order."""
        order = places.argsort()
        ordered = places[order]
        shape = self._cells.shape
        found = torch.empty(len(places), shape.channels, dtype=self._compute, device=self._device)
        for rows in self._all_rows():
            first, behind = rows.start * shape.width, rows.stop * shape.width
            start, stop = torch.searchsorted(ordered, torch.tensor([first, behind])).tolist()
            if start < stop:
                cells = self._read(rows).to(self._compute)
                index = (ordered[start:stop] - first).to(self._device)
                found[order[start:stop].to(self._device)] = cells[index]
        return found

    def _gather(self, chosen: Chosen) -> Groups:
        return grouped(
            self._cells_at(chosen.places), self._trusted[chosen.places], chosen.log_weights
        )

    def _collect(
        self, cells: Tensor, keys: Groups, advance: Callable[[float], None]
    ) -> tuple[Tensor, Tensor]:
        """The mean over trusted keys (Q, C), faded, and the share that is left (Q, 1)."""
        query = (cells @ self._query.T + self._query_bias).to(self._compute)
        mean, trusted_mass = _attend(query, keys.trusted, advance)
        if not keys.trusted:
            return mean, torch.zeros_like(trusted_mass)
        if not keys.damaged:
            return mean, torch.ones_like(trusted_mass)
        _, damaged_mass = _attend(query, keys.damaged, advance)
        fade = (torch.sigmoid(trusted_mass - damaged_mass) / SMALLEST_ATTENTION_MASS).clamp_max(1)
        return mean * fade, fade


def attention_cost(block: PartialNonLocalBlock, trust: Tensor, channels: int) -> float:
    """Multiplications for the whole map, roughly."""
    count, near = trust.numel(), int(_near_holes(block, trust).sum())
    far = 0 if block.reach is not None else count - near
    if count <= LARGEST_EXACT:
        return 2.0 * (near + far) * count * channels
    votes = VOTERS * count * (KEYS_BEYOND + (0 if far == 0 else KEYS_FOR_STATISTICS))
    looks = near * 2 * KEYS_BEYOND + far * 2 * KEYS_FOR_STATISTICS
    return (votes + 2.0 * looks) * channels


def _near_holes(block: PartialNonLocalBlock, trust: Tensor) -> Tensor:
    """(N,) true for cells whose value reaches a damaged one through the residual blocks."""
    reach = block.reach or 2 * len(block.res_block)
    hole = (trust < 1).to(torch.float32)
    return F.max_pool2d(hole, 2 * reach + 1, 1, reach).flatten().cpu() > 0


def _within(kind: Tensor, rows: Rows, width: int) -> Tensor:
    return kind[rows.start * width : rows.stop * width]


def _attend(
    query: Tensor, groups: Sequence[Group], advance: Callable[[float], None]
) -> tuple[Tensor, Tensor]:
    """Softmax-weighted mean of the keys (Q, C), and the logarithm of the weights' sum (Q, 1)."""
    mean = torch.zeros(query.shape, device=query.device)
    mass = torch.full((len(query), 1), -torch.inf, device=query.device)
    for keys, log_weight in groups:
        for part in torch.split(keys, _KEYS_AT_A_TIME):
            part_mean, part_mass = _attend_to_few(query, part)
            part_mass = part_mass + log_weight
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
