"""Stage 2: clean the picture and repair the damage.

The bundled weights do it with a U-Net over the pixels, the original's with two VAEs and a mapping
between their latent spaces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from backend.geometry import Box
from backend.images import Mask, bounding_box
from backend.inpainting import inpaint, paint_white
from backend.monitor import Monitor
from backend.networks import Networks
from backend.tensors import dilate
from backend.tiling import run_tiled
from backend.tone import match_tone
from models.filling import fill_smoothly
from models.latent_mapping import ScratchMapping
from models.registry import Network

TILE, OVERLAP = 512, 96
WHOLE = 1 << 30

HALF = 128
"""From this value of a soft mask on a pixel is taken as damaged."""

HOLE_GROWTH = 1
"""Pixels around it are partly damaged, and would be continued into the hole."""

CONTEXT = 256
"""Pixels around the damage that its repair looks at."""


def restore_global(
    image: Tensor,
    damage: Mask,
    networks: Networks,
    monitor: Monitor,
    *,
    only_damage: bool = False,
    is_filled: bool = False,
) -> tuple[Tensor, Tensor]:
    """Restore a picture.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W), not 0 where pixels are to be repaired.
        networks: with encoder, mapping and decoder.
        monitor: of the stage.
        only_damage: leave out tiles without damage, where the weights allow tiles.
        is_filled: the damage is filled in `image` already, and restored like the rest: the
            weights' own repair would put something else into its place.

    Returns:
        (1, 3, H, W), not clipped, and (1, 1, H, W) with 0 where a tile was left out.
    """
    hole = dilate(np.where(damage >= HALF, 255, 0).astype(np.uint8), HOLE_GROWTH)
    if is_filled:
        hole = np.zeros_like(hole)
    plan = choose_plan(networks, bool(hole.any()))
    inference = networks.spec(plan.main).inference
    mask = torch.from_numpy((hole > 0).astype(np.float32))[None, None]
    return run_tiled(
        plan.make_runner(networks),
        [prepare_holes(image, hole, str(inference["hole"]), monitor), mask],
        channels=3,
        tile=TILE if plan.tiled else WHOLE,
        overlap=OVERLAP,
        # The attention takes a cell's damage from fixed pixels of it, the VAE halves twice.
        multiple=max(16, int(inference["multiple"])),
        monitor=monitor,
        is_needed=lambda box: not only_damage or bool(damage[box.slices].any()),
    )


Runner = Callable[[Sequence[Tensor], Monitor], Tensor]
"""The way of one tile: (filled picture in [0, 1], mask) -> restored picture in [0, 1]."""


@dataclass(frozen=True)
class Plan:
    """Which networks restore a picture, and how.

    Attributes:
        main: the network whose spec says what the others need, too.
        tiled: no statistics over the whole picture are computed.
        make_runner: the way of one tile.
    """

    main: Network
    tiled: bool
    make_runner: Callable[[Networks], Runner]


def choose_plan(networks: Networks, has_hole: bool) -> Plan:
    if networks.has("restoration"):
        return Plan("restoration", True, make_cleaner)
    mapping = choose_mapping(networks, has_hole)
    return Plan(mapping, can_be_tiled(networks, mapping), partial(make_translator, mapping=mapping))


def prepare_holes(image: Tensor, hole: Mask, way: str, monitor: Monitor) -> Tensor:
    """Give the pixels under the hole the values that the weights expect there."""
    if not hole.any():
        return image
    if way == "filled":
        return fill_smoothly(image, torch.from_numpy((hole > 0).astype(np.float32))[None, None])
    values = np.ascontiguousarray(image[0].permute(1, 2, 0).numpy())
    filled = inpaint(values, hole, monitor) if way == "inpainted" else paint_white(values, hole)
    return torch.from_numpy(filled).permute(2, 0, 1)[None]


def make_cleaner(networks: Networks) -> Runner:
    """Clean and fill by the U-Net."""
    network = networks.restoration()

    def run(tiles: Sequence[Tensor], monitor: Monitor) -> Tensor:
        image, mask = (tile.to(networks.device) for tile in tiles)
        x = image * 2 - 1
        with monitor.watching(network):
            y: Tensor = x + network(x, mask)
        return (y + 1) / 2

    return run


def choose_mapping(networks: Networks, has_hole: bool) -> Network:
    """The mapping for this picture; a joint set has one that does both."""
    separate = networks.spec("mapping_quality").family == "quality_mapping"
    return "mapping_quality" if separate and not has_hole else "mapping_scratch"


def can_be_tiled(networks: Networks, mapping: Network) -> bool:
    """Whether the weights compute no statistics over the whole picture."""
    names: list[Network] = [mapping, "vae_a", decoder_for(mapping)]
    return all(
        networks.spec(name).hyper_parameters.get("normalization", "instance") == "none"
        for name in names
    )


def decoder_for(mapping: Network) -> Network:
    return "vae_b_quality" if mapping == "mapping_quality" else "vae_b_scratch"


def make_translator(networks: Networks, mapping: Network) -> Runner:
    """Carry the picture through the latent space of clean photos."""
    encoder, decoder = networks.vae("vae_a"), networks.vae(decoder_for(mapping))
    translate = networks.mapping(mapping)
    is_residual = bool(networks.spec(mapping).inference["residual"])

    def run(tiles: Sequence[Tensor], monitor: Monitor) -> Tensor:
        image, mask = (tile.to(networks.device) for tile in tiles)
        x = image * 2 - 1
        with monitor.watching(encoder.encoder, translate, decoder.decoder):
            z = encoder.encode(x)
            z = translate(z, mask) if isinstance(translate, ScratchMapping) else translate(z)
            y = decoder.decode(z)
        return ((x + y if is_residual else y) + 1) / 2

    return run


def repair_scratches(
    image: Tensor, damage: Mask, networks: Networks, monitor: Monitor, *, is_filled: bool = False
) -> tuple[Tensor, Box]:
    """Restore the damaged pixels alone, in the tone of the untouched picture.

    Args:
        image: (1, 3, H, W) in [0, 1].
        damage: (H, W) with at least one pixel that is not 0.
        networks: with encoder, mapping and decoder.
        monitor: of the stage.
        is_filled: see `restore_global`.

    Returns:
        (1, 3, h, w) of the box around the damage, and the box.
    """
    box = bounding_box(damage)
    region = box
    if choose_plan(networks, not is_filled).tiled:
        size = Box(0, 0, damage.shape[1], damage.shape[0]).size
        region = box.grown(CONTEXT).clipped(size)
    else:
        region = Box(0, 0, damage.shape[1], damage.shape[0])
    rows, columns = region.slices
    part, hole = image[..., rows, columns], damage[region.slices]
    restored, coverage = restore_global(
        part, hole, networks, monitor, only_damage=True, is_filled=is_filled
    )
    monitor.check()
    known = ((hole == 0) & (coverage[0, 0].numpy() > 0)).astype(np.float32)
    matched = match_tone(
        restored[0].permute(1, 2, 0).numpy(), part[0].permute(1, 2, 0).numpy(), known
    )
    within = Box(box.x0 - region.x0, box.y0 - region.y0, box.x1 - region.x0, box.y1 - region.y0)
    return torch.from_numpy(matched[within.slices].copy()).permute(2, 0, 1)[None], box
