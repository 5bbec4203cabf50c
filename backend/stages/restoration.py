"""Stage 2: clean the picture and repair the damage.

The bundled weights do it with a U-Net over the pixels, the original's with two VAEs and a mapping
between their latent spaces.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.cleaner import clean
from backend.damage import HOLE_GROWTH, Filled
from backend.geometry import Box, Size
from backend.holes import hole_groups, paint_white
from backend.images import Mask, bounding_box
from backend.monitor import Monitor
from backend.networks import Networks
from backend.regions import CONTEXT, Patchwork, damaged_regions, whole_region
from backend.restorer import Restorer
from backend.tensors import cut, dilate
from backend.texture import photo_grain
from backend.tone import match_tone
from models.filling import fill_smoothly
from models.grain_level import GrainLevel
from models.registry import Network

EXACT_REPAIR_PIXELS = 1_000_000
"""Size up to which scratches are repaired by way of the whole picture, where the weights compute
statistics over it. In larger ones only regions with damage run, with the statistics of a copy."""


def restore_global(
    image: Tensor,
    damage: Mask,
    networks: Networks,
    monitor: Monitor,
    *,
    needed: Mask | None = None,
    restorer: Restorer | None = None,
    grain: GrainLevel | None = None,
) -> tuple[Tensor, Tensor]:
    """Restore a picture.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W), not 0 where pixels are to be repaired; from `marked`.
        networks: with "restoration", or with encoder, mapping and decoder.
        monitor: of the stage.
        needed: (H, W), tiles where it is 0 everywhere are left out; None takes all.
        restorer: of the picture that `image` is a part of, where the weights have a mapping.
        grain: of the picture, where the weights have "restoration"; None: it shows none.

    Returns:
        (1, 3, H, W), not clipped, and (1, 1, H, W) uint8 with 0 where a tile was left out.
    """

    def is_needed(box: Box) -> bool:
        return needed is None or bool(needed[box.slices].any())

    hole = _hole(damage)
    # A byte a pixel; what needs numbers converts its part.
    mask = torch.from_numpy(hole)[None, None]
    if networks.has("restoration"):
        filled = fill_holes(image, hole, monitor) if hole.any() else image
        return clean(filled, mask, image, grain, networks, monitor, is_needed)
    filled = paint_holes(image, hole)
    if restorer is not None:
        return restorer.tiles(filled, mask, monitor, is_needed)
    mapping = choose_mapping(networks, bool(hole.any()))
    return Restorer(networks, mapping).whole(filled, mask, monitor), torch.ones_like(mask)


def _hole(damage: Mask) -> Mask:
    """(H, W), 1 where the networks are told that the picture is damaged, else 0."""
    return dilate((damage > 0).astype(np.uint8), HOLE_GROWTH)


def fill_holes(image: Tensor, hole: Mask, monitor: Monitor) -> Tensor:
    """Fill smoothly, group by group: holes far apart do not need the whole picture at once."""
    filled = image.clone()
    for box, own in hole_groups(hole):
        monitor.check()
        unknown = torch.from_numpy((hole[box.slices] > 0).astype(np.float32))[None, None]
        smooth, here = fill_smoothly(cut(image, box), unknown), cut(filled, box)
        here.copy_(torch.where(torch.from_numpy(own), smooth, here))
    return filled


def paint_holes(image: Tensor, hole: Mask) -> Tensor:
    """Give the pixels under the hole the values that the mappings expect there."""
    if not hole.any():
        return image
    return torch.from_numpy(paint_white(_values(image), hole)).permute(2, 0, 1)[None]


def choose_mapping(networks: Networks, has_hole: bool) -> Network:
    """The mapping for this picture; a joint set has one that does both."""
    separate = networks.spec("mapping_quality").family == "quality_mapping"
    return "mapping_quality" if separate and not has_hole else "mapping_scratch"


def repaired_part(
    restored: Tensor, photo: Tensor, damage: Mask, networks: Networks
) -> tuple[Tensor, Box]:
    """Cut what was repaired out of a restored picture, in the tone of the photo.

    Args:
        restored: (1, 3, H, W) from `restore_global`.
        photo: (1, 3, H, W) in [0, 1], what it was made of.
        damage: (H, W) with at least one pixel that is not 0.
        networks: those that restored it.

    Returns:
        (1, 3, h, w) of the box around the damage, not clipped, and the box.
    """
    box = bounding_box(damage)
    if networks.has("restoration"):
        # These weights keep the tone.
        return cut(restored, box), box
    region = box.grown(CONTEXT).clipped(Size(damage.shape[1], damage.shape[0]))
    known = (damage[region.slices] == 0).astype(np.float32)
    made, seen = (_values(cut(x, region)) for x in (restored, photo))
    matched = match_tone(made, seen, known)[box.within(region).slices]
    return torch.from_numpy(matched.copy()).permute(2, 0, 1)[None], box


def repair_scratches(
    filled: Filled, damage: Mask, networks: Networks, monitor: Monitor
) -> tuple[Tensor, Box]:
    """Restore the damaged pixels alone, in the tone of the untouched picture.

    What has been filled stays as it is, with the grain of the photo.

    Args:
        filled: the photo, with what is left to be repaired.
        damage: (H, W) with at least one pixel that is not 0.
        networks: as for `restore_global`.
        monitor: of the stage.

    Returns:
        (1, 3, h, w) of the box around the damage, and the box.
    """
    box, image, left = bounding_box(damage), filled.image, filled.left
    if not left.any():
        return cut(image, box), box
    restorer, regions = None, [whole_region(damage, box)]
    # With the U-Net each restored pixel depends on its surroundings alone.
    is_local = networks.has("restoration")
    if is_local or damage.size > EXACT_REPAIR_PIXELS:
        regions = list(damaged_regions(damage))
        if not is_local:
            preparing, monitor = monitor.part(0, 2), monitor.part(1, 2)
            restorer = _restorer_of_parts(image, left, networks, preparing)
    patchwork = Patchwork(box)
    for index, region in enumerate(regions):
        if not left[region.core.slices].any():
            continue
        around = region.around.slices
        part, hole = cut(image, region.around), damage[around]
        restored, complete = restore_global(
            part,
            left[around],
            networks,
            monitor.part(index, len(regions)),
            needed=region.needed,
            restorer=restorer,
            grain=photo_grain(part) if is_local else None,
        )
        known = ((hole == 0) & (complete[0, 0].numpy() > 0)).astype(np.float32)
        matched = match_tone(_values(restored), _values(part), known)
        patchwork.add(region, matched[region.core.within(region.around).slices])
        monitor.check()
    photo = _values(image)[box.slices]
    repaired = patchwork.finished(photo)
    np.copyto(repaired, photo, where=filled.done[box.slices][..., None])
    return torch.from_numpy(repaired).permute(2, 0, 1)[None], box


def _restorer_of_parts(
    image: Tensor, damage: Mask, networks: Networks, monitor: Monitor
) -> Restorer:
    hole = _hole(damage)
    restorer = Restorer(networks, choose_mapping(networks, bool(hole.any())))
    mask = torch.from_numpy(hole)[None, None]
    return restorer.for_parts_of(paint_holes(image, hole), mask, monitor)


def _values(image: Tensor) -> npt.NDArray[np.float32]:
    """(1, 3, H, W) as (H, W, 3), in the same memory."""
    values: npt.NDArray[np.float32] = image[0].permute(1, 2, 0).numpy()
    return values
