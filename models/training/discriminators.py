"""Networks that judge pictures and latents during training; they are never shipped."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Judge overlapping patches at several scales.

    x (B, in_channels, H, W) -> for each scale the outputs of all layers, shallow to deep; the last
    is the verdict (B, 1, h, w), without a sigmoid.

    Args:
        in_channels: 3, or 6 when the picture is judged beside its input.
        width: channels after the first layer.
        layers: halvings.
        scales: how many sizes of the picture are judged, each half the one before.
        spectral: divide each kernel by its largest singular value.

    Source:
        T.-C. Wang et al., "High-resolution image synthesis and semantic manipulation with
        conditional GANs", CVPR 2018, section 3.2; T. Miyato et al., ICLR 2018 (spectral norm).
    """

    def __init__(
        self,
        in_channels: int,
        *,
        width: int = 64,
        layers: int = 3,
        scales: int = 2,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            _make_scale(in_channels, width, layers, spectral) for _ in range(scales)
        )

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        verdicts = []
        for scale in self.scales:
            features, outputs = x, []
            assert isinstance(scale, nn.ModuleList)
            for layer in scale:
                features = layer(features)
                outputs.append(features)
            verdicts.append(outputs)
            x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return verdicts


def _make_scale(in_channels: int, width: int, layers: int, spectral: bool) -> nn.ModuleList:
    modules: list[nn.Module] = []
    channels = in_channels
    for number in range(layers + 1):
        wanted = min(width * 2**number, 512)
        stride = 2 if number < layers else 1
        convolution: nn.Module = nn.Conv2d(channels, wanted, 4, stride, 2)
        if spectral:
            convolution = spectral_norm(convolution)
        norm: list[nn.Module] = [nn.InstanceNorm2d(wanted)] if number > 0 else []
        modules.append(nn.Sequential(convolution, *norm, nn.LeakyReLU(0.2)))
        channels = wanted
    modules.append(nn.Conv2d(channels, 1, 4, 1, 2))
    return nn.ModuleList(modules)


class LatentDiscriminator(nn.Module):
    """Tell latents of real old photos from latents of synthetic ones.

    z (B, latent_channels, h, w) -> verdict (B, 1, h', w'), without a sigmoid.

    Source:
        Z. Wan et al., CVPR 2020, section 3.1.
    """

    def __init__(self, latent_channels: int = 64, *, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(latent_channels, width, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.InstanceNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, 1, 1),
        )

    def forward(self, z: Tensor) -> Tensor:
        verdict: Tensor = self.layers(z)
        return verdict


def verdicts_of(judged: list[list[Tensor]]) -> list[Tensor]:
    """The last output of each scale."""
    return [outputs[-1] for outputs in judged]


def flatten(judged: list[list[Tensor]]) -> list[Tensor]:
    """All but the verdicts, for feature matching."""
    return [output for outputs in judged for output in outputs[:-1]]


def beside(picture: Tensor, condition: Tensor) -> Tensor:
    """What a conditional discriminator sees: (B, 3, H, W) twice -> (B, 6, H, W)."""
    return torch.cat([condition, picture], dim=1)
