"""Streamed networks give what the networks give at once, whatever the strips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from backend.errors import Cancelled
from backend.planned import Modules, stream
from backend.restorer import fixed
from backend.streaming import patches
from backend.streaming.convolutions import Convolution, Rows, Shape, Transposed
from backend.streaming.cost import Damage, total_cost
from backend.streaming.maps import FileMap, MapStore, Picture
from backend.streaming.statistics import Statistics
from backend.streaming.steps import list_steps
from backend.streaming.stream import Plan, Stream
from models.latent_mapping import HighResolutionMapping, QualityMapping, ScratchMapping
from models.pseudo_random import PseudoRandomWeights
from models.restoration_vae import RestorationVAE
from tests.backend.photos import portrait

EXACT = 1e-4
CPU = torch.device("cpu")
WAYS: dict[str, dict[str, Any]] = {
    "at once": {},
    "in strips": {"strip_bytes": 3000},
    "computing large maps again": {"strip_bytes": 3000, "kept_values": 4},
    "computing most maps again": {"strip_bytes": 3000, "kept_values": 0.6},
}


AnyMapping = QualityMapping | ScratchMapping | HighResolutionMapping


def make_networks(kind: str) -> tuple[RestorationVAE, AnyMapping]:
    torch.manual_seed(0)
    vae = RestorationVAE(width=4, latent_channels=8, residual_blocks=2)
    if kind == "quality":
        mapping: AnyMapping = QualityMapping(latent_channels=8, width=16, residual_blocks=2)
    elif kind == "high resolution":
        mapping = HighResolutionMapping(latent_channels=8, width=16, residual_blocks=1)
    else:
        mapping = ScratchMapping(
            latent_channels=8,
            width=16,
            residual_blocks=1,
            non_local_blocks=2,
        )
    return vae.requires_grad_(False), mapping.requires_grad_(False)


def at_once(vae: RestorationVAE, mapping: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    z = vae.encode(x)
    return vae.decode(mapping(z) if isinstance(mapping, QualityMapping) else mapping(z, mask))


def parts_of(vae: RestorationVAE, mapping: AnyMapping) -> list[nn.Module]:
    return list(Modules(vae, mapping, vae).used)


def streamed(parts: list[nn.Module], x: Tensor, mask: Tensor, plan: Plan) -> Tensor:
    result = Picture(torch.empty_like(x))
    run = Stream(plan, x.shape[2] * x.shape[3], Damage.of(mask), lambda _: None)
    run.run(list_steps(*parts), Picture(x), result)
    return result.values


def make_mask(x: Tensor, damage: str) -> Tensor:
    mask = torch.zeros(1, 1, *x.shape[2:])
    if damage == "a scratch":
        mask[..., 9:14, 3:] = 1
    return mask


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("damage", ["nothing", "a scratch"])
@pytest.mark.parametrize("kind", ["quality", "scratch", "high resolution"])
@pytest.mark.parametrize("statistics", ["its own", "another picture's"])
def test_a_streamed_picture_is_the_whole_one(
    statistics: str, kind: str, damage: str, way: str
) -> None:
    vae, mapping = make_networks(kind)
    modules = Modules(vae, mapping, vae)
    x = torch.rand(1, 3, 68, 52) * 2 - 1
    mask = make_mask(x, damage)
    if statistics == "another picture's":
        other = stream(modules, torch.rand_like(x) * 2 - 1, mask, Plan(CPU), lambda _: None)
        modules = fixed(modules, other.known)
    result = stream(modules, x, mask, Plan(CPU, **WAYS[way]), lambda _: None).picture
    whole = modules.decoder.decode(modules.map(modules.encoder.encode(x), mask))
    torch.testing.assert_close(result, whole, rtol=0, atol=EXACT)


@settings(deadline=None, max_examples=50)
@given(
    kind=st.sampled_from(["scratch", "high resolution"]),
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    strip_bytes=st.integers(1, 60_000),
    top=st.integers(0, 100),
)
def test_every_size_and_every_strip_gives_the_whole_picture(
    kind: str, height: int, width: int, strip_bytes: int, top: int
) -> None:
    vae, mapping = make_networks(kind)
    generator = torch.Generator().manual_seed(height * width)
    x = torch.rand(1, 3, 4 * height, 4 * width, generator=generator) * 2 - 1
    mask = torch.zeros(1, 1, *x.shape[2:])
    mask[:, :, min(top, 4 * height - 8) :][:, :, :6, 4:9] = 1
    plan = Plan(CPU, strip_bytes=strip_bytes)
    result = streamed(parts_of(vae, mapping), x, mask, plan)
    torch.testing.assert_close(result, at_once(vae, mapping, x, mask), rtol=0, atol=EXACT)


def test_maps_in_files_give_the_whole_picture_and_leave_no_files(tmp_path: Path) -> None:
    vae, mapping = make_networks("scratch")
    x = torch.rand(1, 3, 80, 64) * 2 - 1
    mask = make_mask(x, "a scratch")
    plan = Plan(CPU, strip_bytes=3000, folder=tmp_path)
    result = streamed(parts_of(vae, mapping), x, mask, plan)
    torch.testing.assert_close(result, at_once(vae, mapping, x, mask), rtol=0, atol=EXACT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at_a_time", [1, 2**26])
@pytest.mark.parametrize("size", [(96, 128), (100, 140), (40, 300)])
def test_patches_are_copied_as_at_once_at_any_border_and_with_little_memory(
    size: tuple[int, int], at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "LARGEST_QUERIES_BYTES", at_a_time)
    monkeypatch.setattr(patches, "_CELLS_AT_A_TIME", 100)
    vae, mapping = make_networks("high resolution")
    assert isinstance(mapping, HighResolutionMapping)
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mask = torch.zeros(1, 1, *size)
    mask[..., 4:30, 15:72] = 1
    mask[..., -16:, -20:] = 1
    z = mapping(vae.encode(x), mask)
    modules, plan = Modules(vae, mapping, vae), Plan(CPU, strip_bytes=3000)
    result = stream(modules, x, mask, plan, lambda _: None).picture
    torch.testing.assert_close(result, vae.decode(z), rtol=0, atol=EXACT)
    unfilled = vae.decode(mapping(vae.encode(x), torch.zeros_like(mask)))
    assert float((result - unfilled).abs().max()) > 100 * EXACT


@pytest.mark.parametrize("changes", [{"kept": torch.float16}, {"compute": torch.bfloat16}])
def test_less_precise_plans_change_little(changes: dict[str, Any]) -> None:
    vae, mapping = make_networks("quality")
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    mask = make_mask(x, "nothing")
    whole = at_once(vae, mapping, x, mask)
    result = streamed(parts_of(vae, mapping), x, mask, Plan(CPU, strip_bytes=3000, **changes))
    difference = float((result - whole).abs().mean())
    # Random networks multiply each rounding; trained ones are tried before it is allowed.
    assert 0 < difference < 0.05


def test_original_widths_streamed_give_the_whole_photo() -> None:
    weights = PseudoRandomWeights()
    vae, mapping, last = (weights.load(n) for n in ("vae_a", "mapping_quality", "vae_b_quality"))
    assert isinstance(vae, RestorationVAE)
    assert isinstance(mapping, QualityMapping)
    assert isinstance(last, RestorationVAE)
    x = torch.from_numpy(portrait()[:160, 20:212] / 127.5 - 1).float().permute(2, 0, 1)[None]
    with torch.no_grad():
        whole = last.decode(mapping(vae.encode(x)))
        parts: list[nn.Module] = [vae.encoder, mapping.model, last.decoder]
        mask = torch.zeros(1, 1, *x.shape[2:])
        result = streamed(parts, x, mask, Plan(CPU, strip_bytes=400_000))
    # As pictures in [0, 1]: how so many layers round depends on the processor, and untrained
    # weights multiply it.
    torch.testing.assert_close(result / 2, whole / 2, rtol=0, atol=EXACT)


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(9, 40),
    length=st.integers(1, 12),
    index=st.integers(0, 4),
)
def test_strips_of_each_convolution_are_cut_from_the_whole(
    height: int, length: int, index: int
) -> None:
    torch.manual_seed(index)
    step: Convolution | Transposed = [
        Convolution(nn.Conv2d(2, 3, 7), 3, reflects=True),
        Convolution(nn.Conv2d(2, 3, 3), 1, reflects=True),
        Convolution(nn.Conv2d(2, 3, 3, padding=1), 1, reflects=False),
        Convolution(nn.Conv2d(2, 3, 4, 2, padding=1), 1, reflects=False),
        Transposed(nn.ConvTranspose2d(2, 3, 4, 2, padding=1)),
    ][index]
    x = torch.rand(1, 2, height, 9)
    with torch.no_grad():
        padded = nn.functional.pad(x, (step.padding,) * 4, mode="reflect") if index < 2 else x
        whole = step.module(padded)
        out = step.output(Shape(2, height, 9))
        assert whole.shape[1:] == out
        for start in range(0, out.height, length):
            rows = Rows(start, min(start + length, out.height))
            have = step.needed(rows, height)
            strip = step.apply(x[:, :, have.start : have.stop], have, height, rows)
            expected = whole[:, :, rows.start : rows.stop]
            torch.testing.assert_close(strip, expected, rtol=0, atol=1e-5)


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.floats(-1000, 1000))
def test_statistics_of_strips_are_those_of_the_whole(lengths: list[int], shift: float) -> None:
    generator = torch.Generator().manual_seed(sum(lengths))
    x = torch.randn(1, 4, sum(lengths), 5, generator=generator) + shift
    statistics = Statistics(4)
    for strip in torch.split(x, lengths, dim=2):
        statistics.add(strip)
    variance, mean = torch.var_mean(x.double(), (0, 2, 3), correction=0)
    torch.testing.assert_close(statistics.mean.double(), mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(statistics.variance.double(), variance, rtol=1e-5, atol=1e-6)


def test_a_map_that_was_given_back_is_used_again() -> None:
    store = MapStore(CPU)
    first = store.take(Shape(2, 3, 4), torch.float32)
    store.give_back(first)
    assert store.take(Shape(2, 3, 4), torch.float32) is first
    assert store.take(Shape(2, 3, 4), torch.float32) is not first


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_file_gives_the_rows_back_that_were_written(dtype: torch.dtype, tmp_path: Path) -> None:
    x = torch.rand(1, 3, 7, 5).to(dtype)
    kept = FileMap(Shape(3, 7, 5), dtype, tmp_path)
    for start in (5, 0, 2):
        kept.write(Rows(start, min(start + 3, 7)), x[:, :, start : start + 3])
    assert torch.equal(kept.read(Rows(1, 6)), x[:, :, 1:6])


def test_a_layer_that_cannot_be_streamed_is_refused() -> None:
    with pytest.raises(TypeError, match="GroupNorm cannot be streamed"):
        list_steps(nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4)))


@pytest.mark.parametrize("damage", ["nothing", "a scratch"])
@pytest.mark.parametrize("kind", ["scratch", "high resolution"])
def test_progress_reaches_the_announced_cost(kind: str, damage: str) -> None:
    vae, mapping = make_networks(kind)
    x = torch.rand(1, 3, 64, 64)
    hurt = Damage.of(make_mask(x, damage))
    steps = list_steps(*parts_of(vae, mapping))
    seen: list[float] = []
    run = Stream(Plan(CPU, strip_bytes=3000), 64 * 64, hurt, seen.append)
    run.run(steps, Picture(x), Picture(torch.empty_like(x)))
    assert sum(seen) == pytest.approx(total_cost(steps, Shape(3, 64, 64), hurt), rel=0.15)


def test_a_stop_is_noticed_inside_a_strip() -> None:
    vae, mapping = make_networks("scratch")
    x = torch.rand(1, 3, 64, 64)
    calls = 0

    def stop(cost: float) -> None:
        nonlocal calls
        del cost
        calls += 1
        if calls == 200:
            raise Cancelled("stop")

    damage = Damage.of(make_mask(x, "a scratch"))
    run = Stream(Plan(CPU, strip_bytes=3000), 64 * 64, damage, stop)
    with pytest.raises(Cancelled):
        run.run(list_steps(*parts_of(vae, mapping)), Picture(x), Picture(x.clone()))
    assert calls == 200
