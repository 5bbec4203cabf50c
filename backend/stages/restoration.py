"""Stage 2: carry the picture through the latent space of clean photos; repair the damage."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from backend.geometry import Box
from backend.images import Mask, bounding_box
from backend.inpainting import inpaint, paint_white
from backend.monitor import Monitor
from backend.networks import Networks
from backend.restorer import Restorer
from backend.tensors import dilate
from backend.tone import match_tone
from models.registry import Network

EXACT_REPAIR_PIXELS = 1_000_000
"""Size up to which scratches are repaired by way of the whole picture, where the weights compute
statistics over it. In larger ones only tiles with damage run, with the statistics of a copy."""

HALF = 128
"""From this value of a soft mask on a pixel is taken as damaged."""

HOLE_GROWTH = 1
"""Pixels around it are partly damaged, and would be continued into the hole."""

CONTEXT = 256
"""Pixels around the damage that its repair looks at."""


def restore_global(
    image: Tensor, damage: Mask, networks: Networks, monitor: Monitor, *, only_damage: bool = False
) -> tuple[Tensor, Tensor]:
    """Restore a picture.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W), not 0 where pixels are to be repaired.
        networks: with encoder, mapping and decoder.
        monitor: of the stage.
        only_damage: leave out tiles without damage, where the weights allow tiles.

    Returns:
        (1, 3, H, W), not clipped, and (1, 1, H, W) with 0 where a tile was left out.
    """
    hole = dilate(np.where(damage >= HALF, 255, 0).astype(np.uint8), HOLE_GROWTH)
    mapping = choose_mapping(networks, bool(hole.any()))
    restorer = Restorer(networks, mapping)
    filled = image
    if hole.any():
        values = image[0].permute(1, 2, 0).numpy()
        if networks.spec(mapping).inference["hole"] == "inpainted":
            values = inpaint(values, hole, monitor)
        else:
            values = paint_white(values, hole)
        filled = torch.from_numpy(values).permute(2, 0, 1)[None]
    # A byte a pixel; what needs numbers converts its part.
    mask = torch.from_numpy((hole > 0).astype(np.uint8))[None, None]
    if restorer.is_local or (only_damage and hole.size > EXACT_REPAIR_PIXELS):
        return restorer.tiles(
            filled, mask, monitor, lambda box: not only_damage or bool(damage[box.slices].any())
        )
    return restorer.whole(filled, mask, monitor), torch.ones_like(mask)


def choose_mapping(networks: Networks, has_hole: bool) -> Network:
    """The mapping for this picture; a joint set has one that does both."""
    separate = networks.spec("mapping_quality").family == "quality_mapping"
    return "mapping_quality" if separate and not has_hole else "mapping_scratch"


def repair_scratches(
    image: Tensor, damage: Mask, networks: Networks, monitor: Monitor
) -> tuple[Tensor, Box]:
    """Restore the damaged pixels alone, in the tone of the untouched picture.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W) with at least one pixel that is not 0.
        networks: with encoder, mapping and decoder.
        monitor: of the stage.

    Returns:
        (1, 3, h, w) of the box around the damage, and the box.
    """
    box = bounding_box(damage)
    region = box
    if Restorer(networks, choose_mapping(networks, True)).is_local:
        size = Box(0, 0, damage.shape[1], damage.shape[0]).size
        region = box.grown(CONTEXT).clipped(size)
    else:
        region = Box(0, 0, damage.shape[1], damage.shape[0])
    rows, columns = region.slices
    part, hole = image[..., rows, columns], damage[region.slices]
    restored, coverage = restore_global(part, hole, networks, monitor, only_damage=True)
    monitor.check()
    known = ((hole == 0) & (coverage[0, 0].numpy() > 0)).astype(np.float32)
    matched = match_tone(
        restored[0].permute(1, 2, 0).numpy(), part[0].permute(1, 2, 0).numpy(), known
    )
    within = Box(box.x0 - region.x0, box.y0 - region.y0, box.x1 - region.x0, box.y1 - region.y0)
    return torch.from_numpy(matched[within.slices].copy()).permute(2, 0, 1)[None], box
