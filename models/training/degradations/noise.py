"""Grain, sensor noise, printing screens and paper."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.training.degradations.aging import Operation, Parameters
from models.training.degradations.dice import Dice
from models.training.degradations.fields import (
    coordinates,
    gaussian_blur,
    is_gray,
    luminance,
    smooth_field,
)


def film_grain(largest: float, coarsest: float = 1.0) -> Operation:
    """Silver grains and dye clouds: correlated over neighbouring pixels, strongest in mid-tones.

    Gray pictures stay gray; colour pictures get coloured grain in about half of the cases.

    Args:
        largest: standard deviation as a share of full scale; most grain is much finer.
        coarsest: standard deviation, in pixels, of the blur that correlates neighbours.
    """

    def grain(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
        count, (height, width) = len(image), image.shape[2:]
        strength, size = dice.mostly_low(count, 0.005, largest), dice.uniform(count, 0.0, coarsest)
        common = dice.noise(count, 1, height, width)
        # Below 0.3 pixels a Gaussian has no effect: plain white noise.
        common = gaussian_blur(common, size.clamp_min(0.3), 3)
        common = common / (common.std((1, 2, 3), keepdim=True) + 1e-6)
        colored = dice.pick(count, (0.0, 1.0)) * (~is_gray(image)).to(image.dtype)
        own = dice.noise(count, 3, height, width)
        pattern = common * (1 - 0.3 * colored) + 0.7 * colored * own
        mid_tones = 0.35 + 2.6 * luminance(image) * (1 - luminance(image))
        even = dice.pick(count, (0.0, 1.0))
        noise = pattern * (even + (1 - even) * mid_tones)
        parameters = {"strength": strength, "size": size, "colored": colored, "even": even}
        return image + strength * noise, parameters

    return grain


def halftone(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """The dots of a printed picture, blurred as a scanner sees them."""
    pitch, angle = dice.uniform(len(image), 3.0, 7.0), dice.uniform(len(image), 0.0, np.pi / 2)
    contrast = dice.uniform(len(image), 0.15, 0.6)
    x, y = coordinates(image)
    x, y = x * image.shape[3] / 2, y * image.shape[2] / 2  # pixels
    u = (x * angle.cos() + y * angle.sin()) * (2 * np.pi / pitch)
    v = (y * angle.cos() - x * angle.sin()) * (2 * np.pi / pitch)
    screen = 0.5 + 0.25 * (u.cos() + v.cos())  # (B, 1, H, W) in [0, 1]
    dots = torch.sigmoid((image - screen) * 6)
    printed = image + contrast * (dots - image)
    return printed, {"pitch": pitch, "angle": angle, "contrast": contrast}


def paper_texture(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """The weave or fibres of the paper, lit from one side by the scanner's lamp."""
    depth, stretch = dice.uniform(len(image), 0.01, 0.06), dice.pick(len(image), (1.0, 6.0))
    longest = max(image.shape[2:])
    fine = smooth_field(image, dice, longest / 2.5)
    # Fibres lie along one direction: the mean over a short way across smooths only that one.
    fibres = gaussian_blur(fine, torch.full_like(depth, 1.2), 4)
    relief = torch.where(stretch > 1, fibres - fibres.roll(2, dims=3), fine - fine.roll(1, dims=2))
    relief = relief / (relief.std((1, 2, 3), keepdim=True) + 1e-6)
    return image * (1 + depth * relief), {"depth": depth, "stretch": stretch}


def noise_of_the_original(image: Tensor, dice: Dice) -> tuple[Tensor, Parameters]:
    """One of: additive Gaussian or speckle of 5 to 50 levels, salt and pepper on up to 1 %."""
    count = len(image)
    kind = dice.pick(count, (0.0, 1.0, 2.0))
    sigma = dice.uniform(count, 5 / 255, 50 / 255)
    amount, salt = dice.uniform(count, 0.0, 0.01), dice.uniform(count, 0.3, 0.8)
    pattern, place, color = dice.noise(*image.shape), dice.flat(*image.shape), None
    color = (dice.flat(*image.shape) < salt).to(image.dtype)
    additive, speckled = image + sigma * pattern, image * (1 + sigma * pattern)
    peppered = torch.where(place < amount, color, image)
    noisy = torch.where(kind == 0, additive, torch.where(kind == 1, speckled, peppered))
    return noisy, {"kind": kind, "sigma": sigma, "amount": amount, "salt": salt}
