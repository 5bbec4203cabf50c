"""Holes are filled with patches of the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from backend.errors import Cancelled
from backend.monitor import Monitor
from backend.synthesis import patch_field
from backend.synthesis.detail import with_detail
from backend.synthesis.patch_field import Incomplete, PatchField
from backend.synthesis.pyramid import synthesize
from backend.synthesis.sizes import depth, enlarge, reduce
from models.filling import fill_smoothly
from tests.backend.restoring import listening

HEIGHT, WIDTH = 96, 128


def woven(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Tensor:
    """(3, H, W), a cloth whose motif of 16 x 12 pixels comes again and again."""
    motif = np.random.default_rng(seed).uniform(0.1, 0.9, (3, 16, 12)).astype(np.float32)
    tiles = np.tile(motif, (1, -(-height // 16), -(-width // 12)))
    return torch.from_numpy(tiles[:, :height, :width].copy())


def middle(height: int = HEIGHT, width: int = WIDTH, margin: int = 32) -> Tensor:
    hole = torch.zeros(height, width, dtype=torch.bool)
    hole[margin:-margin, margin:-margin] = True
    return hole


def with_hole(image: Tensor, hole: Tensor, usable: Tensor | None = None) -> Incomplete:
    """The hole begins with the mean of what is around it."""
    mean = image[:, ~hole].mean(1)[:, None, None]
    return Incomplete(torch.where(hole, mean, image), hole, ~hole if usable is None else usable)


def filled(picture: Incomplete) -> Tensor:
    result, match = synthesize(picture, listening()[0])
    assert match is not None
    return result


def test_a_motif_goes_on_through_the_hole() -> None:
    cloth, hole = woven(), middle()
    result = filled(with_hole(cloth, hole))
    assert torch.equal(result[:, ~hole], cloth[:, ~hole])
    error = (result - cloth)[:, hole].abs().mean()
    guessed = (with_hole(cloth, hole).image - cloth)[:, hole].abs().mean()
    assert float(error) < 0.1 * float(guessed)


def test_each_side_goes_on_as_it_is() -> None:
    """Light above and dark below meet at the edge that both have outside."""
    image = woven() * 0.2
    image[:, HEIGHT // 2 :] += 0.7
    hole = middle()
    smooth = fill_smoothly(image[None], hole[None, None].float())[0]
    result = filled(Incomplete(smooth, hole, ~hole))
    light = result.mean(0)[hole].view(HEIGHT - 64, -1)
    # Nothing in between, as the smooth guess has it all over.
    assert float(((light < 0.35) | (light > 0.6)).float().mean()) > 0.95
    assert float((light[: len(light) // 2 - 6] < 0.35).float().mean()) > 0.95
    assert float((light[len(light) // 2 + 6 :] > 0.6).float().mean()) > 0.95


def test_the_search_finds_what_an_exhaustive_one_finds() -> None:
    image = torch.from_numpy(np.random.default_rng(3).uniform(0, 1, (3, 6, 8)).astype(np.float32))
    smooth = enlarge(image, 8, (48, 64))
    picture = with_hole(smooth, middle(48, 64, 18))
    field = PatchField(picture, torch.Generator().manual_seed(1))
    field.start(None)
    begin = field.search(0, listening()[0])
    found = field.search(6, listening()[0])
    patches = field._patches(field.y, field.x)
    best = torch.cdist(patches, field._sources).square().min(1).values
    assert float((found - best).mean()) < 0.05 * float((begin - best).mean())
    assert float((found <= best * 1.05 + 1e-3).float().mean()) > 0.6


def test_what_must_not_be_copied_is_not() -> None:
    image, hole = woven() * 0.3, middle()
    usable = ~hole
    image[:, :, :24] = torch.tensor([0.9, 0.0, 0.0])[:, None, None]
    usable[:, :24] = False
    result = filled(with_hole(image, hole, usable))
    assert float(result[0][hole].max()) < 0.35


def test_gray_stays_gray_and_the_same_comes_again() -> None:
    image = woven().mean(0, keepdim=True).expand(3, -1, -1)
    first, second = (filled(with_hole(image, middle())) for _ in range(2))
    assert torch.equal(first[0], first[1])
    assert torch.equal(first[0], first[2])
    assert torch.equal(first, second)


@pytest.mark.parametrize("size", [(5, 5), (7, 7), (1, 40), (16, 300)])
def test_where_nothing_can_be_copied_the_guess_stays(size: tuple[int, int]) -> None:
    image = torch.rand(3, *size)
    hole = torch.ones(*size, dtype=torch.bool)
    hole[0, 0] = False
    picture = with_hole(image, hole)
    result, match = synthesize(picture, listening()[0])
    assert match is None
    assert torch.equal(result, picture.image)


def test_a_corner_is_filled_to_the_last_pixel() -> None:
    image, hole = woven(), torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    hole[-24:, -30:] = True
    picture = with_hole(image, hole)
    result = filled(picture)
    changed = (result - picture.image).abs().sum(0) > 0
    assert float(changed[hole].float().mean()) > 0.99
    assert float((result - image)[:, hole].abs().mean()) < 0.05


def test_a_user_who_gave_up_is_heard() -> None:
    asked = 0

    def third_time() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    with pytest.raises(Cancelled):
        synthesize(with_hole(woven(), middle()), Monitor("restoration", print, third_time))


@pytest.mark.parametrize("factor", [2, 4])
def test_detail_comes_from_where_the_patches_came_from(factor: int) -> None:
    """A small copy is filled; the large cloth's finest threads are in the hole all the same."""
    large = woven(HEIGHT * factor, WIDTH * factor)
    large = (large + enlarge(woven(seed=1), factor, (large.shape[1], large.shape[2]))) / 2
    hole = middle(HEIGHT * factor, WIDTH * factor, 32 * factor)
    small, small_hole = reduce(large, factor), reduce(hole[None].float(), factor)[0] > 0
    result, match = synthesize(with_hole(small, small_hole), listening()[0])
    assert match is not None
    values = with_detail(large, small, result, match, hole, factor, listening()[0])
    wanted = large[:, hole]
    smooth = enlarge(result, factor, (large.shape[1], large.shape[2]))[:, hole]
    assert float((values - wanted).abs().mean()) < 0.5 * float((smooth - wanted).abs().mean())


def test_sizes_go_down_and_up_by_whole_factors() -> None:
    values = torch.rand(3, 21, 34)
    small = reduce(values, 4)
    assert small.shape == (3, 6, 9)
    torch.testing.assert_close(small[:, 0, 0], values[:, :4, :4].mean((1, 2)))
    assert enlarge(small, 4, (21, 34)).shape == values.shape
    assert reduce(values, 1) is values


def test_depth_counts_from_what_is_known() -> None:
    hole = middle(40, 40, 10)
    assert float(depth(hole)[10, 20]) == pytest.approx(1, abs=0.1)
    assert float(depth(hole)[20, 20]) == pytest.approx(10, abs=1)
    assert float(depth(hole)[0, 0]) == 0


def test_patches_are_odd_squares() -> None:
    assert patch_field.AREA == (2 * patch_field.RADIUS + 1) ** 2
