"""What a warm backend computes again when a mask changed, and what it remembers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from backend import revision, warm
from backend.cache import Cache
from backend.memory import cache_bytes
from backend.networks import Networks
from backend.restorer import Restorer
from backend.stages.restoration import restore_global
from backend.streaming.keys import Elsewhere
from backend.streaming.stream import Stream
from backend.tensors import dilate
from models.layers import undamaged_cells
from tests.backend.networks import RandomWeights
from tests.backend.restoring import CPU, lines, listening, official


def test_a_second_run_with_another_mask_computes_only_what_changed() -> None:
    networks = Networks(RandomWeights(), CPU, fast_type=torch.float32, cache_bytes=2**26)
    image = torch.rand(1, 3, 600, 600)
    damage = np.zeros((600, 600), np.uint8)
    monitor = listening()[0]
    first, _ = restore_global(image, damage, networks, monitor)
    calls = 0
    module = networks.restoration()

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    module.register_forward_hook(count)
    again, _ = restore_global(image, damage, networks, monitor)
    assert torch.equal(first, again)
    assert calls == 0
    damage[20:40, 20:40] = 255
    changed, _ = restore_global(image, damage, networks, monitor)
    assert calls == 1
    fresh = Networks(RandomWeights(), CPU, fast_type=torch.float32)
    assert torch.equal(changed, restore_global(image, damage, fresh, monitor)[0])


def test_the_cache_keeps_to_its_size_and_forgets_the_longest_unused() -> None:
    cache, made = Cache(3 * 40), []

    def get(value: float) -> Tensor:
        def compute() -> Tensor:
            made.append(value)
            return torch.full((10,), value)

        return cache.get("x", [torch.tensor([value])], compute)

    for value in (1.0, 2.0, 3.0, 1.0, 4.0, 1.0, 2.0):
        assert float(get(value)[0]) == value
    assert made == [1.0, 2.0, 3.0, 4.0, 2.0]
    cache.get("too large", [], lambda: torch.zeros(1000))
    cache.clear()
    get(1.0)
    assert made[-1] == 1.0


def test_what_is_remembered_anew_takes_the_old_ones_place() -> None:
    cache = Cache(1000)
    assert cache.recall("x") is None
    cache.remember("x", (torch.zeros(100), torch.ones(20)))
    cache.remember("x", (torch.ones(200),))
    cache.remember("y", (torch.ones(50),))
    assert len(cache.recall("x") or ()) == 1
    assert cache.recall("y") is not None
    cache.remember("x", (torch.ones(2000),))
    assert cache.recall("x") is None
    assert cache.keeps
    assert not Cache(0).keeps


def warm_official(**limits: int) -> Networks:
    return official(**{"cache_bytes": 2**28, **limits})


class Counted:
    """How many pixels were streamed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pixels = 0
        run = Stream.run

        def noted(stream: Stream, steps: Any, source: Any, target: Any) -> None:
            self.pixels += source.shape.height * source.shape.width
            run(stream, steps, source, target)

        monkeypatch.setattr(Stream, "run", noted)


def test_with_statistics_over_the_picture_a_changed_mask_computes_its_surroundings_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revision, "INFLUENCE", 48)
    monkeypatch.setattr(warm, "FADE", 16)
    image, damage = torch.rand(1, 3, 400, 480), lines(400, 480)
    networks, monitor = warm_official(), listening()[0]
    first, _ = restore_global(image, damage, networks, monitor)
    counted = Counted(monkeypatch)
    again, _ = restore_global(image, damage, networks, monitor)
    assert torch.equal(first, again)
    assert counted.pixels == 0
    changed = damage.copy()
    changed[200:210, 380:400] = 255
    second, _ = restore_global(image, changed, networks, monitor)
    assert 0 < counted.pixels < 0.4 * damage.size
    different = (first != second).any(dim=1)[0]
    assert bool(different[200:210, 380:400].all())
    assert not bool(different[:140].any())
    assert not bool(different[:, :310].any())
    # Taking the stroke back brings the first picture back, but for the edge of what is replaced.
    back, _ = restore_global(image, damage, networks, monitor)
    differences = [(x - first)[0, :, 176:240, 352:432].abs().max() for x in (back, second)]
    assert float(differences[0]) < 1e-3
    assert float(differences[1]) > 0.1


