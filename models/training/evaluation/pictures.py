"""The fixed test pictures: the same seeds give the same degradations of any folder's pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

from models.training.datasets import PicturePool, as_tensor, from_bgr
from models.training.degradations import recipe
from models.training.degradations.aging import Aging
from models.training.degradations.areas import BROAD, FINE, Brush, draw_holes, draw_tears
from models.training.degradations.dice import Dice
from models.training.degradations.lookalikes import add_print_edges, draw_lookalikes
from models.training.degradations.marks import (
    ByteArray,
    FloatArray,
    Paint,
    Sprites,
    draw_marks,
)
from models.training.degradations.painting import add_marks, lay_over
from models.training.transplants import Transplant, draw_transplants

DrawMarks = Callable[[tuple[int, int], np.random.Generator], Paint]
"""Damage for a picture of (H, W) pixels."""

Preset = Literal[
    "original", "photo", "wide holes", "shading", "scratches", "torn", "lifted", "paper"
]
# The place in this list is part of the seed: a new one comes last.
PRESETS: tuple[Preset, ...] = get_args(Preset)
DAMAGE_ALONE: tuple[Preset, ...] = ("scratches", "torn", "lifted")

# Different from every seed of training, whose seeds begin with the run's own small number.
_SEED = 7700


PAPER = 0.95
"""What is seen where a print is torn."""


@dataclass(frozen=True)
class Damage:
    """Structured damage of a picture by the recipe `paper`.

    Attributes:
        marks: their amount, for `draw_marks`.
        share: of the picture that is white holes, least and greatest.
        brush: what the holes are drawn with.
    """

    marks: float
    share: tuple[float, float]
    brush: Brush


PAPER_DAMAGE: dict[Preset, Damage] = {
    "paper": Damage(0.4, (0.065, 0.2), FINE),
    "wide holes": Damage(1.0, (0.035, 0.125), BROAD),
}
"""Either leaves pictures as far from the clean ones as the papers' were (12.9 dB, SSIM 0.49).

Methods that do not learn tell them apart: by the papers' table a deep image prior brings theirs to
22.6 dB. Telea's inpainting and non-local means get near that where the holes are narrow, and stay
3 dB below where they are wide.

