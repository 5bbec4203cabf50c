"""Repairing scratches alone looks at the damaged regions alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backend import regions, restorer
from backend.damage import Filled
from backend.geometry import Size
from backend.regions import damaged_regions
from backend.restorer import Restorer
from backend.stages import restoration
from backend.stages.restoration import repair_scratches
from backend.tiling import TileSides
from tests.backend.networks import random_networks
from tests.backend.restoring import lines, listening, official, photo


@pytest.fixture
def small_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BLOCK", 96), ("OVERLAP", 32), ("CONTEXT", 64)):
        monkeypatch.setattr(regions, name, value)


@pytest.mark.usefixtures("small_regions")
def test_regions_hold_all_damage_and_their_weights_add_up() -> None:
    damage = lines(300, 500)
    found = list(damaged_regions(damage))
    assert len(found) > 5
    total = np.zeros(damage.shape)
    for region in found:
        total[region.core.slices] += region.weight
        assert region.around.clipped(Size(500, 300)) == region.around
        assert region.needed.shape == region.around.size.shape
        assert region.needed.any()
        assert max(region.around.size.shape) <= 96 + 2 * 64 + 1
    # Every part of the damage is somebody's to the larger share.
    assert total[damage > 0].min() > 0.5
    assert list(damaged_regions(np.zeros((300, 500), np.uint8))) == []


@pytest.mark.usefixtures("small_regions")
def test_a_region_by_region_repair_is_close_to_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, damage = torch.rand(1, 3, 480, 800) * 0.1 + 0.4, lines(480, 800)
    networks = random_networks(strength=0.1)
    unfilled = Filled.not_yet(image, damage)
    parts: list[tuple[int, ...]] = []
    cleaned = restoration.clean

    def noted(image: Tensor, *others: Any) -> Any:
        parts.append(tuple(image.shape))
        return cleaned(image, *others)

    monkeypatch.setattr(restoration, "clean", noted)
    by_region, box = repair_scratches(unfilled, damage, networks, listening()[0])
    assert len(parts) > 5
    assert max(height * width for _, _, height, width in parts) < 0.25 * 480 * 800
    monkeypatch.setattr(regions, "BLOCK", 10_000)
    at_once, same_box = repair_scratches(unfilled, damage, networks, listening()[0])
    assert box == same_box
    hole = torch.from_numpy(damage[box.slices] > 0)
    difference = (by_region - at_once).abs()[0, :, hole]
    # The context is a quarter of what it is in truth, and the picture is noise.
    assert float(difference.mean()) < 2 / 255
    assert float(difference.max()) < 16 / 255


@pytest.mark.usefixtures("small_regions")
def test_large_photos_are_repaired_where_they_are_damaged_with_a_copys_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restoration, "EXACT_REPAIR_PIXELS", 1000)
    monkeypatch.setattr(restorer, "USUAL_TILES", TileSides(128, 96, 64))
    monkeypatch.setattr(restorer, "REDUCED_PIXELS", 20_000)
    image, damage = photo()
    damage[:, :150] = 0
    unfilled = Filled.not_yet(image, damage)
    sizes: list[int] = []
    tiles = Restorer.tiles

    def noted(self: Restorer, image: Tensor, *others: Any) -> Any:
        assert self._known is not None
        sizes.append(image.shape[2] * image.shape[3])
        return tiles(self, image, *others)

    monkeypatch.setattr(Restorer, "tiles", noted)
    repaired, box = repair_scratches(unfilled, damage, official(), listening()[0])
    assert sizes
    assert max(sizes) < damage.size
    assert repaired.shape[2:] == box.size.shape
    assert bool(repaired.isfinite().all())
    hole = damage[box.slices] > 0
    assert bool(
        (repaired[0, :, hole] != image[..., box.slices[0], box.slices[1]][0, :, hole]).any()
    )
