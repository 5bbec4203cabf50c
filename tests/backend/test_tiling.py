"""Tiles cover the picture and leave no seams; padding works for every size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from backend.geometry import Box, Size
from backend.monitor import Monitor
from backend.tensors import pad_to_multiple, reflected
from backend.tiling import run_tiled, tiles

sides = st.integers(1, 400)


def silent() -> Monitor:
    return Monitor("restoration", lambda _: None, lambda: False)


@given(width=sides, height=sides, tile=st.sampled_from([64, 96, 160]))
def test_tiles_cover_every_pixel_and_stay_inside(width: int, height: int, tile: int) -> None:
    covered = np.zeros((height, width), dtype=bool)
    for box in tiles(Size(width, height), tile, 32, 16):
        assert box == box.clipped(Size(width, height))
        assert box.x0 % 16 == 0
        assert box.y0 % 16 == 0
        assert max(box.size.shape) < tile + 16
        covered[box.slices] = True
    assert covered.all()


@settings(deadline=None, max_examples=30)
@given(width=sides, height=sides, seed=st.integers(0, 9))
def test_what_does_nothing_in_tiles_does_nothing(width: int, height: int, seed: int) -> None:
    x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    result, complete = run_tiled(
        lambda parts, _: parts[0],
        [x],
        channels=3,
        tile=96,
        overlap=32,
        multiple=16,
        monitor=silent(),
    )
    assert bool((complete == 1).all())
    torch.testing.assert_close(result, x, atol=1e-6, rtol=0)


def test_a_local_network_gives_the_same_in_tiles_as_at_once() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect") for _ in range(3)]
    network = nn.Sequential(*layers).requires_grad_(False)
    x = torch.rand(1, 1, 200, 330)

    def run(parts: Sequence[Tensor], _: Monitor) -> Tensor:
        output: Tensor = network(parts[0])
        return output

    tiled, _ = run_tiled(run, [x], channels=1, tile=96, overlap=32, multiple=16, monitor=silent())
    # Only the padding behind the last row and column differs; 3 layers carry it 3 pixels far.
    torch.testing.assert_close(tiled[..., :-3, :-3], network(x)[..., :-3, :-3], atol=1e-6, rtol=0)


def test_tiles_that_nobody_needs_are_not_run() -> None:
    x = torch.zeros(1, 1, 300, 300)
    seen: list[Tensor] = []

    def run(parts: Sequence[Tensor], _: Monitor) -> Tensor:
        seen.append(parts[0])
        return parts[0] + 1

    result, complete = run_tiled(
        run,
        [x],
        channels=1,
        tile=96,
        overlap=32,
        multiple=16,
        monitor=silent(),
        is_needed=lambda box: box.x0 == 0 and box.y0 == 0,
    )
    assert len(seen) == 1
    assert float(result[0, 0, 10, 10]) == 1
    assert float(result[0, 0, 299, 299]) == 0
    # Where it runs out into a tile that was left out, a part of the result is missing.
    whole = complete > 0
    assert bool(whole[0, 0, :48, :48].all())
    assert bool((result[whole] == 1).all())
    assert bool((result[~whole] < 1).all())


@given(length=st.integers(1, 40), before=st.integers(0, 90), after=st.integers(0, 90))
def test_reflection_is_that_of_numpy(length: int, before: int, after: int) -> None:
    expected = np.pad(np.arange(length), (before, after), mode="reflect")
    np.testing.assert_array_equal(reflected(length, before, after), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (37, 53), (64, 32)])
def test_padding_reaches_the_multiple_and_keeps_the_picture(size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    padded = pad_to_multiple(x, 16, 32)
    assert padded.shape[2] % 16 == 0
    assert padded.shape[3] % 16 == 0
    assert min(padded.shape[2:]) >= 32
    torch.testing.assert_close(padded[..., : size[0], : size[1]], x)


def test_a_box_knows_its_part_of_an_array() -> None:
    assert np.arange(12).reshape(3, 4)[Box(1, 0, 3, 2).slices].tolist() == [[1, 2], [5, 6]]
