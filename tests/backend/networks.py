"""Tiny random networks of the real classes, for tests of everything around them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from backend.networks import Networks
from models.loading import WeightSet, build
from models.registry import ModelSpec, Network

VAE = {"width": 4, "latent_channels": 8, "residual_blocks": 1}
MAPPING = {"latent_channels": 8, "width": 16, "residual_blocks": 1}
RESIDUAL = {"residual": True, "hole": "inpainted", "multiple": 4}
ORIGINAL = {"residual": False, "hole": "white", "multiple": 16}


def _specs(normalization: str, inference: dict[str, Any]) -> dict[Network, ModelSpec]:
    vae = {**VAE, "normalization": normalization}
    plain = {**MAPPING, "normalization": normalization}
    scratch = {**plain, "non_local_blocks": 1}
    joint = normalization == "none"
    return {
        "detection": ModelSpec(
            "detection", "scratch_unet", {"width": 4}, {"threshold": 0.5, "short_side": 256}
        ),
        "vae_a": ModelSpec("vae_a", "restoration_vae", vae, inference),
        "vae_b_quality": ModelSpec("vae_b_quality", "restoration_vae", vae, inference),
        "vae_b_scratch": ModelSpec("vae_b_scratch", "restoration_vae", vae, inference),
        "mapping_quality": ModelSpec(
            "mapping_quality",
            "scratch_mapping" if joint else "quality_mapping",
            scratch if joint else plain,
            inference,
        ),
        "mapping_scratch": ModelSpec("mapping_scratch", "scratch_mapping", scratch, inference),
        "face_256": ModelSpec(
            "face_256",
            "face_generator",
            {"width": 2, "modulation_width": 4},
            {"residual": inference["residual"]},
        ),
    }


class FindsWhite(nn.Sequential):
    """Stands in for the detector: (nearly) white pixels are scratches."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 1, 1))
        convolution = self[0]
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        convolution.weight.data.fill_(100.0)
        convolution.bias.data.fill_(-95.0)


class RandomWeights(WeightSet):
    """Weights drawn from a fixed seed.

    Args:
        like: "bundled" (one joint set, no normalization, residual; the detector finds white
            pixels) or "official".
        strength: scales the last layers; 0 makes residual networks the identity.
    """

    def __init__(self, like: str = "bundled", strength: float = 1.0) -> None:
        super().__init__("random", {})
        self._specs = (
            _specs("none", RESIDUAL) if like == "bundled" else _specs("instance", ORIGINAL)
        )
        self._like = like
        self._strength = strength

    def has(self, network: Network) -> bool:
        return network in self._specs

    def spec(self, network: Network) -> ModelSpec:
        return self._specs[network]

    def load(self, network: Network, device: torch.device | str = "cpu") -> nn.Module:
        generator_state = torch.random.get_rng_state()
        torch.manual_seed(1)
        is_stand_in = network == "detection" and self._like == "bundled"
        module = FindsWhite() if is_stand_in else build(self._specs[network])
        torch.random.set_rng_state(generator_state)
        self._scale_last_layer(network, module)
        return module.requires_grad_(False).eval().to(device)

    def _scale_last_layer(self, network: Network, module: nn.Module) -> None:
        convolutions = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
        if network.startswith(("vae_b", "face")):
            last = convolutions[-1]
            last.weight.data *= self._strength
            if last.bias is not None:
                last.bias.data *= self._strength


def random_networks(like: str = "bundled", strength: float = 1.0) -> Networks:
    return Networks(RandomWeights(like, strength), torch.device("cpu"))
