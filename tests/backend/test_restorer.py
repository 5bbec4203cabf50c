"""Restoring at any size: plans, too little memory, reduced statistics, precision, the cache."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from backend import memory, precision, regions, restorer, revision, tiling, warm
from backend.cache import Cache
from backend.device import memory_errors_explained
from backend.errors import DeviceError, OptionsError
from backend.geometry import Size
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.preparation import prepare
from backend.regions import damaged_regions
from backend.restorer import Restorer
from backend.results import Event, Note
from backend.stages import restoration
from backend.stages.restoration import repair_scratches, restore_global
from backend.streaming import attention
from backend.streaming.attention import Attention, Elsewhere
from backend.streaming.convolutions import Rows, Shape
from backend.streaming.maps import MemoryMap
from backend.streaming.stream import Plan, Stream
from backend.tensors import dilate, to_image
from models.layers import PartialNonLocalBlock, undamaged_cells
from models.loading import bundled_weights
from models.scratch_unet import ScratchUNet
from tests.backend.networks import RandomWeights, random_networks
from tests.backend.photos import portrait, scratched

CPU = torch.device("cpu")
MEGAPIXELS_12 = Size(4000, 3000)


def listening() -> tuple[Monitor, list[str]]:
    codes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            codes.append(event.code)

    return Monitor("restoration", listen, lambda: False), codes


def official(**changes: Any) -> Networks:
    return Networks(RandomWeights("official"), CPU, fast_type=torch.float32, **changes)


def photo() -> tuple[Tensor, np.ndarray[Any, np.dtype[np.uint8]]]:
    pixels, damage = scratched(portrait())
    return to_image(pixels), damage


def plans_for(available: int, folder: Path, first: Plan | None = None) -> list[Plan]:
    first = first or Plan(CPU)
    return list(
        memory.plans(first, MEGAPIXELS_12, 512, has_hole=True, available=available, folder=folder)
    )


def test_the_plan_follows_the_memory(tmp_path: Path) -> None:
    gib = 2**30
    assert plans_for(16 * gib, tmp_path)[0].kept == torch.float32
    assert plans_for(4 * gib, tmp_path)[0].kept == torch.float16
    assert plans_for(4 * gib, tmp_path)[0].folder is None
    assert plans_for(gib, tmp_path)[0].folder == tmp_path


def test_each_further_plan_takes_less(tmp_path: Path) -> None:
    sizes = [
        memory.needed_bytes(plan, MEGAPIXELS_12, 512, has_hole=True)
        for plan in plans_for(16 * 2**30, tmp_path)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 2**26


def test_a_full_disk_is_not_planned_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_free_disk", lambda _: 10**6)
    assert plans_for(2**30, tmp_path) == []


def test_maps_move_beside_an_accelerator_that_is_too_small(tmp_path: Path) -> None:
    chosen = plans_for(16 * 2**30, tmp_path, Plan(torch.device("meta")))
    assert [plan.has_maps_there for plan in chosen[:4]] == [True, True, True, False]


def test_maps_that_an_accelerator_cannot_hold_go_to_the_computers_memory_not_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(torch.device("meta"), torch.bfloat16)
    monkeypatch.setattr(memory, "budget", lambda *_: 8 * 2**30)
    chosen = plans_for(2**29, tmp_path, plan)
    assert [(p.has_maps_there, p.folder) for p in chosen[:2]] == [(False, None)] * 2
    assert chosen[0].strip_bytes > memory.LARGEST_STRIP_BYTES
    monkeypatch.setattr(memory, "budget", lambda *_: 2**29)
    assert plans_for(2**29, tmp_path, plan)[0].folder == tmp_path


def test_what_torch_keeps_of_a_graphics_cards_memory_counts_as_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (
        ("mem_get_info", (1000, 5000)),
        ("memory_reserved", 700),
        ("memory_allocated", 400),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda _, v=value: v)
    assert memory.free_bytes(torch.device("cuda")) == 1300


def test_the_free_memory_is_known_and_the_users_limit_goes_first() -> None:
    assert 2**20 < memory.free_bytes(CPU) < 2**50
    assert memory.budget(CPU, 1000) == 1000
    with pytest.raises(OptionsError, match="gigabytes"):
        Options(memory_bytes=0)


@pytest.mark.parametrize("limit", [None, 3 * 10**7, 10**5])
def test_the_restored_picture_does_not_depend_on_the_memory(
    limit: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    image, damage = photo()
    monitor, codes = listening()
    expected, _ = restore_global(image, damage, official(), monitor)
    monkeypatch.setattr(memory, "LEAST_STRIP_BYTES", 20_000)
    result, _ = restore_global(image, damage, official(memory_bytes=limit), monitor)
    # Below the limit maps are kept with half precision.
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4 if limit is None else 0.05)
    assert codes == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        OSError(errno.ENOSPC, "full"),
    ],
)
def test_too_little_memory_leads_to_the_next_plan_and_a_note(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, damage = photo()
    expected, _ = restore_global(image, damage, official(), listening()[0])
    run, tried = Stream.run, []

    def fail_twice(self: Stream, *arguments: Any) -> None:
        tried.append(self)
        if len(tried) <= 2:
            raise error
        run(self, *arguments)

    monkeypatch.setattr(Stream, "run", fail_twice)
    monitor, codes = listening()
    result, _ = restore_global(image, damage, official(), monitor)
    assert len(tried) == 3
    assert codes == ["memory-short", "memory-short"]
    torch.testing.assert_close(result, expected, rtol=0, atol=0.05)


def test_without_memory_and_disk_the_tone_is_estimated_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_free_disk", lambda _: 0)
    image, damage = photo()
    monitor, codes = listening()
    result, coverage = restore_global(image, damage, official(memory_bytes=1000), monitor)
    expected, _ = restore_global(image, damage, official(), monitor)
    assert codes == ["statistics-reduced"]
    assert bool((coverage == 1).all())
    # The copy has the photo's own size here, so that its statistics are the right ones.
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-3)


def test_other_errors_are_not_taken_for_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    image, damage = photo()

    def fail(*_: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Stream, "run", fail)
    with pytest.raises(RuntimeError, match="shapes differ"):
        restore_global(image, damage, official(), listening()[0])


def test_tiles_shrink_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    image, damage = photo()
    networks = random_networks(strength=0.1)
    expected, _ = restore_global(image, damage, networks, listening()[0])
    run = tiling.run_tiled

    def fail_when_large(*arguments: Any, tile: int, **others: Any) -> Any:
        if tile > 200:
            raise MemoryError
        return run(*arguments, tile=tile, **others)

    monkeypatch.setattr(tiling, "run_tiled", fail_when_large)
    monitor, codes = listening()
    result, _ = restore_global(image, damage, networks, monitor)
    assert codes == ["memory-short", "memory-short"]
    assert float((result - expected).abs().mean()) < 1 / 255
    monkeypatch.setattr(tiling, "run_tiled", lambda *_, **__: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(DeviceError, match="memory is too small"), memory_errors_explained():
        restore_global(image, damage, networks, monitor)


@pytest.fixture
def small_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BLOCK", 96), ("OVERLAP", 32), ("CONTEXT", 64)):
        monkeypatch.setattr(regions, name, value)


def lines(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A scratch across everything, and two spots."""
    damage = np.zeros((height, width), np.uint8)
    cv2.line(damage, (0, 30), (width - 1, height - 40), 255, 4)
    damage[height - 20 : height - 14, 5:12] = damage[3:9, width - 30 : width - 26] = 200
    return damage


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
    parts: list[tuple[int, ...]] = []
    cleaned = restoration.clean

    def noted(image: Tensor, *others: Any) -> Any:
        parts.append(tuple(image.shape))
        return cleaned(image, *others)

    monkeypatch.setattr(restoration, "clean", noted)
    by_region, box = repair_scratches(image, damage, networks, listening()[0])
    assert len(parts) > 5
    assert max(height * width for _, _, height, width in parts) < 0.25 * 480 * 800
    monkeypatch.setattr(regions, "BLOCK", 10_000)
    at_once, same_box = repair_scratches(image, damage, networks, listening()[0])
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
    for name, value in (("TILE", 128), ("OVERLAP", 64), ("REDUCED_PIXELS", 20_000)):
        monkeypatch.setattr(restorer, name, value)
    image, damage = photo()
    damage[:, :150] = 0
    sizes: list[int] = []
    tiles = Restorer.tiles

    def noted(self: Restorer, image: Tensor, *others: Any) -> Any:
        assert self._known is not None
        sizes.append(image.shape[2] * image.shape[3])
        return tiles(self, image, *others)

    monkeypatch.setattr(Restorer, "tiles", noted)
    repaired, box = repair_scratches(image, damage, official(), listening()[0])
    assert sizes
    assert max(sizes) < damage.size
    assert repaired.shape[2:] == box.size.shape
    assert bool(repaired.isfinite().all())
    hole = damage[box.slices] > 0
    assert bool(
        (repaired[0, :, hole] != image[..., box.slices[0], box.slices[1]][0, :, hole]).any()
    )


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
    here = Elsewhere(keys, trusted[keys.places], keys.places)
    same = restorer._part(filled, mask, former, here, monitor)
    assert same is not None
    torch.testing.assert_close(same, first, rtol=0, atol=1e-4)
    # And with all keys from outside.
    outside = here._replace(part=torch.full_like(keys.places, -1))
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


