"""The grain of a photo is measured in its plain places, whatever else it shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.grain_level import Floats, GrainLevel, grain_level, grain_map, measure_cells

HEIGHT, WIDTH = 240, 320


def noise(seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH)).astype(np.float32)


def measured(light: Floats) -> GrainLevel:
    level = grain_level(measure_cells(light.astype(np.float32)))
    assert level is not None
    return level


@pytest.mark.parametrize("deviation", [0.005, 0.02, 0.06])
def test_the_grain_of_a_plain_photo_is_found(deviation: float) -> None:
    level = measured(0.5 + deviation * noise(1))
    assert level.even == pytest.approx(deviation, rel=0.2)
    assert level.by_light == pytest.approx(2 * deviation, rel=0.2)


def test_texture_is_no_grain() -> None:
    light = 0.5 + 0.01 * noise(2)
    light[:, WIDTH // 3 :] += 0.1 * noise(3)[:, WIDTH // 3 :]
    assert measured(light).even == pytest.approx(0.01, rel=0.3)


def test_grain_that_grows_with_the_light_is_expected_to() -> None:
    light = np.linspace(0.1, 0.9, WIDTH, dtype=np.float32) * np.ones((HEIGHT, 1), np.float32)
    level = measured(light * (1 + 0.05 * noise(4)))
    expected = level.at(torch.tensor([0.2, 0.8]))
    assert float(expected[1] / expected[0]) == pytest.approx(4, rel=0.3)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_is_black_or_white_shows_no_grain(value: float) -> None:
    assert grain_level(measure_cells(np.full((HEIGHT, WIDTH), value, np.float32))) is None


def test_a_border_that_a_program_drew_is_left_out() -> None:
    light = 0.5 + 0.03 * noise(5)
    light[:50] = light[-50:] = 0.6
    assert measured(light).even == pytest.approx(0.03, rel=0.2)


def test_each_picture_of_a_batch_has_its_own_grain() -> None:
    grainy, plain = 0.5 + 0.05 * noise(6), np.ones((HEIGHT, WIDTH), np.float32)
    batch = torch.from_numpy(np.stack([grainy, plain, 0.5 + 0.01 * noise(7)]))[:, None]
    told = grain_map(torch.full_like(batch, 0.5), batch)
    assert told.shape == batch.shape
    means = told.mean((1, 2, 3)).tolist()
    assert means == pytest.approx([0.05, 0, 0.01], rel=0.3)
