"""After the last stage, on the command line only: a larger picture by a model of the user's.

A layer of another size than its document would be of no use, so GIMP does not offer it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from backend.device import memory_errors_explained
from backend.files_metadata import enlarged
from backend.images import Picture, as_depth, is_gray
from backend.monitor import Monitor
from backend.networks import Networks
from backend.tensors import to_image, to_pixels
from backend.tiling import TileSides, run_tiled_as_memory_allows
from backend.transparency import visible_color

TILES = TileSides(384, 96, 64)
MULTIPLE = 4


def enlarge(picture: Picture, networks: Networks, monitor: Monitor) -> Picture:
    """Enlarge a picture by the model's scale.

    Args:
        picture: of any size and depth; gray stays gray, alpha is enlarged smoothly.
        networks: with a model for enlargement.
        monitor: of this stage.

    Returns:
        The same depth and channels; the resolution grows, so that a print keeps its size.

    Raises:
        WeightsError: the model cannot be loaded.
        DeviceError: the memory is too small for the result.
    """
    color = visible_color(picture)
    with torch.inference_mode(), memory_errors_explained():
        model, scale = networks.model_run("enlargement"), networks.model("enlargement").scale

        def run(tiles: Sequence[Tensor], part: Monitor) -> Tensor:
            # The pixels that one pixel became lie in its channels, so that tiles keep their size.
            return pixel_unshuffle(model(tiles, part), scale)

        packed, _ = run_tiled_as_memory_allows(
            run,
            [to_image(color)],
            TILES,
            channels=3 * scale**2,
            multiple=MULTIPLE,
            monitor=monitor,
        )
        pixels = to_pixels(pixel_shuffle(packed, scale), color, gray=is_gray(color))
    if picture.alpha is not None:
        size = (pixels.shape[1], pixels.shape[0])
        alpha = np.asarray(cv2.resize(picture.alpha, size, interpolation=cv2.INTER_LINEAR))
        levels = np.concatenate([pixels, alpha.reshape(*pixels.shape[:2], 1)], axis=2)
        pixels = as_depth(levels, color)
    return Picture(pixels, enlarged(picture.metadata, scale))
