"""Restoring at any size: plans, too little memory, reduced statistics, precision."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from backend import memory, precision, tiling
from backend.device import memory_errors_explained
from backend.errors import DeviceError, OptionsError
from backend.geometry import Size
from backend.networks import Networks
from backend.options import Options
from backend.preparation import prepare
from backend.restorer import Restorer
from backend.stages.restoration import restore_global
from backend.streaming.stream import Plan, Stream
from models.loading import bundled_weights
from models.scratch_unet import ScratchUNet
from tests.backend.networks import RandomWeights, random_networks
from tests.backend.restoring import CPU, listening, official, photo

MEGAPIXELS_12 = Size(4000, 3000)


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


@pytest.mark.parametrize("version", [0, 1])
def test_copies_of_files_are_free_memory_of_a_container(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    limit, used, details, copies = memory._CGROUP_LIMITS[version]
    for name, text in (
        (limit, "3000000\n"),
        (used, "2000000\n"),
        (details, f"anon 1\n{copies} 500000\nx 7\n"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.free_bytes(CPU) == 1_500_000
    (tmp_path / limit).write_text("max\n")
    assert memory.free_bytes(CPU) > 2**20


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
    result, complete = restore_global(image, damage, official(memory_bytes=1000), monitor)
    expected, _ = restore_global(image, damage, official(), monitor)
    assert codes == ["statistics-reduced"]
    assert bool((complete == 1).all())
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
