"""Stage 2, with a model of the user's: fill the damage before the picture is restored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from backend.images import Mask
from backend.monitor import Monitor
from backend.networks import Networks
from backend.tiling import run_tiled_as_memory_allows

TILE, LEAST_TILE, OVERLAP = 768, 384, 192
"""LaMa and its like look at the whole tile; larger ones than in their training bring no more."""

MULTIPLE = 8


def fill(image: Tensor, damage: Mask, networks: Networks, monitor: Monitor) -> Tensor:
    """Replace every pixel that is damaged, be it in part, by what the inpainting model invents.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W), not 0 where pixels are to be replaced.
        networks: with a model for inpainting.
        monitor: of this part.

    Returns:
        (1, 3, H, W); `image` itself outside the damage.
    """
    module = networks.model("inpainting").module
    mask = torch.from_numpy((damage > 0).astype(np.float32))[None, None]

    def run(tiles: Sequence[Tensor], part: Monitor) -> Tensor:
        with part.watching(module):
            return networks.run_model("inpainting", *tiles)

    filled, _ = run_tiled_as_memory_allows(
        run,
        [image, mask],
        channels=3,
        tile=TILE,
        least_tile=LEAST_TILE,
        overlap=OVERLAP,
        multiple=MULTIPLE,
        monitor=monitor,
        is_needed=lambda box: bool(damage[box.slices].any()),
    )
    return torch.where(mask > 0, filled, image)
