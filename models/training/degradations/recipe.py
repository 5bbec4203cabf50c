"""The named recipes: `original`, `photo`, `paper` and `shading`.

Each takes clean pictures (B, 3, H, W) in [0, 1] and returns an `Aging`: the degraded pictures, the
mask of the structured damage, and what was done to each.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.training.degradations import noise, optics, tone
from models.training.degradations.aging import Aging, Operation
from models.training.degradations.dice import Dice
from models.training.degradations.jpeg import compression
from models.training.degradations.painting import add_marks

_FOUR_OPERATIONS: tuple[Operation, ...] = (
    optics.blur_of_the_original,
    noise.noise_of_the_original,
    optics.resolution_of_the_original,
    compression(40, 100),
)


def original(clean: Tensor, dice: Dice) -> Aging:
    """The original's recipe: four operations in random order, each with probability 0.7.

    Pixels are rounded to 8 bits after each, as pictures were handed from one to the next.

    Source: Wan et al., CVPR 2020, section 4.1, with the released code's figures.
    """
    aging = Aging.of(clean)
    orders = torch.from_numpy(dice.choices.permuted([[0, 1, 2, 3]] * len(clean), axis=1))
    for place in range(len(_FOUR_OPERATIONS)):
        happens = dice.happens(len(clean), 0.7)
        for number, operation in enumerate(_FOUR_OPERATIONS):
            aging.apply_to(happens & (orders[:, place] == number), operation, dice)
        aging.image = (aging.image * 255).round() / 255
    return aging


def developed(clean: Tensor, dice: Dice, *, own_contrast: bool = True) -> Tensor:
    """Give modern photos the look of old prints in good state: gray or toned, own contrast.

    This is the clean side of `photo`: a toned print is not damaged, and keeps its tone.

    Args:
        own_contrast: vary the contrast. Where contrast itself is to be restored, that of the
            photo is the only one that can be known.
    """
    aging = Aging.of(clean)
    aging.apply(tone.without_color, dice, 0.55)
    gray = torch.tensor([bool(steps) for steps in aging.applied])
    aging.apply_to(gray & dice.happens(len(clean), 0.15), tone.toning, dice)
    aging.apply(tone.development, dice, 0.6 if own_contrast else 0.0)
    return aging.image


def photo(clean: Tensor, dice: Dice, paint: Tensor | None, *, likelihood: float = 1.0) -> Aging:
    """What happens to a photo, in the order in which it happens: lens, print, years, scanner.

    Args:
        clean: from `developed`.
        paint: (B, 4, H, W) structured damage from `draw_marks`, or None.
        likelihood: multiplies the probabilities of everything but the paint, in [0, 1].
    """
    aging = Aging.of(clean)
    expose(aging, dice, likelihood)
    age(aging, dice, likelihood)
    if paint is not None:
        add_marks(aging, paint)
    scan(aging, dice, likelihood)
    return aging


def expose(aging: Aging, dice: Dice, likelihood: float = 1.0) -> None:
    """Lens, emulsion and printing press."""
    aging.apply(optics.soft_focus(2.0), dice, 0.35 * likelihood)
    aging.apply(optics.defocus(3.0), dice, 0.1 * likelihood)
    aging.apply(optics.motion_blur(8.0), dice, 0.08 * likelihood)
    aging.apply(optics.lost_resolution(2.5), dice, 0.2 * likelihood)
    aging.apply(noise.film_grain(0.09), dice, 0.6 * likelihood)
    aging.apply(noise.halftone, dice, 0.06 * likelihood)


def age(aging: Aging, dice: Dice, likelihood: float = 1.0) -> None:
    """Light, chemistry and damp: complex shading, without a mask."""
    for operation, probability in _YEARS:
        aging.apply(operation, dice, probability * likelihood)


_YEARS: tuple[tuple[Operation, float], ...] = (
    (tone.exposure, 0.25),
    (tone.fading(0.65), 0.4),
    (tone.shading, 0.3),
    (tone.vignette, 0.25),
    (tone.bleached_side, 0.15),
    (tone.color_cast, 0.2),
    (tone.yellowing, 0.35),
    (tone.silvering, 0.1),
    (tone.stain, 0.25),
)


def scan(aging: Aging, dice: Dice, likelihood: float = 1.0) -> None:
    """A scanner or a reproduction, and the file; the lamp shows the paper's surface."""
    aging.apply(noise.paper_texture, dice, 0.2 * likelihood)
    aging.apply(optics.soft_focus(0.8), dice, 0.25 * likelihood)
    aging.apply(noise.film_grain(0.025), dice, 0.25 * likelihood)
    aging.apply(optics.lost_resolution(1.4), dice, 0.15 * likelihood)
    aging.apply(compression(35, 95), dice, 0.4 * likelihood)


def shading(clean: Tensor, dice: Dice) -> Aging:
    """Complex shading alone: at least one of fading, shading, vignette, cast, yellowing, stain."""
    aging = Aging.of(clean)
    untouched = torch.ones(len(clean), dtype=torch.bool)
    while bool(untouched.any()):
        for operation, probability in _YEARS:
            chosen = untouched & dice.happens(len(clean), probability)
            aging.apply_to(chosen, operation, dice)
        untouched = torch.tensor([not steps for steps in aging.applied])
    return aging


def one_fault(clean: Tensor, dice: Dice) -> Aging:
    """A single one of the faults that `shading` joins; half of the pictures get clouds.

    Where several are joined, what clouds look like is learned very slowly.
    """
    aging = Aging.of(clean)
    others = [operation for operation, _ in _YEARS if operation is not tone.shading]
    number = torch.from_numpy(dice.choices.integers(2 * len(others), size=len(clean)))
    aging.apply_to(number >= len(others), tone.shading, dice)
    for place, operation in enumerate(others):
        aging.apply_to(number == place, operation, dice)
    return aging


def paper(clean: Tensor, dice: Dice, paint: Tensor) -> Aging:
    """The test of the papers as far as it is known: `original`, fading, toning, scratches, holes.

    The papers' test pictures were never published; most of their distance from the clean ones must
    be holes: by the papers' table a deep image prior, which fills them but cannot know of a lost
    tone, comes back to 22.6 dB. So fading and toning alone leave 24.3 dB here (of the mean squared
    error).

    Args:
        clean: (B, 3, H, W).
        paint: (B, 4, H, W) structured damage, white holes most of all.

    Source: Wan et al., CVPR 2020, table 1.
    """
    aging = original(clean, dice)
    aging.apply(tone.fading(0.2), dice, 0.5)
    aging.apply(tone.yellowing, dice, 0.15)
    add_marks(aging, paint)
    return aging