def collected(cells: Tensor, block: PartialNonLocalBlock, trust: Tensor, **limits: int) -> Tensor:
    shape = Shape(*cells.shape[1:])
    kept = MemoryMap(shape, torch.float32, CPU)
    kept.write(Rows(0, shape.height), cells)
    found = Attention(block, kept, trust, CPU, torch.float32, **limits)
    return torch.cat([strip for _, strip in found.strips(lambda _: None)], dim=2)


@pytest.mark.parametrize("sharpness", [1.0, 60.0])
def test_the_streamed_attention_is_the_blocks_own(
    sharpness: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(2)
    block = PartialNonLocalBlock(12, blocks=1).requires_grad_(False)
    block.theta.weight.mul_(sharpness)
    cells = torch.randn(1, 12, 14, 19) * 2
    mask = torch.zeros(1, 1, 56, 76)
    mask[..., :50, 8:70] = 1
    trust = undamaged_cells(mask, 14, 19)
    expected = block.W(block._attend(cells, trust))
    monkeypatch.setattr(attention, "_QUERIES", 40)
    monkeypatch.setattr(attention, "_KEYS_AT_A_TIME", 33)
    torch.testing.assert_close(collected(cells, block, trust), expected, rtol=0, atol=1e-4)
    plain = attention._attend_to_few
    query, keys = torch.randn(5, 12), torch.randn(9, 12)
    fused = plain(query, keys)
    scores = query @ keys.T
    expected_pair = scores.softmax(1) @ keys, scores.logsumexp(1, keepdim=True)
    for ours, naive in zip(fused, expected_pair, strict=True):
        torch.testing.assert_close(ours, naive, rtol=0, atol=1e-5)


def test_limited_attention_is_close_to_the_exact_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With random weights, and as large a share of keys left out as at 12 megapixels."""
    weights = RandomWeights("official")
    block = weights.load("mapping_scratch").NL
    vae, wide = weights.load("vae_a"), weights.load("mapping_scratch").before_NL
    image, damage = photo()
    trust = undamaged_cells(torch.from_numpy(damage / 255.0).float()[None, None], 60, 60)
    with torch.no_grad():
        cells = wide(vae.encode(image * 2 - 1))
        exact = collected(cells, block, trust)
        monkeypatch.setattr(attention, "KEYS_BEYOND", 3600 // 11)
        monkeypatch.setattr(attention, "KEYS_FOR_STATISTICS", 3600 // 91)
        limited = collected(cells, block, trust, largest_exact=1000)
    error = (limited - exact).abs().mean() / cells.abs().mean()
    assert 0 < float(error) < 0.1


@pytest.mark.skipif(
    precision.fast_type(CPU) == torch.float32, reason="this processor has no units for bfloat16"
)
def test_half_precision_is_taken_where_nobody_sees_it_and_only_there() -> None:
    image, damage = photo()
    networks = Networks(bundled_weights(), CPU)
    exact = Networks(bundled_weights(), CPU, fast_type=torch.float32)
    pictures = [restore_global(image, damage, n, listening()[0])[0] for n in (networks, exact)]
    assert networks.types["restoration"] == torch.bfloat16
    assert exact.types["restoration"] == torch.float32
    assert float((pictures[0] - pictures[1]).abs().mean()) * 255 < 0.5
    # Untrained networks multiply every rounding.
    chaotic = Networks(RandomWeights("official", strength=30), CPU)
    Restorer(chaotic, "mapping_scratch")._compute_type()
    assert chaotic.types["mapping_scratch"] == torch.float32


def test_a_prepared_network_computes_the_same() -> None:
    torch.manual_seed(0)
    network = ScratchUNet(width=4).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features)
            module.running_var = torch.rand(module.num_features) + 0.5
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = torch.rand(1, 1, 64, 64)
    prepared = prepare(network, torch.float32)
    torch.testing.assert_close(prepared(x), network(x), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in prepared.modules())
    half = prepare(network, torch.bfloat16)
    assert precision.type_of(half) == torch.bfloat16
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