def test_a_revised_picture_is_that_of_the_same_statistics_and_keys() -> None:
    """Computed again with the context of everything, nothing is left out."""
    image, damage = torch.rand(1, 3, 160, 192), lines(160, 192)
    networks, monitor = warm_official(), listening()[0]
    first, _ = restore_global(image, damage, networks, monitor)
    restorer = Restorer(networks, "mapping_scratch")
    (former,) = networks.former.values()
    hole = torch.from_numpy(dilate(np.where(damage >= 128, 255, 0).astype(np.uint8), 1) > 0)
    filled = torch.where(hole, torch.ones(()), image)
    mask = hole[None, None].to(torch.uint8)
    kept = networks.cache.recall(next(iter(networks.former)))
    assert kept is not None
    assert former.keys is not None
    keys = former.keys._replace(cells=kept[3])
    trusted = undamaged_cells(mask.float(), 40, 48).flatten() == 1
    here = Elsewhere(keys, trusted[keys.chosen.places], keys.chosen.places)
    same = restorer._part(filled, mask, former, here, monitor)
    assert same is not None
    torch.testing.assert_close(same, first, rtol=0, atol=1e-4)
    # And with all keys from outside.
    outside = here._replace(part=torch.full_like(keys.chosen.places, -1))
    same = restorer._part(filled, mask, former, outside, monitor)
    assert same is not None
    torch.testing.assert_close(same, first, rtol=0, atol=1e-4)


@pytest.mark.parametrize("why", ["much changed", "another picture", "no room", "no damage before"])
def test_a_new_run_is_made_where_little_can_be_kept(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revision, "INFLUENCE", 16)
    image, damage = torch.rand(1, 3, 240, 240), lines(240, 240)
    networks = warm_official(cache_bytes=10_000) if why == "no room" else warm_official()
    monitor = listening()[0]
    before = np.zeros_like(damage) if why == "no damage before" else damage
    restore_global(image, before, networks, monitor)
    if why == "another picture":
        image = torch.rand(1, 3, 240, 256)
        damage = lines(240, 256)
    changed = damage.copy()
    changed[100 : 220 if why == "much changed" else 104, 100:220] = 255
    counted = Counted(monkeypatch)
    result, _ = restore_global(image, changed, networks, monitor)
    assert counted.pixels == changed.shape[0] * changed.shape[1]
    assert torch.equal(result, restore_global(image, changed, official(), monitor)[0])


@given(st.integers(0, 5), st.integers(0, 7), st.sampled_from(["image", "mask"]))
def test_a_changed_pixel_changes_the_sum_of_its_square_alone(
    row: int, column: int, where: str
) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 96, 128, generator=generator)
    mask = torch.zeros(1, 1, 96, 128, dtype=torch.uint8)
    before = revision.block_sums([image, mask])
    changed = image if where == "image" else mask
    changed[0, -1, 16 * row + 5, 16 * column + 9] += 1
    different = (revision.block_sums([image, mask]) != before).nonzero()
    assert different.tolist() == [[row, column]]


def test_inputs_of_another_shape_or_use_are_other_inputs() -> None:
    cache = Cache(1000)
    x = torch.zeros(2, 3)
    values = [
        cache.get(what, inputs, lambda n=n: torch.tensor(float(n)))  # type: ignore[misc]
        for n, (what, inputs) in enumerate([("a", [x]), ("b", [x]), ("a", [x.T]), ("a", [x, x])])
    ]
    assert [float(value) for value in values] == [0, 1, 2, 3]


def test_a_part_of_a_tensor_does_not_keep_the_whole() -> None:
    cache = Cache(1000)
    with torch.inference_mode():
        cache.remember("part", (torch.zeros(1000)[:10],))
    kept = cache.recall("part")
    assert kept is not None
    assert kept[0].untyped_storage().nbytes() == 40


@pytest.mark.parametrize(
    ("free", "kept"), [(10**9, 2**28), (4 * 10**9, 5 * 10**8), (64 * 10**9, 2**30)]
)
def test_the_cache_takes_a_share_of_the_free_memory_within_bounds(
    free: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.memory.free_bytes", lambda _: free)
    assert cache_bytes() == kept
