"""The judge of places learns from what is damaged, and from how it looks among the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.loading import bundled_weights
from models.place_judge import PlaceJudge
from models.training import train_places
from models.training.settings import Settings
from models.training.train_places import Examples, PlacesConfig, examples_of


def test_places_are_examples_by_what_they_lie_on() -> None:
    probability = np.full((60, 80), 0.01, np.float32)
    gray = np.full((60, 80), 0.5, np.float32)
    damage, unknown = np.zeros((2, 60, 80), np.uint8)
    for column in (5, 25, 45):
        probability[10:16, column : column + 6] = 0.9
    probability[40, 40:42] = 0.9  # a speck
    damage[12, 5:11] = 1
    unknown[8:20, 20:40] = 1
    examples = examples_of(probability, gray, damage, unknown)
    np.testing.assert_array_equal(examples.is_damaged, [1, 0])


def drawn_examples() -> Examples:
    """Places of photos with many others are damage, those of photos without are none."""
    rng = np.random.default_rng(5)
    features = rng.normal(size=(600, len(train_places.FEATURES))).astype(np.float32)
    many = train_places.FEATURES.index("other places above 0.8")
    is_damaged = (features[:, many] + features[:, 0] > 0.5).astype(np.float32)
    return Examples(features, is_damaged, np.ones(600, np.float32))


def settings(folder: Path, **changes: float) -> Settings[PlacesConfig]:
    config = replace(PlacesConfig(steps=150, batch_size=128), **changes)
    return Settings(folder, folder, None, folder / "c", folder / "places.safetensors", config)


def test_training_makes_a_file_that_judges(tmp_path: Path) -> None:
    torch.manual_seed(0)
    examples = drawn_examples()
    train_places.train(examples, settings(tmp_path, damaged=1.0))
    judge = bundled_weights(tmp_path).load("places")
    assert isinstance(judge, PlaceJudge)
    says = judge(torch.from_numpy(examples.features)).numpy() > 0
    assert (says == (examples.is_damaged > 0)).mean() > 0.9
    # A second run begins anew, whatever the first has left.
    opposite = replace(examples, is_damaged=1 - examples.is_damaged)
    train_places.train(opposite, settings(tmp_path, damaged=1.0))
    judge = bundled_weights(tmp_path).load("places")
    says = judge(torch.from_numpy(examples.features)).numpy() > 0
    assert (says == (examples.is_damaged > 0)).mean() < 0.1


@pytest.mark.parametrize(("damaged", "is_claimed"), [(0.2, False), (5.0, True)])
def test_the_weight_of_damage_moves_the_doubtful(
    tmp_path: Path, damaged: float, is_claimed: bool
) -> None:
    torch.manual_seed(0)
    examples = drawn_examples()
    coin = np.random.default_rng(1).integers(2, size=600).astype(np.float32)
    doubtful = Examples(np.zeros_like(examples.features), coin, examples.weight)
    judge = train_places.train(doubtful, settings(tmp_path, damaged=damaged))
    assert bool(judge(torch.zeros(1, len(train_places.FEATURES))) > 0) is is_claimed
