"""Prints without colours keep their tint."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.tint import is_tinted_print, keep_tint


def steps(side: int = 64) -> Tensor:
    """(1, 1, side, side), all brightnesses."""
    return torch.linspace(0.05, 0.95, side).view(1, 1, 1, side).expand(1, 1, side, side).clone()


def sepia() -> Tensor:
    light = steps()
    bow = 4 * light * (1 - light)
    return torch.cat([light + 0.1 * bow, light, light - 0.12 * bow], dim=1)


def colored() -> Tensor:
    picture = sepia()
    picture[:, :, 32:] = picture[:, [2, 1, 0], 32:]
    return picture


def test_gray_and_sepia_are_prints_without_colours() -> None:
    assert is_tinted_print(steps().expand(1, 3, 64, 64))
    assert is_tinted_print(sepia())
    grain = 0.02 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    assert is_tinted_print((sepia() + grain).clamp(0, 1))


def test_a_picture_with_two_hues_has_colours() -> None:
    assert not is_tinted_print(colored())


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.5), (2.0, 1.0), (-0.5, 0.0)])
def test_a_tint_may_become_paler_but_neither_stronger_nor_another(
    share: float, expected: float
) -> None:
    before = sepia()
    light = (before * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    after = 0.8 * light + share * (before - light)
    torch.testing.assert_close(keep_tint(before, after), 0.8 * light + expected * (before - light))


def test_gray_stays_gray() -> None:
    gray = steps().expand(1, 3, 64, 64)
    cast = torch.cat([gray[:, :1] * 0.9, gray[:, 1:2], gray[:, 2:] * 1.1], dim=1)
    kept = keep_tint(gray, cast)
    torch.testing.assert_close(kept[:, 0], kept[:, 2])
    assert not torch.allclose(kept, gray)
