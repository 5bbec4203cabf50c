"""The U-Nets of the bundled weights: they clean and fill, find scratches, and enhance faces."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from models.layers import PartialNonLocalBlock, silent

GRAIN_SCALE = 10.0
"""So that strong grain weighs about as much as a pixel."""

FIRST_KEPT = -3.0
"""Before softplus, how much of a masked pixel an untrained restoration network keeps: 0.05."""


class CompactUNet(nn.Module):
    """A U-Net over half the size and below.

    Two by two pixels become channels at the entrance and pixels again at the exit, so nothing is
    lost on the way and the first level, which is large and costly, is left out. Four halvings in
    all let it see about 300 pixels around. There is no normalization; each residual block starts as
    the identity and the whole network with zeros as output.

    Args:
        in_channels, out_channels: of the picture.
        width: channels at half the size.
        deepest_width: channels at the smallest size.
        blocks: residual blocks per level on the way down.
        deepest_blocks: residual blocks at the smallest size, before filling and again after it;
            None: as many as on the way down.
        up_blocks: residual blocks per level on the way up.
        non_local: fill masked cells at the bottom from anywhere in the picture.

    Source:
        O. Ronneberger et al., "U-Net", MICCAI 2015; K. Zhang et al., "FFDNet", IEEE TIP 27(9), 2018
        (pixels to channels); Z. Wan et al., CVPR 2020, section 3.2 (partial non-local block).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int,
        deepest_width: int,
        blocks: int,
        non_local: bool,
        deepest_blocks: int | None = None,
        up_blocks: int = 1,
    ) -> None:
        super().__init__()
        deepest_blocks = deepest_blocks or blocks
        widths = [width, 2 * width, 4 * width, deepest_width]
        self.first = nn.Conv2d(4 * in_channels, width, 3, padding=1)
        self.down = nn.ModuleList(_blocks(w, blocks) for w in widths[:-1])
        self.halve = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.bottom = _blocks(deepest_width, deepest_blocks)
        self.fill = (
            PartialNonLocalBlock(deepest_width, blocks=1, normalizes=False) if non_local else None
        )
        self.after_fill = _blocks(deepest_width, deepest_blocks)
        self.enlarge = nn.ModuleList(
            nn.Conv2d(deep, 4 * shallow, 1) for deep, shallow in pairwise(widths[::-1])
        )
        self.up = nn.ModuleList(_blocks(w, up_blocks) for w in widths[-2::-1])
        self.last = silent(nn.Conv2d(width, 4 * out_channels, 3, padding=1))

    def run(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x (B, in_channels, H, W), mask (B, 1, H, W) or None -> (B, out_channels, H, W)."""
        if x.shape[2] % 16 or x.shape[3] % 16:
            raise ValueError(
                f"{type(self).__name__} needs a height and width that are multiples of 16, "
                f"but got {x.shape[2]}x{x.shape[3]}."
            )
        features = self.first(F.pixel_unshuffle(x, 2))
        kept = []
        for level, halve in zip(self.down, self.halve, strict=True):
            features = level(features)
            kept.append(features)
            features = halve(features)  # (B, next width, half the size)
        features = self.bottom(self.placed(features))  # (B, deepest_width, H/16, W/16)
        if self.fill is not None and mask is not None:
            # A cell that is mostly damaged has nothing to say; the others see past their scratches.
            features = self.fill(features, (F.avg_pool2d(mask, 16) > 0.5).to(mask.dtype))
        features = self.after_fill(features)
        for index, (enlarge, level) in enumerate(zip(self.enlarge, self.up, strict=True)):
            features = level(self.joined(F.pixel_shuffle(enlarge(features), 2), kept.pop(), index))
        return F.pixel_shuffle(self.last(features), 2)

    def placed(self, features: Tensor) -> Tensor:
        """What enters the bottom, (B, deepest_width, H/16, W/16); for networks that know places."""
        return features

    def joined(self, deep: Tensor, shallow: Tensor, index: int) -> Tensor:
        """Join what comes up with what was kept at that size, both (B, C, h, w).

        Args:
            index: of the level on the way up, 0 for the smallest.
        """
        del index
        return deep + shallow


class RestorationUNet(CompactUNet):
    """Clean a picture and repair its damage, keeping the tone.

    Where the mask is set the network gets both: a smooth fill from the surroundings, and what the
    photo shows there. Dust and faded scratches are half transparent, people paint masks larger
    than the damage, and what can still be seen is better than anything invented. So besides the
    change to the fill it estimates for each masked pixel how much to add of what the photo shows
    beyond the fill: 0 where the damage is opaque, 1 where there is none, more where a veil has
    taken contrast.

    It is told how much grain the photo has, so that it removes all of it and leaves texture, and
    does not judge anew what is grain in each corner.

    filled (B, 3, H, W) in [-1, 1], the photo with masked pixels replaced; mask (B, 1, H, W), 1 =
    repair; photo (B, 3, H, W), as it is; grain (B, 1, H, W), from `grain_level` -> (B, 3, H, W),
    the change to be added to `filled`: what it leaves alone passes by at full resolution. H and W
    are multiples of 16.

    Args:
        width, deepest_width, blocks, deepest_blocks, up_blocks: see `CompactUNet`.

    Source:
        K. Zhang et al., "FFDNet", IEEE TIP 27(9), 2018 (a map of the noise level as input).
    """

    def __init__(
        self,
        *,
        width: int = 32,
        deepest_width: int = 160,
        blocks: int = 2,
        deepest_blocks: int = 3,
        up_blocks: int = 2,
    ) -> None:
        super().__init__(
            8,
            4,
            width=width,
            deepest_width=deepest_width,
            blocks=blocks,
            deepest_blocks=deepest_blocks,
            up_blocks=up_blocks,
            non_local=True,
        )

    def forward(self, filled: Tensor, mask: Tensor, photo: Tensor, grain: Tensor) -> Tensor:
        change, _ = self.estimate(filled, mask, photo, grain)
        return change

    def estimate(
        self, filled: Tensor, mask: Tensor, photo: Tensor, grain: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The change, and (B, 1, H, W), how much of what the photo shows is kept under the mask."""
        hidden = (photo - filled) * mask
        output = self.run(torch.cat([filled, mask, hidden, GRAIN_SCALE * grain], dim=1), mask)
        kept = F.softplus(output[:, 3:] + FIRST_KEPT)
        return output[:, :3] + kept * hidden, kept


class CompactScratchUNet(CompactUNet):
    """Estimate for each pixel how likely it is to be damaged.

    x (B, 1, H, W) in [-1, 1] -> logits (B, 1, H, W). H and W are multiples of 16.
    """

    def __init__(self, *, width: int = 32, deepest_width: int = 96, blocks: int = 2) -> None:
        super().__init__(
            1, 1, width=width, deepest_width=deepest_width, blocks=blocks, non_local=False
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, None)


class CompactFaceGenerator(CompactUNet):
    """Enhance an aligned face.

    x (B, 6, S, S) in [-1, 1], the restored face and what the photo shows of it -> (B, 3, S, S), the
    change to be added to the restored one: what it leaves alone passes by, and nobody is given
    another face by a network that is unsure. S is a multiple of 16, at best crop_size.

    Restoration takes some of a person away together with the grain; the photo still has it.

    On the way up the face at that size scales and shifts the features, as in SPADE; since faces are
    aligned, the bottom also gets learned features for each place.

    Args:
        width, deepest_width, blocks, up_blocks: see `CompactUNet`.
        crop_size: S that the weights were trained for, in pixels.

    Source:
        T. Park et al., CVPR 2019 (SPADE); for features in place of the picture as what modulates,
        X. Wang et al., CVPR 2018 (spatial feature transform).
    """

    sees_photo = True

    def __init__(
        self,
        *,
        width: int = 32,
        deepest_width: int = 128,
        blocks: int = 2,
        up_blocks: int = 2,
        crop_size: int = 256,
    ) -> None:
        super().__init__(
            6,
            3,
            width=width,
            deepest_width=deepest_width,
            blocks=blocks,
            up_blocks=up_blocks,
            non_local=False,
        )
        self.crop_size = crop_size
        side = crop_size // 16
        self.places = nn.Parameter(torch.zeros(1, deepest_width, side, side))
        self.modulate = nn.ModuleList(
            silent(nn.Conv2d(w, 2 * w, 1)) for w in (4 * width, 2 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        face, photo = x.chunk(2, dim=1)
        return self.run(torch.cat([face, photo - face], dim=1), None)

    def placed(self, features: Tensor) -> Tensor:
        places: Tensor = self.places
        if features.shape[2:] != places.shape[2:]:
            size = features.shape[2], features.shape[3]
            places = F.interpolate(places, size, mode="bilinear", align_corners=False)
        return features + places

    def joined(self, deep: Tensor, shallow: Tensor, index: int) -> Tensor:
        scale, shift = self.modulate[index](shallow).chunk(2, dim=1)
        result: Tensor = deep * (1 + scale) + shift + shallow
        return result


class _Block(nn.Module):
    """x + two 3x3 convolutions, the second of which starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.first(x), 0.1)
        result: Tensor = x + self.second(inner)
        return result


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))
