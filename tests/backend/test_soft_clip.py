"""Shadows and highlights of a picture whose tone is restored too strongly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.networks import Networks
from backend.soft_clip import KNEE, SoftClip
from backend.stages import tone
from backend.stages.tone import restore_tone
from tests.backend.networks import random_networks
from tests.backend.restoring import listening


def ramp(first: float, last: float) -> Tensor:
    """A gray picture (1, 3, 64, 256) that becomes lighter from left to right."""
    return torch.linspace(first, last, 256).expand(1, 3, 64, 256).clone()


@pytest.mark.parametrize("first", [-0.05, -0.15])
@pytest.mark.parametrize("last", [1.05, 1.15])
def test_what_goes_beyond_black_and_white_is_bent_back_in_its_order(
    first: float, last: float
) -> None:
    changed = ramp(first, last)
    kept = SoftClip.of(changed).apply(changed)
    steps = kept[0, 0, 0].diff()
    assert float(steps[2:-2].min()) > 0.05 * float(steps.max())
    assert -0.01 < float(kept.min()) < 0.01
    assert 0.99 < float(kept.max()) < 1.01
    between = (changed > KNEE) & (changed < 1 - KNEE)
    assert float((kept - changed)[between].abs().max()) < 1e-6


def test_a_picture_within_the_range_and_a_thin_black_border_change_nothing() -> None:
    changed = ramp(0.0, 1.0)
    changed[..., 0] = -0.3
    assert torch.equal(SoftClip.of(changed).apply(changed), changed)


@pytest.mark.parametrize("shift", [-0.5, 0.5])
def test_no_tone_makes_shadows_or_highlights_plain(
    shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks: Networks = random_networks()
    grid = torch.zeros(1, 12, 4, 4, 4)
    grid[:, 3::4] = shift  # the constants of red, green and blue, in a range of 2
    monkeypatch.setattr(tone, "run_at_once", lambda *_: grid.clone())
    image = ramp(0.15, 0.85)
    with torch.inference_mode():
        restore_tone(image, networks, listening()[0])
    shown = image[0, 0, 0].clamp(0, 1)
    assert float((shown.diff() > 0).float().mean()) > 0.97
    assert float((shown - ramp(0.15, 0.85)[0, 0, 0]).mean()) * shift > 0.1 * abs(shift)
