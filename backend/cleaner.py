"""The U-Net that cleans and fills, on a picture of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from backend.geometry import Box
from backend.monitor import Monitor
from backend.networks import Networks
from backend.precision import type_of
from backend.tensors import luminance
from backend.tiling import USUAL_TILES, run_tiled_as_memory_allows
from models.grain_level import GrainLevel

MULTIPLE = 16
"""The network halves the size four times."""


def clean(
    filled: Tensor,
    mask: Tensor,
    photo: Tensor,
    grain: GrainLevel | None,
    networks: Networks,
    monitor: Monitor,
    is_needed: Callable[[Box], bool] = lambda _: True,
) -> tuple[Tensor, Tensor]:
    """Remove grain and blur, and repair the damage.

    Args:
        filled: (1, 3, H, W) in [0, 1], the photo with damage replaced smoothly.
        mask: (1, 1, H, W) uint8, 1 = repair, else 0.
        photo: (1, 3, H, W) in [0, 1], as it is.
        grain: of the photo; None: it shows none.
        networks: with "restoration".
        monitor: of the stage.
        is_needed: tiles for which it is false are left out.

    Returns:
        (1, 3, H, W), not clipped, and (1, 1, H, W) uint8 with 0 where a tile was left out.
    """
    network = networks.restoration()
    dtype = type_of(network)

    def run(tiles: Sequence[Tensor], part: Monitor) -> Tensor:
        x, hole, shown = tiles[0] * 2 - 1, tiles[1], tiles[2] * 2 - 1
        light = luminance(tiles[0])
        expected = torch.zeros_like(light) if grain is None else grain.at(light)
        given = [x, hole, shown, expected]

        def compute() -> Tensor:
            with part.watching(network):
                output: Tensor = network(*(t.to(networks.device, dtype) for t in given))
            return output.cpu()

        change = networks.cache.get(f"restoration {dtype}", given, compute)
        return (x + change.float() + 1) / 2

    return run_tiled_as_memory_allows(
        run,
        [filled, mask, photo],
        USUAL_TILES,
        channels=3,
        multiple=MULTIPLE,
        monitor=monitor,
        is_needed=is_needed,
    )