Source: Wan et al., CVPR 2020, table 1.
"""


@dataclass(frozen=True)
class Degraded:
    """A test picture: what is right, what is given, and which pixels are damaged.

    Attributes:
        clean, degraded: (H, W, 3) in [0, 1].
        damage: (H, W), 1 where damage can be seen.
        unsure: (H, W), 1 where it lies but nobody could tell.
    """

    clean: FloatArray
    degraded: FloatArray
    damage: ByteArray
    unsure: ByteArray


def degraded_pictures(
    pool: PicturePool,
    preset: Preset,
    sprites: Sprites,
    lifted: Sequence[Sequence[Transplant]] = (),
) -> Iterator[Degraded]:
    """Each picture of the pool, degraded by a recipe.

    Args:
        pool: clean pictures.
        preset: "scratches" are drawn marks alone, "torn" holes, "lifted" real damage.
        sprites: for the drawn marks.
        lifted: the real damage; needed for that preset only.
    """
    for number, levels in enumerate(pool.pictures):
        seed = [_SEED, PRESETS.index(preset), number]
        dice = Dice(seed)
        clean = _batch(from_bgr(levels))
        if preset in ("photo", "shading", *DAMAGE_ALONE):
            clean = recipe.developed(clean, dice, own_contrast=preset in DAMAGE_ALONE)
        rng = np.random.default_rng(seed)
        if preset == "torn":
            yield _finished(clean, torn(clean, rng))
            continue
        drawn = _drawn(levels.shape[:2], rng, preset, sprites, lifted)
        aging = _aged(clean, dice, preset, torch.from_numpy(drawn.as_array())[None])
        if preset == "lifted":
            # Its rim is too faint to be seen and damaged as well: what is found is grown as much.
            aging.mask = F.max_pool2d(aging.mask, 3, 1, 1)
        yield _finished(clean, aging)


def _drawn(
    shape: tuple[int, int],
    rng: np.random.Generator,
    preset: Preset,
    sprites: Sprites,
    lifted: Sequence[Sequence[Transplant]],
) -> Paint:
    if preset == "lifted":
        return draw_transplants(shape, rng, lifted)
    damage = PAPER_DAMAGE.get(preset)
    if damage is None:
        return draw_marks(shape, rng, sprites)
    drawn = draw_marks(shape, rng, sprites, damage.marks)
    share = rng.uniform(*damage.share)
    drawn.add(draw_holes(shape, rng, share, damage.brush), np.ones(3), "hole")
    return drawn


def _aged(clean: Tensor, dice: Dice, preset: Preset, paint: Tensor) -> Aging:
    if preset == "original":
        return recipe.original(clean, dice)
    if preset == "shading":
        return recipe.shading(clean, dice)
    if preset == "photo":
        return recipe.photo(clean, dice, paint)
    if preset in PAPER_DAMAGE:
        return recipe.paper(clean, dice, paint)
    aging = Aging.of(clean)
    add_marks(aging, paint)
    return aging


def torn(clean: Tensor, rng: np.random.Generator) -> Aging:
    """(1, 3, H, W) that shows the paper where the picture is gone."""
    aging = Aging.of(clean)
    height, width = clean.shape[2:]
    aging.mask = torch.from_numpy(draw_tears((height, width), rng))[None, None]
    aging.image = torch.where(aging.mask > 0, PAPER, clean)
    return aging


def marked_pictures(pool: PicturePool, draw: DrawMarks, *, is_old: bool) -> Iterator[Degraded]:
    """For the detector: marks over printed, aged and scanned pictures.

    Args:
        draw: the marks.
        is_old: the pictures are old photos, which have been printed and aged already.
    """
    for number, levels in enumerate(pool.pictures):
        seed = [_SEED + 1, number]
        rng, dice = np.random.default_rng(seed), Dice(seed)
        clean = _batch(from_bgr(levels))
        aging = Aging.of(clean)
        if not is_old:
            clean = recipe.developed(clean, dice)
            aging = Aging.of(clean)
            recipe.expose(aging, dice, 0.8)
            recipe.age(aging, dice, 0.5)
        paint = draw(levels.shape[:2], rng)
        add_marks(aging, torch.from_numpy(paint.as_array())[None])
        recipe.scan(aging, dice)
        yield _finished(clean, aging)


def lookalike_pictures(pool: PicturePool) -> Iterator[FloatArray]:
    """Undamaged pictures full of writing, wires, hair, grass, fences and lace."""
    for number, levels in enumerate(pool.pictures):
        seed = [_SEED + 2, number]
        rng, dice = np.random.default_rng(seed), Dice(seed)
        image = recipe.developed(_batch(from_bgr(levels)), dice)
        for _ in range(4):
            paint = draw_lookalikes(levels.shape[:2], rng)
            image = lay_over(image, torch.from_numpy(paint.as_array())[None])
        aging = Aging.of(image)
        recipe.scan(aging, dice)
        yield _array(aging.image)


def scanned_prints(pool: PicturePool) -> Iterator[FloatArray]:
    """Undamaged prints with thin margins, with what they lay on in the scanner round about."""
    for number, levels in enumerate(pool.pictures):
        seed = [_SEED + 3, number]
        rng, dice = np.random.default_rng(seed), Dice(seed)
        image = recipe.developed(_batch(from_bgr(levels)), dice)
        paint = Paint.nothing(levels.shape[:2])
        add_print_edges(paint, levels.shape[:2], rng, sides=4)
        aging = Aging.of(lay_over(image, torch.from_numpy(paint.as_array())[None]))
        recipe.scan(aging, dice)
        yield _array(aging.image)


def _batch(image: FloatArray) -> Tensor:
    return as_tensor(image)[None]


def _array(image: Tensor) -> FloatArray:
    return np.ascontiguousarray(image[0].permute(1, 2, 0).numpy(), dtype=np.float32)


def _finished(clean: Tensor, aging: Aging) -> Degraded:
    damage, unsure = (m[0, 0].numpy().astype(np.uint8) for m in (aging.mask, aging.unsure))
    return Degraded(_array(clean), _array(aging.image), damage, unsure)
