"""What changed in a picture since it was last restored, so that only that is computed again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from backend.geometry import Box, Size

BLOCK = 16
"""Pixels along a side of the squares that are compared."""

INFLUENCE = 96
"""Pixels around a change that are computed again. The original's networks reach twice as far, but
hardly: what lies further away changes by less than the tone of the whole would."""

FADE = 64
"""Pixels of them, of which the inner half fades from the new to the old."""

LARGEST_SHARE = 0.5
"""Of the picture that is computed again, with context; for more all is."""

LARGEST_CHANGE = 0.1
"""Share of changed squares up to which the statistics of the former picture are taken."""


class Revision(NamedTuple):
    """A place that is computed again.

    Attributes:
        replaced: the box whose pixels are replaced; see FADE.
        computed: the box that must be computed for it.
    """

    replaced: Box
    computed: Box


def block_sums(inputs: Sequence[Tensor]) -> Tensor:
    """A number for each square of BLOCK pixels, which tells whether two have the same content.

    Args:
        inputs: (1, C_i, H, W) of float32 or uint8; sides are multiples of BLOCK.

    Returns:
        (H / BLOCK, W / BLOCK) int64: sums of the bits with random factors, modulo 2 ** 64.
    """
    generator = torch.Generator().manual_seed(0)
    height, width = inputs[0].shape[2:]
    sums = torch.zeros(height // BLOCK, width // BLOCK, dtype=torch.int64)
    for tensor in inputs:
        bits = tensor.view(torch.int32) if tensor.dtype == torch.float32 else tensor
        shape = (bits.shape[1], BLOCK, 1, BLOCK)
        factors = torch.randint(-(2**62), 2**62, shape, generator=generator)
        for row in range(len(sums)):
            band = bits[0, :, row * BLOCK : (row + 1) * BLOCK].to(torch.int64)
            squares = band.reshape(band.shape[0], BLOCK, -1, BLOCK)
            sums[row] += (squares * factors).sum(dim=(0, 1, 3))
    return sums


def revisions(before: Tensor, now: Tensor) -> list[Revision] | None:
    """Where a picture must be computed again.

    Args:
        before, now: its block_sums.

    Returns:
        Places that may overlap, none where nothing changed; None where all is computed sooner.
    """
    if before.shape != now.shape:
        return None
    changed = (before != now).numpy().astype(np.uint8)
    size = Size(changed.shape[1] * BLOCK, changed.shape[0] * BLOCK)
    reach = 2 * INFLUENCE // BLOCK
    grown = cv2.dilate(changed, np.ones((2 * reach + 1,) * 2, np.uint8))
    count, labels = cv2.connectedComponents(grown)
    found = []
    for label in range(1, count):
        rows, columns = np.nonzero((labels == label) & (changed > 0))
        corners = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        core = Box(*(int(corner) * BLOCK for corner in corners))
        around = (core.grown(margin).clipped(size) for margin in (INFLUENCE, 2 * INFLUENCE))
        found.append(Revision(*around))
    if sum(place.computed.size.pixel_count for place in found) > LARGEST_SHARE * size.pixel_count:
        return None
    return found
