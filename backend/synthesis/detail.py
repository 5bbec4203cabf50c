"""At full size, what a small copy was filled with."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from backend.monitor import Monitor
from backend.synthesis.patch_field import NONE, RADIUS, Match

CHUNK = 250_000
"""Pixels that are computed at once."""


def with_detail(
    photo: Tensor,
    small: Tensor,
    filled: Tensor,
    match: Match,
    hole: Tensor,
    factor: int,
    monitor: Monitor,
) -> Tensor:
    """Enlarge what was filled, and add what is finer in the photo where it was copied from.

    Args:
        photo: (3, H, W) in [0, 1].
        small: (3, h, w), the photo smaller by `factor`.
        filled: (3, h, w), the same with its hole filled.
        match: where the patches of the hole came from.
        hole: (H, W) bool, at full size.
        factor: whole.
        monitor: asked whether the user gave up.

    Returns:
        (3, N) in [0, 1] for the pixels of the hole, row by row.
    """
    height, width = match.size
    parts = []
    for at in torch.split(hole.nonzero(), CHUNK):
        monitor.check()
        y, x = at.unbind(1)
        # Patches are whole: at the picture's edge those count that cover its pixels.
        cell_y = (y // factor).clamp(RADIUS, height - 1 - RADIUS)
        cell_x = (x // factor).clamp(RADIUS, width - 1 - RADIUS)
        row = match.row_at[cell_y * width + cell_x]
        from_y = (y + factor * (match.y[row] - cell_y)).clamp(0, hole.shape[0] - 1)
        from_x = (x + factor * (match.x[row] - cell_x)).clamp(0, hole.shape[1] - 1)
        fine = photo[:, from_y, from_x] - _sampled(small, from_y, from_x, factor)
        parts.append(_sampled(filled, y, x, factor) + torch.where(row == NONE, 0, fine))
    return torch.cat(parts, dim=1).clamp_(0, 1)


def _sampled(small: Tensor, y: Tensor, x: Tensor, factor: int) -> Tensor:
    """(3, N) of (3, h, w), linear, at pixels of the full size."""
    height, width = small.shape[1:]
    places = [(v + 0.5) / factor / side * 2 - 1 for v, side in ((x, width), (y, height))]
    grid = torch.stack(places, dim=-1)[None, None]
    sampled = F.grid_sample(small[None], grid, padding_mode="border", align_corners=False)
    return sampled[0, :, 0]
