"""Complex shading and tone: what light, chemistry and storage do to the whole print.

Toning that a photographer wanted (`development`) belongs to the clean picture; everything else here
is damage without a mask.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.training.degradations.aging import Operation, Parameters
from models.training.degradations.dice import Dice
from models.training.degradations.fields import coordinates, luminance, smooth_field


def without_color(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Luminance in all three channels."""
    del dice
    return luminance(image).expand_as(image), {}


def toning(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Sepia, selenium or blue toning of a gray print: a colour between dark ink and light paper."""
    warmth, depth = dice.uniform(len(image), -0.5, 1.0), dice.uniform(len(image), 0.3, 1.0)
    value = luminance(image)
    bow = 4 * value * (1 - value) * depth  # toning shows in the mid-tones
    shift = torch.cat([0.11 * warmth, 0.02 * warmth, -0.13 * warmth], dim=1)
    return value + bow * shift, {"warmth": warmth, "depth": depth}


def development(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """A print's own contrast, kept by a restoration: gamma and the ends of the scale."""
    gamma = dice.uniform(len(image), 0.75, 1.35)
    black, white = dice.uniform(len(image), 0.0, 0.06), dice.uniform(len(image), 0.92, 1.0)
    developed = black + (white - black) * image.clamp_min(1e-6) ** gamma
    return developed, {"gamma": gamma, "black": black, "white": white}


def fading(strongest: float) -> Operation:
    """Light bleaches a print: the blacks rise, the contrast shrinks, unevenly over the sheet."""

    def fade(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
        amount = dice.uniform(len(image), 0.1, strongest)
        uneven = dice.uniform(len(image), 0.0, 0.35)
        paper = dice.uniform(len(image), 0.55, 0.98)
        local = amount * (1 + uneven * smooth_field(image, dice, 2.5)).clamp(0, 1.6)
        share = local.clamp(0, 0.85)
        faded = image + share * (paper - image)
        return faded, {"amount": amount, "uneven": uneven, "paper": paper}

    return fade


def exposure(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Too light or too dark, too hard or too soft."""
    gamma, gain = dice.uniform(len(image), 0.55, 1.7), dice.uniform(len(image), 0.6, 1.15)
    return gain * image.clamp_min(1e-6) ** gamma, {"gamma": gamma, "gain": gain}


def shading(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Light and dark clouds over the picture: a multiplicative field of few bumps."""
    depth, cells = dice.uniform(len(image), 0.08, 0.4), dice.pick(len(image), (1.5, 3.0, 5.0))
    field = torch.cat(
        [
            smooth_field(picture, dice, float(cell))
            for picture, cell in zip(torch.split(image, 1), cells, strict=True)
        ]
    )
    return image * torch.exp(depth * field), {"depth": depth, "cells": cells}


def vignette(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Corners darker (an old lens) or lighter (silver that faded from the rim)."""
    depth = dice.uniform(len(image), -0.5, 0.35)
    x, y = coordinates(image)
    x = x - dice.uniform(len(image), -0.3, 0.3)
    y = y - dice.uniform(len(image), -0.3, 0.3)
    field = ((x**2 + y**2) / 2).clamp(0, 1.5)
    return image * (1 + depth * field), {"depth": depth}


def color_cast(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Dyes that faded apart: each channel with its own gain and gamma."""
    gains = [dice.uniform(len(image), 0.75, 1.08) for _ in range(3)]
    gammas = [dice.uniform(len(image), 0.8, 1.25) for _ in range(3)]
    changed = torch.cat(gains, dim=1) * image.clamp_min(1e-6) ** torch.cat(gammas, dim=1)
    names = ("red", "green", "blue")
    parameters = dict(zip(names, gains, strict=True))
    parameters |= {f"{n}_gamma": g for n, g in zip(names, gammas, strict=True)}
    return changed, parameters


def yellowing(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Paper and gelatine turn yellow to brown: blue light is absorbed most, unevenly."""
    amount, uneven = dice.uniform(len(image), 0.1, 0.55), dice.uniform(len(image), 0.0, 0.5)
    local = (amount * (1 + uneven * smooth_field(image, dice, 2.0))).clamp(0, 0.8)
    absorbed = torch.cat([0.12 * local, 0.35 * local, local], dim=1)
    return image * (1 - absorbed), {"amount": amount, "uneven": uneven}


def silvering(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Silver that wandered to the surface mirrors bluish light in the dark areas near the rim."""
    amount = dice.uniform(len(image), 0.08, 0.35)
    x, y = coordinates(image)
    rim = torch.maximum(x.abs(), y.abs()) ** 4
    patchy = torch.sigmoid(2 * smooth_field(image, dice, 4.0))
    light = amount * rim * patchy * (1 - luminance(image)) ** 2
    tint = image.new_tensor((0.75, 0.9, 1.0)).view(1, 3, 1, 1)
    return image + light * tint, {"amount": amount}


def stain(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """Water or glue dried up: an area of another tone with a darker rim."""
    depth, rim = dice.uniform(len(image), 0.03, 0.25), dice.uniform(len(image), 0.0, 0.25)
    level, sharpness = dice.uniform(len(image), 0.3, 1.5), dice.uniform(len(image), 8.0, 40.0)
    brown = dice.pick(len(image), (0.0, 1.0))
    field = smooth_field(image, dice, 3.0) + 0.1 * smooth_field(image, dice, 16.0) - level
    inside = torch.sigmoid(field * sharpness)
    edge = torch.exp(-((field * sharpness / 2) ** 2))
    tint = torch.cat([1 - 0.75 * brown, 1 - 0.25 * brown, 1 + 0.9 * brown], dim=1)
    absorbed = ((depth * inside + rim * edge) * tint).clamp(0, 0.9)
    parameters = {"depth": depth, "rim": rim, "level": level, "brown": brown}
    return image * (1 - absorbed), {**parameters, "sharpness": sharpness}


def bleached_side(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """One side or corner lay in the light, or stuck out of an album."""
    angle, depth = dice.uniform(len(image), 0.0, 2 * np.pi), dice.uniform(len(image), 0.1, 0.5)
    reach, softness = dice.uniform(len(image), 0.2, 1.1), dice.uniform(len(image), 0.03, 0.5)
    x, y = coordinates(image)
    across = x * angle.cos() + y * angle.sin()
    share = depth * torch.sigmoid((across - reach) / softness * 2)
    return image + share * (0.9 - image), {"angle": angle, "depth": depth, "reach": reach}
