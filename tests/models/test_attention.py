"""The two attentions against formulations that are slow and plain."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from models.layers import PartialNonLocalBlock, PatchAttention, undamaged_cells

HEIGHT, WIDTH = 10, 21


def make_mask(name: str) -> Tensor:
    """(2, 1, 40, 84) float64."""
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(2, 1, 4 * HEIGHT, 4 * WIDTH, dtype=torch.double, generator=generator)
    masks = {
        "speckles": (noise > 0.93).double(),
        "soft speckles": noise**9 * (noise > 0.9),
        "a stripe at the border": torch.zeros_like(noise),
        "all": torch.ones_like(noise),
        "none": torch.zeros_like(noise),
        "all in one picture only": torch.zeros_like(noise),
    }
    masks["a stripe at the border"][..., -3:] = 1
    masks["all in one picture only"][0] = 1
    return masks[name]


MASKS = (
    "speckles",
    "soft speckles",
    "a stripe at the border",
    "all",
    "none",
    "all in one picture only",
)


def naive_non_local(block: PartialNonLocalBlock, x: Tensor, mask: Tensor) -> Tensor:
    """Softmax over all positions, then the mask, then each row divided by its sum."""
    size = x.shape[2:]
    keep = (F.interpolate(mask, size, mode="bilinear") == 0) * F.interpolate(1 - mask, size)
    query, key, value = (
        layer(x).flatten(2).transpose(1, 2) for layer in (block.theta, block.phi, block.g)
    )
    share = torch.softmax(query @ key.transpose(1, 2), dim=2) * keep.flatten(2)  # (B, N, N)
    y = F.normalize(share, p=1, dim=2, eps=1e-12) @ value
    filled = block.res_block(block.W(y.transpose(1, 2).reshape(x.shape)))
    return keep * x + (1 - keep) * filled


def make_block(normalizes: bool = True, sharpness: float = 1.0) -> PartialNonLocalBlock:
    torch.manual_seed(3)
    block = PartialNonLocalBlock(12, blocks=1, normalizes=normalizes).double()
    with torch.no_grad():
        block.theta.weight *= sharpness
    return block


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("normalizes", [True, False])
def test_the_non_local_block_and_its_gradient_equal_the_naive_ones(
    normalizes: bool, name: str
) -> None:
    block = make_block(normalizes)
    x = torch.randn(2, 12, HEIGHT, WIDTH, dtype=torch.double, requires_grad=True)
    weight = torch.randn(x.shape, dtype=torch.double)
    results = [block(x, make_mask(name)), naive_non_local(block, x, make_mask(name))]
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-11)
    ours, naive = (
        torch.autograd.grad((y * weight).sum(), [x, *block.parameters()], allow_unused=True)
        for y in results
    )
    for mine, plain in zip(ours, naive, strict=True):
        assert plain is not None
        mine = torch.zeros_like(plain) if mine is None else mine
        torch.testing.assert_close(mine, plain, rtol=0, atol=1e-9)


def test_cutting_the_queries_into_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    block = make_block()
    x = torch.randn(2, 12, HEIGHT, WIDTH, dtype=torch.double)
    whole = block(x, make_mask("speckles"))
    monkeypatch.setattr("models.layers._LARGEST_SCORE_COUNT", 7 * HEIGHT * WIDTH)
    torch.testing.assert_close(block(x, make_mask("speckles")), whole, rtol=0, atol=1e-12)


def test_rows_that_look_at_damage_only_fade_as_in_the_naive_form() -> None:
    block = make_block(normalizes=False, sharpness=120.0)
    x = torch.randn(2, 12, HEIGHT, WIDTH, dtype=torch.double) * 2
    mask = make_mask("a stripe at the border")
    mask[..., :60] = 1
    keep = undamaged_cells(mask, HEIGHT, WIDTH)
    query, key = (layer(x).flatten(2).transpose(1, 2) for layer in (block.theta, block.phi))
    mass = (torch.softmax(query @ key.transpose(1, 2), dim=2) * keep.flatten(2)).sum(dim=2)
    assert ((mass > 0) & (mass < 1e-12)).any()
    torch.testing.assert_close(block(x, mask), naive_non_local(block, x, mask), rtol=0, atol=1e-10)


def test_nothing_masked_is_returned_untouched_and_undamaged_cells_always_are() -> None:
    block = make_block()
    x = torch.randn(2, 12, HEIGHT, WIDTH, dtype=torch.double)
    assert block(x, make_mask("none")) is x
    mask = make_mask("speckles")
    keep = undamaged_cells(mask, HEIGHT, WIDTH).bool().expand_as(x)
    assert torch.equal(block(x, mask)[keep], x[keep])


class LargestTensor(TorchDispatchMode):
    """Remembers the largest tensor that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        several = result if isinstance(result, tuple | list) else (result,)
        self.count = max([self.count, *(t.numel() for t in several if isinstance(t, Tensor))])
        return result


