"""Of a picture that was restored before, compute only what changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from backend.cache import Cache
from backend.geometry import Box, Size
from backend.monitor import Monitor
from backend.planned import Streamed
from backend.revision import FADE, LARGEST_CHANGE, Revision, block_sums, revisions
from backend.streaming.keys import Elsewhere, Keys
from backend.streaming.stream import Known
from backend.tensors import cut
from backend.tiling import tile_weight
from models.layers import undamaged_cells


class Former(NamedTuple):
    """What is known of a picture that was restored as a whole.

    Attributes:
        known: its statistics.
        keys: what its attention looked at; None without damage.
    """

    known: Known
    keys: Keys | None


RunPart = Callable[[Tensor, Tensor, Former, "Elsewhere | None", Monitor], "Tensor | None"]
"""Restores a part (1, 3, h, w) in [0, 1] and its mask as part of a picture; None if that fails."""


def remember(
    cache: Cache, what: str, image: Tensor, mask: Tensor, restored: Tensor, streamed: Streamed
) -> Former:
    """Keep a whole restoration, and say what `revised` needs besides.

    Args:
        cache: where to.
        what: names the way; the same for `revised`.
        image, mask: what was restored.
        restored: (1, 3, H, W) in [0, 1].
        streamed: how it came to be.
    """
    sums = block_sums([image, mask])
    keys = streamed.keys
    kept = (sums, sums, restored) if keys is None else (sums, sums, restored, keys.cells)
    cache.remember(what, kept)
    # The cells are counted by the cache, and are only there as long as it wants.
    return Former(streamed.known, None if keys is None else keys._replace(cells=torch.empty(0)))


def revised(
    cache: Cache,
    what: str,
    former: Former,
    image: Tensor,
    mask: Tensor,
    run: RunPart,
    monitor: Monitor,
) -> Tensor | None:
    """A picture that was restored before, with another mask.

    Statistics and far keys of the attention are those of the former picture, so that nothing
    changes where nothing was changed: a new run would shift the tone of everything a little.

    Args:
        cache, what, former: of `remember`.
        image: (1, 3, H, W) in [0, 1] with filled holes; sides are multiples of 16.
        mask: (1, 1, H, W) uint8, 1 = repair, else 0.
        run: see RunPart.
        monitor: of the stage.

    Returns:
        (1, 3, H, W), not to be changed; None where a new run is better.
    """
    kept = cache.recall(what)
    if kept is None or kept[0].shape != (image.shape[2] // 16, image.shape[3] // 16):
        return None
    base, last, before, *cells = kept
    sums = block_sums([image, mask])
    places = revisions(last, sums)
    if places is None or float((base != sums).float().mean()) > LARGEST_CHANGE:
        return None
    if not places:
        return before
    if not cells and bool(mask.any()):
        return None
    keys = former.keys._replace(cells=cells[0]) if cells and former.keys is not None else None
    trusted = undamaged_cells(mask.float(), image.shape[2] // 4, image.shape[3] // 4).flatten() == 1
    result = before.clone()
    for index, place in enumerate(places):
        elsewhere = None if keys is None else _elsewhere(keys, trusted, place, image.shape[3])
        part = run(
            cut(image, place.computed),
            cut(mask, place.computed),
            former,
            elsewhere,
            monitor.part(index, len(places)),
        )
        if part is None:
            return None
        _put(result, part, place.replaced, place.computed)
    cache.remember(what, (base, sums, result, *cells))
    return result


def _elsewhere(keys: Keys, trusted: Tensor, place: Revision, width: int) -> Elsewhere:
    places = keys.chosen.places
    row, column = places // (width // 4), places % (width // 4)
    inner, outer = place.replaced, place.computed
    # Cells at the edge of what is computed lack their surroundings: there the former ones stay.
    is_new = (
        (row >= inner.y0 // 4)
        & (row < inner.y1 // 4)
        & (column >= inner.x0 // 4)
        & (column < inner.x1 // 4)
    )
    numbers = (row - outer.y0 // 4) * (outer.size.width // 4) + column - outer.x0 // 4
    return Elsewhere(keys, trusted[places], torch.where(is_new, numbers, -1))


def _put(result: Tensor, part: Tensor, replaced: Box, computed: Box) -> None:
    """Fade from the old into the new, over the edges that are not the picture's."""
    weight = tile_weight(replaced, Size(result.shape[3], result.shape[2]), FADE)
    old, new = cut(result, replaced), cut(part, replaced.within(computed))
    old += weight * (new - old)
