"""Fill a large hole with what the rest of the picture is made of, from coarse to fine."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backend.monitor import Monitor
from backend.synthesis.patch_field import SIDE, Incomplete, Match, PatchField
from backend.synthesis.sizes import depth, enlarge, reduce

COARSEST_DEPTH = 6
"""Of a hole in the smallest picture, in pixels: there a patch sees from one side to the other."""

TURNS = (12, 8, 5, 4, 3)
"""Of searching and voting, in the smallest picture, the next, and so on; the last for all more."""

FIRST_ROUNDS = 4
"""Of the search that begins with random matches."""

TRUST_FALLS = 1.3
"""Per pixel from the edge: what is known leads, and what was invented follows."""

FARTHEST = 40
SHARPNESS, LAST_SHARPNESS = 1.0, 30.0


def synthesize(picture: Incomplete, monitor: Monitor) -> tuple[Tensor, Match | None]:
    """Fill a hole with patches of the picture.

    Args:
        picture: with a smooth guess in the hole.
        monitor: of this part.

    Returns:
        (3, H, W), and where the patches came from; the picture as it is and None where there is
        nothing to copy.

    Source:
        Y. Wexler et al., IEEE TPAMI 29(3), 2007, section 3.3 (pyramid).
    """
    generator = torch.Generator().manual_seed(0)
    current, match = picture.image, None
    halvings = _halvings(picture.hole)
    for level in range(halvings, -1, -1):
        part = monitor.part(halvings - level, halvings + 1)
        here = picture if level == 0 else _reduced(picture, 2**level)
        if min(here.size) < SIDE:
            continue
        field = PatchField(here, generator)
        if not field.has_sources:
            continue
        if match is not None:
            field.show(enlarge(current, 2, here.size))
        turns = TURNS[min(halvings - level, len(TURNS) - 1)]
        _fill(field, here.hole, match, turns, part)
        current, match = field.image, field.match()
    return current, match


def _fill(
    field: PatchField, hole: Tensor, coarser: Match | None, turns: int, monitor: Monitor
) -> None:
    trust = TRUST_FALLS ** -depth(hole).clamp_max(FARTHEST)
    field.start(coarser)
    if coarser is not None:
        # The picture, enlarged, is soft; what its matches show at this size is not.
        field.vote(field.search(0, monitor), trust, 0, monitor)
    for turn in range(turns):
        monitor.advance(turn / turns)
        rounds = FIRST_ROUNDS if coarser is None and turn == 0 else 1
        sharpness = SHARPNESS if turn < turns - 1 else LAST_SHARPNESS
        field.vote(field.search(rounds, monitor), trust, sharpness, monitor)


def _halvings(hole: Tensor) -> int:
    # Where all is hole nothing is near; OpenCV then says a number without end.
    deepest = min(float(depth(hole).max()), max(hole.shape))
    return max(0, int(np.log2(max(deepest, 1) / COARSEST_DEPTH)))


def _reduced(picture: Incomplete, factor: int) -> Incomplete:
    """A smaller copy, in which what belongs to the hole in part is hole."""
    hole = reduce(picture.hole[None].float(), factor)[0] > 0
    usable = reduce(picture.usable[None].float(), factor)[0] == 1
    return Incomplete(reduce(picture.image, factor), hole, usable)
