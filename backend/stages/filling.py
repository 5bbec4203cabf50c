"""Stage 2, first half: fill what is better copied or invented than restored."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backend.damage import HOLE_GROWTH, Filled
from backend.images import Mask
from backend.monitor import Monitor
from backend.networks import Networks
from backend.synthesis.large_holes import FindFaces, fill_large_holes
from backend.tensors import dilate
from backend.tiling import TileSides, run_tiled_as_memory_allows

TILES = TileSides(768, 384, 192)
"""LaMa and its like look at the whole tile; larger ones than in their training bring no more."""

MULTIPLE = 8


def fill(
    image: Tensor,
    damage: Mask,
    networks: Networks,
    monitor: Monitor,
    find_faces: FindFaces = tuple,
) -> Filled:
    """Fill all damage with the user's model, or else large holes with what the photo shows.

    The official weights do without: their mapping fills holes of any size.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W), not 0 on damage.
        networks: which of the three it is.
        monitor: of this part.
        find_faces: see `fill_large_holes`.

    Returns:
        The photo as it is outside the damage.
    """
    unfilled = Filled.not_yet(image, damage)
    if not unfilled.places.any():
        return unfilled
    if networks.uses_model("inpainting"):
        # With the soft edge beside it, but nothing that is hardly selected elsewhere.
        hole = dilate(unfilled.places, HOLE_GROWTH) * (damage > 0)
        invented = _invented(image, hole, networks, monitor)
        return Filled(invented, unfilled.places, np.zeros_like(damage))
    if networks.has("restoration"):
        filled, left = fill_large_holes(image, unfilled.places, networks, monitor, find_faces)
        return Filled(filled, unfilled.places, left)
    return unfilled


def _invented(image: Tensor, hole: Mask, networks: Networks, monitor: Monitor) -> Tensor:
    """Every pixel where `hole` is 1 as the inpainting model invents it."""
    mask = torch.from_numpy(hole.astype(np.float32))[None, None]
    filled, _ = run_tiled_as_memory_allows(
        networks.model_run("inpainting"),
        [image, mask],
        TILES,
        channels=3,
        multiple=MULTIPLE,
        monitor=monitor,
        is_needed=lambda box: bool(hole[box.slices].any()),
    )
    return torch.where(mask > 0, filled, image)