@pytest.mark.parametrize("trains", [False, True])
def test_memory_grows_with_the_number_of_cells_not_with_its_square(trains: bool) -> None:
    block = PartialNonLocalBlock(8, blocks=1)
    x = torch.randn(1, 8, 64, 64, requires_grad=trains)
    mask = torch.zeros(1, 1, 256, 256)
    mask[..., 100:140] = 1
    with LargestTensor() as largest, torch.set_grad_enabled(trains):
        y = block(x, mask)
        if trains:
            y.sum().backward()
    assert largest.count < 4 * x.numel() < (64 * 64) ** 2 / 100


def naive_patches(x: Tensor, damaged: Tensor, size: int) -> Tensor:
    """Whole patches one by one, for a batch of one; cells behind the last one stay zero."""
    height, width = x.shape[2] // size, x.shape[3] // size
    places = [(r * size, c * size) for r in range(height) for c in range(width)]
    cut = {p: x[0, :, p[0] : p[0] + size, p[1] : p[1] + size] for p in places}
    hurt = {
        p: float(damaged[0, 0, p[0] : p[0] + size, p[1] : p[1] + size].mean()) > 0.6 for p in places
    }
    result = torch.zeros_like(x)
    for place in places:
        best = place
        if hurt[place]:
            unit = F.normalize(cut[place].flatten(), dim=0)
            sound = [p for p in places if not hurt[p]]
            best = max(sound, key=lambda p: float(F.normalize(cut[p].flatten(), dim=0) @ unit))
        result[0, :, place[0] : place[0] + size, place[1] : place[1] + size] = cut[best]
    return result


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize(("height", "width"), [(16, 24), (17, 27), (20, 12)])
def test_patch_attention_equals_copying_patches_one_by_one(
    size: int, height: int, width: int
) -> None:
    torch.manual_seed(1)
    attention = PatchAttention(6, patch_size=size).double()
    z = torch.randn(1, 6, height, width, dtype=torch.double)
    mask = torch.zeros(1, 1, 4 * height, 4 * width, dtype=torch.double)
    mask[..., :40, 8:44] = 1
    damaged = (F.interpolate(mask, (height, width), mode="bilinear") > 0).double()
    with torch.no_grad():
        composed = naive_patches(attention.res_block(z), damaged, size)
        expected = attention.F_Combine(torch.cat([z, composed, damaged], dim=1))
        result = attention(z, mask)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_patches_pass_when_nothing_or_everything_is_damaged(value: float) -> None:
    attention = PatchAttention(6, patch_size=4)
    z, mask = torch.randn(2, 6, 9, 10), torch.full((2, 1, 36, 40), value)
    with torch.no_grad():
        damaged = torch.full((2, 1, 9, 10), value)
        passed = attention.F_Combine(torch.cat([z, attention.res_block(z), damaged], dim=1))
        result = attention(z, mask)
    torch.testing.assert_close(result, passed)


def test_each_picture_of_a_batch_copies_from_itself() -> None:
    attention = PatchAttention(4, patch_size=2).double()
    z = torch.randn(2, 4, 8, 8, dtype=torch.double)
    mask = torch.zeros(2, 1, 32, 32, dtype=torch.double)
    mask[0, :, :12, :12] = 1
    mask[1, :, 16:, 16:] = 1
    with torch.no_grad():
        both = attention(z, mask)
        single = torch.cat([attention(z[i : i + 1], mask[i : i + 1]) for i in (0, 1)])
    torch.testing.assert_close(both, single, rtol=0, atol=1e-12)
