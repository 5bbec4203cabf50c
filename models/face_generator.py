"""The generator that redraws a face crop, led by the degraded face at every scale."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn
from torch.nn.utils import remove_spectral_norm, spectral_norm

# From the smallest map to the picture the size is doubled five times.
_REDUCTION = 32


class FaceGenerator(nn.Module):
    """Enhance an aligned face.

    x (B, 3, S, S) RGB in [-1, 1] -> (B, 3, S, S) in [-1, 1]; S is a multiple of 32, at best
    crop_size.

    Args:
        width: channels of the last block; the first has 16 times as many.
        modulation_width: channels between the degraded face and the scale and shift it causes.
        crop_size: S that the weights were trained for, in pixels.

    Source:
        T. Park et al., "Semantic Image Synthesis with Spatially-Adaptive Normalization", CVPR
        2019, with the degraded face in place of a label map (Z. Wan et al., IEEE TPAMI 2022).
    """

    sees_photo = False

    def __init__(
        self, *, width: int = 64, modulation_width: int = 128, crop_size: int = 256
    ) -> None:
        super().__init__()
        self.crop_size = crop_size

        def make_block(in_factor: int, out_factor: int) -> _ModulatedBlock:
            return _ModulatedBlock(width * in_factor, width * out_factor, modulation_width)

        self.fc = nn.Conv2d(3, 16 * width, 3, padding=1)
        self.head_0 = make_block(16, 16)
        self.G_middle_0 = make_block(16, 16)
        self.G_middle_1 = make_block(16, 16)
        self.up_0 = make_block(16, 8)
        self.up_1 = make_block(8, 4)
        self.up_2 = make_block(4, 2)
        self.up_3 = make_block(2, 1)
        self.conv_img = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % _REDUCTION or x.shape[3] % _REDUCTION:
            raise ValueError(
                f"FaceGenerator needs a height and width that are multiples of {_REDUCTION}, "
                f"but got {x.shape[2]}x{x.shape[3]}."
            )
        y = self.fc(_resized(x, x.shape[2] // _REDUCTION, x.shape[3] // _REDUCTION))
        y = self.head_0(y, x)  # (B, 16·width, S/32, S/32)
        y = self.G_middle_0(_doubled(y), x)  # (B, 16·width, S/16, S/16)
        y = self.G_middle_1(y, x)
        y = self.up_0(_doubled(y), x)  # (B, 8·width, S/8, S/8)
        y = self.up_1(_doubled(y), x)  # (B, 4·width, S/4, S/4)
        y = self.up_2(_doubled(y), x)  # (B, 2·width, S/2, S/2)
        y = self.up_3(_doubled(y), x)  # (B, width, S, S)
        picture: Tensor = self.conv_img(F.leaky_relu(y, 0.2))  # (B, 3, S, S)
        return picture.tanh()

    def fix_spectral_norm(self) -> FaceGenerator:
        """Divide the weights by their norms once instead of at each call; for inference only.

        The result of `forward` stays the same, but the state_dict has other keys afterwards.
        """
        for module in self.modules():
            if isinstance(module, _ModulatedBlock):
                module.fix_spectral_norm()
        return self


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    # Without a blur before it, because that is how the weights were trained.
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)


def _doubled(y: Tensor) -> Tensor:
    return F.interpolate(y, scale_factor=2, mode="nearest")


class _ModulatedBlock(nn.Module):
    """Residual block whose activations the degraded face scales and shifts.

    y (B, in, s, s) and the face x (B, 3, S, S) -> (B, out, s, s).
    """

    def __init__(self, in_channels: int, out_channels: int, modulation_width: int) -> None:
        super().__init__()
        self.has_shortcut = in_channels != out_channels
        middle = min(in_channels, out_channels)
        self.conv_0 = spectral_norm(nn.Conv2d(in_channels, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, out_channels, 3, padding=1))
        if self.has_shortcut:
            self.conv_s = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
        self.norm_0 = _FaceModulation(in_channels, modulation_width)
        self.norm_1 = _FaceModulation(middle, modulation_width)
        if self.has_shortcut:
            self.norm_s = _FaceModulation(in_channels, modulation_width)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        face = _resized(x, y.shape[2], y.shape[3])  # (B, 3, s, s)
        shortcut: Tensor = self.conv_s(self.norm_s(y, face)) if self.has_shortcut else y
        y = self.conv_0(F.leaky_relu(self.norm_0(y, face), 0.2, inplace=True))
        y = self.conv_1(F.leaky_relu(self.norm_1(y, face), 0.2, inplace=True))
        return shortcut + y

    def fix_spectral_norm(self) -> None:
        remove_spectral_norm(self.conv_0)
        remove_spectral_norm(self.conv_1)
        if self.has_shortcut:
            remove_spectral_norm(self.conv_s)


class _FaceModulation(nn.Module):
    """Normalize, then scale and shift each cell by what the degraded face shows there."""

    def __init__(self, channels: int, modulation_width: int) -> None:
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(channels, affine=False)
        self.mlp_shared = nn.Sequential(
            nn.Conv2d(3, modulation_width, 3, padding=1), nn.ReLU(inplace=True)
        )
        self.mlp_gamma = nn.Conv2d(modulation_width, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(modulation_width, channels, 3, padding=1)

    def forward(self, y: Tensor, face: Tensor) -> Tensor:
        cause = self.mlp_shared(face)  # (B, modulation_width, s, s)
        scale, shift = 1 + self.mlp_gamma(cause), self.mlp_beta(cause)  # (B, C, s, s) each
        result: Tensor = self.param_free_norm(y) * scale + shift
        return result
