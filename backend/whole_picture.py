"""Stage 2 for the whole picture: repair the damage, clean, restore the tone, as chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from backend.geometry import Box
from backend.images import Mask, bounding_box
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.stages.denoising import denoise
from backend.stages.restoration import (
    marked,
    repair_scratches,
    repaired_part,
    restore_global,
)
from backend.stages.tone import restore_tone
from backend.tensors import to_mask

OnRepaired: TypeAlias = Callable[[Tensor, Box], None]
"""Gets (1, 3, h, w) of a box around the damage, repaired and in the photo's own tone."""


def restore_whole_picture(
    source: Tensor,
    image: Tensor,
    hole: Mask,
    options: Options,
    networks: Networks,
    monitor: Monitor,
    on_repaired: OnRepaired = lambda _part, _box: None,
) -> Tensor:
    """Restore a picture as far as the options say.

    Args:
        source: (1, 3, H, W) in [0, 1], the photo.
        image: the same, or with its damage filled by a model of the user's.
        hole: (H, W), not 0 on damage.
        monitor: of the stage.
        on_repaired: gets the repaired damage before the tone is restored, if there is any.

    Returns:
        A new (1, 3, H, W), not clipped.
    """
    cleaning, toning = monitor.part(0, 2), monitor.part(1, 2)
    is_filled = image is not source
    if options.cleaning and not networks.uses_model("denoising"):
        result, _ = restore_global(image, marked(hole), networks, cleaning, is_filled=is_filled)
        if hole.any():
            on_repaired(*repaired_part(result, source, hole, networks))
    else:
        result = image.clone()
        if hole.any():
            if not is_filled:
                _put_repair(result, hole, networks, cleaning.part(0, 2))
            box = bounding_box(hole)
            on_repaired(result[..., box.slices[0], box.slices[1]], box)
        if options.cleaning:
            # In place of the weights: both in turn would smooth twice and take twice the time.
            result = denoise(result, networks, cleaning.part(1, 2))
    if options.strength < 1:
        # The damage is repaired whatever the strength.
        share = to_mask(hole).clamp_min(options.strength)
        result = source + share * (result - source)
    if options.tone and networks.has("tone"):
        restore_tone(result, networks, toning, strength=options.strength)
    return result


def _put_repair(image: Tensor, hole: Mask, networks: Networks, monitor: Monitor) -> None:
    repaired, box = repair_scratches(image, hole, networks, monitor)
    rows, columns = box.slices
    share = to_mask(hole[box.slices])
    image[..., rows, columns] += share * (repaired - image[..., rows, columns])
