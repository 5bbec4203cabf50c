"""Blocks that several networks share.

Axes: B batch, C channels, H and W pixels of the picture, h and w cells of the latent (a quarter of
the picture). A mask is 1 where the picture is to be repaired and 0 where it is kept.
"""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

# The smallest share of attention on undamaged cells that is still scaled up to a full row; below it
# the row fades to zero. It is the constant that the published weights were trained with.
SMALLEST_ATTENTION_MASS = 1e-12

# Attention kernels want head sizes that are a multiple of this; one more column is needed anyway.
_HEAD_PADDING = 8

# Where no fused kernel exists torch builds (queries, keys); this many values keep it at 128 MB.
_LARGEST_SCORE_COUNT = 2**25

# A patch is damaged when more than this share of its cells is.
DAMAGED_PATCH_SHARE = 0.6


_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


def silent(layer: _Layer) -> _Layer:
    """The layer with zeros, so that an untrained network adds nothing there."""
    assert layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions with reflected borders. (B, C, h, w) -> the same shape.

    Args:
        channels: C.
        normalizes: by statistics of the whole map, so that a network cannot be run tile by tile
            without a change of the result.
    """

    def __init__(self, channels: int, *, normalizes: bool = True) -> None:
        super().__init__()

        def make_normalization() -> nn.Module:
            # A placeholder, so that the layers behind it keep their numbers in a checkpoint.
            return nn.InstanceNorm2d(channels) if normalizes else nn.Identity()

        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            make_normalization(),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            make_normalization(),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.conv_block(x)
        return result


def touched_cells(mask: Tensor, height: int, width: int) -> Tensor:
    """Carry a picture's mask to the latent: 1 where the bilinear sample of the mask is not 0.

    Args:
        mask: (B, 1, H, W) in [0, 1].
        height: h, cells.
        width: w, cells.

    Returns:
        (B, 1, h, w), 0 or 1.
    """
    size = (height, width)
    touched = F.interpolate(mask, size, mode="bilinear", align_corners=False) > 0
    return touched.to(mask.dtype)


def undamaged_cells(mask: Tensor, height: int, width: int) -> Tensor:
    """Carry a picture's mask to the latent: 1 where a cell may be trusted, 0 where not.

    A cell is trusted when the bilinear sample of the mask is exactly 0 there, weighted with the
    nearest sample of 1 - mask; with a binary mask that is 0 or 1. Coarser than "no damaged pixel
    in the cell", because the weights expect it.

    Args:
        mask: (B, 1, H, W) in [0, 1].
        height: h, cells.
        width: w, cells.

    Returns:
        (B, 1, h, w) in [0, 1].
    """
    untouched = 1 - touched_cells(mask, height, width)
    return F.interpolate(1 - mask, (height, width), mode="nearest") * untouched


def attend_to_undamaged(query: Tensor, key: Tensor, value: Tensor, trust: Tensor) -> Tensor:
    """Average values by attention over all positions, of which only trusted ones are counted.

    With a = softmax(query · key) over ALL positions the result is

        sum(a · trust · value) / max(sum(a · trust), 1e-12)

    which is the attention over trusted positions, faded out where nearly all attention lies on
    damage. Both sums are one fused attention (the trust is one more column of the values), so
    neither memory nor the backward pass ever holds a (positions, positions) matrix.

    Args:
        query: (B, Q, C).
        key: (B, N, C).
        value: (B, N, C).
        trust: (B, N, 1) in [0, 1].

    Returns:
        (B, Q, C); zeros where nothing is trusted.

    Source:
        Z. Wan et al., "Bringing Old Photos Back to Life", CVPR 2020, section 3.2, with the scale
        that the published weights were trained with.
    """
    channels = value.shape[2]
    padded = (0, _HEAD_PADDING)  # zeros behind the last channel change no product
    weighted = torch.cat(
        [value * trust, F.pad(trust, (0, _HEAD_PADDING - 1))], dim=2
    )  # (B, N, C + 8)
    key = F.pad(key, padded)
    chunks = []
    rows = max(1, _LARGEST_SCORE_COUNT // key.shape[1])
    for part in torch.split(F.pad(query, padded), rows, dim=1):
        sums = F.scaled_dot_product_attention(
            part.unsqueeze(1), key.unsqueeze(1), weighted.unsqueeze(1), scale=1.0
        ).squeeze(1)  # (B, q, C + 8)
        mass = sums[..., channels : channels + 1]
        chunks.append(sums[..., :channels] / mass.clamp_min(SMALLEST_ATTENTION_MASS))
    return torch.cat(chunks, dim=1)


class PartialNonLocalBlock(nn.Module):
    """Fill damaged cells from undamaged ones anywhere in the picture.

    x (B, C, h, w) and mask (B, 1, H, W) -> (B, C, h, w). Undamaged cells come out as they are; with
    nothing damaged so does everything, at no cost. With everything damaged the residual blocks see
    zeros. Memory grows linearly with h · w, time with the square of it; without normalization only
    cells that can reach a damaged one are queried.
    """

    def __init__(self, channels: int, *, blocks: int = 3, normalizes: bool = True) -> None:
        super().__init__()
        self.g = nn.Conv2d(channels, channels, 1)
        self.W = nn.Conv2d(channels, channels, 1)
        self.theta = nn.Conv2d(channels, channels, 1)
        self.phi = nn.Conv2d(channels, channels, 1)
        self.res_block = nn.Sequential(
            *(ResidualBlock(channels, normalizes=normalizes) for _ in range(blocks))
        )
        # How far, in cells, the residual blocks carry a value; None: everywhere.
        self.reach = None if normalizes else 2 * blocks

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        trust = undamaged_cells(mask, x.shape[2], x.shape[3])  # (B, 1, h, w)
        if bool((trust == 1).all()):
            return x
        filled = self.res_block(self.W(self._attend(x, trust)))  # (B, C, h, w)
        result: Tensor = trust * x + (1 - trust) * filled
        return result

    def _attend(self, x: Tensor, trust: Tensor) -> Tensor:
        flat = (self.theta(x), self.phi(x), self.g(x), trust)
        query, key, value, keep = (t.flatten(2).transpose(1, 2) for t in flat)  # (B, N, C)
        if self.reach is None:
            attended = attend_to_undamaged(query, key, value, keep)
        else:
            near = F.max_pool2d(1 - trust, 2 * self.reach + 1, 1, self.reach).flatten(1) > 0
            attended = torch.zeros_like(query)
            index = near.any(dim=0).nonzero().squeeze(1)  # cells any picture of the batch needs
            chosen = attend_to_undamaged(query[:, index], key, value, keep)
            attended = attended.index_copy(1, index, chosen)
        return attended.transpose(1, 2).reshape(x.shape)


class PatchAttention(nn.Module):
    """Replace damaged patches by the most similar undamaged ones, then combine both.

    z (B, C, h, w) and mask (B, 1, H, W) -> (B, C, h, w). A patch is damaged when more than 60 % of
    its cells are; similarity is the cosine. With no damaged patch, or no undamaged one to copy
    from, the features pass as they are. Otherwise the cells behind the last whole patch, at the
    right and the bottom, become zero: the dark strips of the original.
    """

    def __init__(self, channels: int, *, patch_size: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.F_Combine = nn.Conv2d(2 * channels + 1, channels, 3, padding=1)
        self.res_block = nn.Sequential(ResidualBlock(channels))

    def forward(self, z: Tensor, mask: Tensor) -> Tensor:
        features = self.res_block(z)  # (B, C, h, w)
        damaged = touched_cells(mask, z.shape[2], z.shape[3]).to(z.dtype)  # (B, 1, h, w)
        composed = torch.cat(
            [
                self._compose(f, d)
                for f, d in zip(torch.split(features, 1), torch.split(damaged, 1), strict=True)
            ]
        )
        combined: Tensor = self.F_Combine(torch.cat([z, composed, damaged], dim=1))
        return combined

    def _compose(self, features: Tensor, damaged: Tensor) -> Tensor:
        size = self.patch_size
        if min(features.shape[2:]) < size:  # no whole patch to look at
            return features
        share = F.unfold(damaged, size, stride=size).mean(dim=1)[0]  # (patches,)
        holes = (share > DAMAGED_PATCH_SHARE).nonzero().squeeze(1)
        sources = (share <= DAMAGED_PATCH_SHARE).nonzero().squeeze(1)
        if len(holes) == 0 or len(sources) == 0:
            return features
        patches = F.unfold(features, size, stride=size)[0]  # (C · size², patches)
        best = sources[_most_similar(patches[:, holes], patches[:, sources])]
        filled = patches.index_copy(1, holes, patches[:, best])
        return F.fold(filled[None], tuple(features.shape[2:]), size, stride=size)


@torch.no_grad()
def _most_similar(query: Tensor, key: Tensor) -> Tensor:
    """For each column of query (D, Q) the column of key (D, K) with the largest cosine: (Q,)."""
    query, key = F.normalize(query, dim=0), F.normalize(key, dim=0)
    chunks = torch.split(query.T, max(1, _LARGEST_SCORE_COUNT // key.shape[1]))
    return torch.cat([(chunk @ key).argmax(dim=1) for chunk in chunks])
