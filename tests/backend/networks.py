"""Tiny random networks of the real classes, for tests of everything around them."""

from __future__ import annotations

import torch
from torch import nn

from backend.networks import Networks
from models.compact_unet import CompactFaceGenerator
from models.loading import WeightSet, build
from models.registry import ModelSpec, Network

VAE = {"width": 4, "latent_channels": 8, "residual_blocks": 1}
MAPPING = {"latent_channels": 8, "width": 16, "residual_blocks": 1}
ORIGINAL = {"hole": "white", "multiple": 16}


def _bundled() -> dict[Network, ModelSpec]:
    sizes = {"width": 4, "deepest_width": 8, "blocks": 1}
    return {
        "detection": ModelSpec(
            "detection", "compact_scratch_unet", sizes, {"threshold": 0.5, "short_side": 256}
        ),
        "restoration": ModelSpec(
            "restoration",
            "restoration_unet",
            sizes,
            {"residual": True, "hole": "filled", "multiple": 16},
        ),
        "tone": ModelSpec("tone", "tone_grid", {"width": 6}, {"side": 64}),
        "face_256": ModelSpec("face_256", "compact_face_generator", sizes, {"residual": True}),
    }


def _official() -> dict[Network, ModelSpec]:
    scratch = {**MAPPING, "non_local_blocks": 1}
    vaes: list[Network] = ["vae_a", "vae_b_quality", "vae_b_scratch"]
    return {
        "detection": ModelSpec(
            "detection", "scratch_unet", {"width": 4}, {"threshold": 0.5, "short_side": 256}
        ),
        **{name: ModelSpec(name, "restoration_vae", VAE, ORIGINAL) for name in vaes},
        "mapping_quality": ModelSpec("mapping_quality", "quality_mapping", MAPPING, ORIGINAL),
        "mapping_scratch": ModelSpec("mapping_scratch", "scratch_mapping", scratch, ORIGINAL),
        "face_256": ModelSpec(
            "face_256",
            "face_generator",
            {"width": 2, "modulation_width": 4},
            {"residual": False},
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
        like: "bundled" (over pixels, residual; the detector finds white pixels) or "official".
        strength: scales the last layers; 0 makes residual networks and the tone the identity.
    """

    def __init__(self, like: str = "bundled", strength: float = 1.0) -> None:
        super().__init__("random", {})
        self._specs = _bundled() if like == "bundled" else _official()
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
        if network.startswith(("vae_b", "face", "restoration", "tone")):
            is_compact = isinstance(module, CompactFaceGenerator)
            last = module.last if is_compact else convolutions[-1]
            if is_compact or network in ("restoration", "tone"):  # fresh ones start at zero
                generator, spread = torch.Generator().manual_seed(2), 0.1 if is_compact else 0.03
                last.weight.data = spread * torch.randn(last.weight.shape, generator=generator)
            last.weight.data *= self._strength
            if last.bias is not None:
                last.bias.data *= self._strength
            if network == "restoration":  # nothing of the photo is kept where it is damaged
                assert last.bias is not None
                last.bias.data[-4:] = -20.0


def random_networks(like: str = "bundled", strength: float = 1.0) -> Networks:
    return Networks(RandomWeights(like, strength), torch.device("cpu"))
