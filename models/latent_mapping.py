"""Three mappings from the latent of damaged pictures to the latent of clean ones.

All take z (B, L, h, w) and return the same shape. The masked ones also take mask (B, 1, H, W) at
the picture's size, H = 4h and W = 4w, 1 = repair.

Source:
    Z. Wan et al., "Bringing Old Photos Back to Life", CVPR 2020, section 3.2; for the high
    resolution "Old Photo Restoration via Deep Latent Space Translation", IEEE TPAMI 2022.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.layers import PartialNonLocalBlock, PatchAttention, ResidualBlock

# Doublings from the latent's channels up to the mapping's width, and as many halvings back.
_STEPS = 4


class QualityMapping(nn.Module):
    """Remove unstructured degradation: blur, noise, fading.

    Args:
        latent_channels: L.
        width: most channels; the steps between double, capped here (64 128 256 512 512).
        residual_blocks: number of them at full width.
    """

    def __init__(
        self,
        *,
        latent_channels: int = 64,
        width: int = 512,
        residual_blocks: int = 6,
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *_make_widening(latent_channels, width),  # (B, width, h, w)
            *_make_blocks(residual_blocks, width),
            *_make_narrowing(latent_channels, width),  # (B, L, h, w)
        )

    def forward(self, z: Tensor) -> Tensor:
        result: Tensor = self.model(z)
        return result


class ScratchMapping(nn.Module):
    """Remove unstructured degradation and fill masked cells from the rest of the picture.

    With an empty mask it is a plain mapping: the non-local block passes its input.

    Args:
        latent_channels: L.
        width: most channels, also the head size of the non-local block.
        residual_blocks: number of them behind the non-local block.
        non_local_blocks: number of residual blocks inside the non-local block.
    """

    def __init__(
        self,
        *,
        latent_channels: int = 64,
        width: int = 512,
        residual_blocks: int = 6,
        non_local_blocks: int = 3,
    ) -> None:
        super().__init__()
        self.before_NL = nn.Sequential(*_make_widening(latent_channels, width))
        self.NL = PartialNonLocalBlock(width, blocks=non_local_blocks)
        self.after_NL = nn.Sequential(
            *_make_blocks(residual_blocks, width),
            *_make_narrowing(latent_channels, width),
        )

    def forward(self, z: Tensor, mask: Tensor) -> Tensor:
        wide = self.NL(self.before_NL(z), mask)  # (B, width, h, w)
        result: Tensor = self.after_NL(wide)  # (B, L, h, w)
        return result


class HighResolutionMapping(nn.Module):
    """Like ScratchMapping for large pictures: damaged patches are copied from similar ones.

    Args:
        latent_channels: L.
        width: most channels.
        residual_blocks: number of them in each of the four places around the patch attentions.
        patch_sizes: in cells, coarse to fine.
    """

    def __init__(
        self,
        *,
        latent_channels: int = 64,
        width: int = 512,
        residual_blocks: int = 2,
        patch_sizes: tuple[int, int, int] = (8, 4, 2),
    ) -> None:
        super().__init__()
        coarse, middle, fine = (PatchAttention(width, patch_size=size) for size in patch_sizes)

        def make_blocks() -> list[nn.Module]:
            return _make_blocks(residual_blocks, width)

        self.before_NL = nn.Sequential(*_make_widening(latent_channels, width), *make_blocks())
        self.NL_scale_1 = coarse
        self.res_block_1 = nn.Sequential(*make_blocks())
        self.NL_scale_2 = middle
        self.res_block_2 = nn.Sequential(*make_blocks())
        self.NL_scale_3 = fine
        self.after_NL = nn.Sequential(*make_blocks(), *_make_narrowing(latent_channels, width))

    def forward(self, z: Tensor, mask: Tensor) -> Tensor:
        """Map z (B, L, h, w) with mask (B, 1, H, W) to (B, L, h, w)."""
        x = self.before_NL(z)  # (B, width, h, w)
        x = self.NL_scale_1(x, mask)
        x = self.res_block_1(x)
        x = self.NL_scale_2(x, mask)
        x = self.res_block_2(x)
        x = self.NL_scale_3(x, mask)
        result: Tensor = self.after_NL(x)  # (B, L, h, w)
        return result


def _channels(latent_channels: int, width: int) -> list[int]:
    return [latent_channels] + [
        min(latent_channels * 2**step, width) for step in range(1, _STEPS + 1)
    ]


def _make_step(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.InstanceNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]


def _make_widening(latent_channels: int, width: int) -> list[nn.Module]:
    channels = _channels(latent_channels, width)
    if channels[-1] != width:
        raise ValueError(
            f"{latent_channels} latent channels double to {channels[-1]} in {_STEPS} steps, "
            f"but the width is {width}."
        )
    return [layer for i in range(_STEPS) for layer in _make_step(channels[i], channels[i + 1])]


def _make_narrowing(latent_channels: int, width: int) -> list[nn.Module]:
    channels = _channels(latent_channels, width)[::-1]
    layers = [
        layer for i in range(_STEPS - 1) for layer in _make_step(channels[i], channels[i + 1])
    ]
    # The last one is a bare convolution: the latent has no fixed scale and is negative too.
    return [*layers, nn.Conv2d(channels[-2], latent_channels, 3, padding=1)]


def _make_blocks(count: int, width: int) -> list[nn.Module]:
    return [ResidualBlock(width) for _ in range(count)]
