"""Stage 2, with a model of the user's: restore the whole picture in place of the weights."""

from __future__ import annotations

from torch import Tensor

from backend.monitor import Monitor
from backend.networks import Networks
from backend.tiling import USUAL_TILES, run_tiled_as_memory_allows

MULTIPLE = 16


def denoise(image: Tensor, networks: Networks, monitor: Monitor) -> Tensor:
    """Run the denoising model over the picture.

    Args:
        image: (1, 3, H, W) in [0, 1], its damage repaired already.
        networks: with a model for denoising.
        monitor: of this part.

    Returns:
        (1, 3, H, W) in [0, 1].
    """
    denoised, _ = run_tiled_as_memory_allows(
        networks.model_run("denoising"),
        [image],
        USUAL_TILES,
        channels=3,
        multiple=MULTIPLE,
        monitor=monitor,
    )
    return denoised
