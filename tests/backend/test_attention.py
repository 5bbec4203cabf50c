"""The streamed attention is that of the block, or close to it where keys are left out."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from backend.streaming import attention
from backend.streaming.attention import Attention
from backend.streaming.convolutions import Rows, Shape
from backend.streaming.maps import MemoryMap
from models.layers import PartialNonLocalBlock, undamaged_cells
from tests.backend.networks import RandomWeights
from tests.backend.restoring import CPU, photo


def collected(cells: Tensor, block: PartialNonLocalBlock, trust: Tensor) -> Tensor:
    shape = Shape(*cells.shape[1:])
    kept = MemoryMap(shape, torch.float32, CPU)
    kept.write(Rows(0, shape.height), cells)
    found = Attention(block, kept, trust, CPU, torch.float32)
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


@pytest.mark.parametrize(("sharpness", "tolerance"), [(1.0, 0.06), (30.0, 0.15)])
def test_limited_attention_is_close_to_the_exact_one(
    sharpness: float, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With random weights, and a larger share of keys left out than at 12 megapixels."""
    weights = RandomWeights("official")
    block = copy.deepcopy(weights.load("mapping_scratch").NL)
    block.theta.weight.mul_(sharpness)
    block.theta.bias.mul_(sharpness)
    vae, wide = weights.load("vae_a"), weights.load("mapping_scratch").before_NL
    image, damage = photo()
    trust = undamaged_cells(torch.from_numpy(damage / 255.0).float()[None, None], 60, 60)
    with torch.no_grad():
        cells = wide(vae.encode(image * 2 - 1))
        exact = collected(cells, block, trust)
        monkeypatch.setattr(attention, "LARGEST_EXACT", 1000)
        monkeypatch.setattr(attention, "KEYS_BEYOND", 3600 // 24)
        monkeypatch.setattr(attention, "KEYS_FOR_STATISTICS", 3600 // 96)
        limited = collected(cells, block, trust)
        monkeypatch.setattr(attention, "VOTERS", 0)
        without_votes = collected(cells, block, trust)
    errors = [
        float((found - exact).abs().mean() / cells.abs().mean())
        for found in (limited, without_votes)
    ]
    assert 0 < errors[0] < tolerance
    assert errors[0] < 0.7 * errors[1]
