"""Pairs that look at one network, or at the whole restoration."""

from __future__ import annotations

import torch

from backend.reference import pictures
from backend.reference import restoration as steps
from backend.reference.faces import fit_to_network
from models.face_generator import FaceGenerator
from models.latent_mapping import ScratchMapping
from models.parity_outputs import Arrays, Kind, Output, array, exact, levels
from models.pseudo_random import PseudoRandomWeights
from models.registry import Network
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet

# The tolerances are about ten times what threads, kernels and float64 change in one and the same
# implementation; an index beside the pairs replaces them.

_NEAR_THRESHOLD = 1e-4


def _tensor(arrays: Arrays, name: str) -> torch.Tensor:
    return torch.from_numpy(arrays[name])


def _detection_unet(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    logits = weights.load("detection")(_tensor(arrays, "x"))
    return {"logits": Output(array(logits), 1e-4, 1e-5)}


def _detection_stage(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    resized = steps.resize_for_scratches(arrays["image_u8"])
    gray = pictures.to_gray(resized)
    network = weights.load("detection")
    assert isinstance(network, ScratchUNet)
    found = steps.detect_scratches(resized, network)
    mask = found.mask[..., None].repeat(3, axis=2)
    margin = torch.nn.functional.interpolate(found.probability, mask.shape[:2]) - steps.THRESHOLD
    undecided = array(margin.abs() < _NEAR_THRESHOLD)[0, 0, :, :, None].repeat(3, axis=2)
    return {
        "resized_u8": exact(resized),
        "gray_u8": exact(gray),
        "x": Output(array(pictures.to_network(gray)), 2e-6),
        "x_scaled": Output(array(found.scaled), 2e-6),
        "prob_scaled": Output(array(found.probability), 3e-5, 3e-6),
        "mask_png_u8": Output(mask, 0.0, undecided=undecided),
    }


def _encode(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    network = weights.load("vae_a")
    assert isinstance(network, RestorationVAE)
    return {"y": Output(array(network.encode(_tensor(arrays, "x"))), 5e-4, 5e-5)}


def _decode(name: Network) -> Kind:
    def compute(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
        network = weights.load(name)
        assert isinstance(network, RestorationVAE)
        return {"y": Output(array(network.decode(_tensor(arrays, "z"))), 5e-5, 6e-6)}

    return Kind(("z",), compute)


def _mapping_quality(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    mapped = weights.load("mapping_quality")(_tensor(arrays, "z"))
    return {"y": Output(array(mapped), 2e-4, 3e-5)}


def _mapping_scratch(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    mapped = weights.load("mapping_scratch")(_tensor(arrays, "z"), _tensor(arrays, "mask"))
    return {"y": Output(array(mapped), 1e-3, 1e-4)}


def _non_local_block(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    network = weights.load("mapping_scratch")
    assert isinstance(network, ScratchMapping)
    filled = network.NL(_tensor(arrays, "x"), _tensor(arrays, "mask"))
    return {"y": Output(array(filled), 4e-4, 3e-5)}


def _mapping_patches(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    network = weights.load("mapping_high_resolution")
    mapped = network(_tensor(arrays, "z"), _tensor(arrays, "mask"))
    return {"y": Output(array(mapped), 2e-4, 3e-5)}


def _face(weights: PseudoRandomWeights, crop_size: int) -> FaceGenerator:
    network = weights.load("face_512" if crop_size == 512 else "face_256")
    assert isinstance(network, FaceGenerator)
    return network


def _face_generator(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    image = arrays["image_u8"]
    y = _face(weights, image.shape[0])(pictures.to_network(image))
    return {
        "y": Output(array(y), 5e-5, 3e-6),
        "png_u8": levels(pictures.to_bytes((y + 1) / 2)),
    }


def _face_stem(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    small = _tensor(arrays, "small")
    network = _face(weights, 512 if small.shape[2] == 16 else 256)
    first = network.fc(small)
    return {
        "fc": Output(array(first), 2e-5),
        "head_0": Output(array(network.head_0(first, small)), 2e-5),
    }


def _face_loader(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    size = arrays["x"].shape[-1] if "x" in arrays else 256
    x = pictures.to_network(fit_to_network(arrays["image_u8"], size))
    return {"x": Output(array(x[0]), 2e-6)}


def _restore_quality(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
    pixels = steps.resize_for_quality(arrays["image_u8"])
    result = steps.restore_quality(pixels, weights)
    return {"y": Output(array(result.output), 1.5e-3, 1.5e-4), "png_u8": levels(result.pixels)}


def _restore_scratches(high_resolution: bool, largest: float, mean: float) -> Kind:
    def compute(arrays: Arrays, weights: PseudoRandomWeights) -> dict[str, Output]:
        result = steps.restore_scratches(
            arrays["image_u8"],
            arrays["mask_u8"],
            weights,
            high_resolution=high_resolution,
        )
        return {
            "hole_u8": exact(result.hole),
            "mask_used_u8": exact(result.mask),
            "y": Output(array(result.output), largest, mean),
            "png_u8": levels(result.pixels),
        }

    return Kind(("image_u8", "mask_u8"), compute)


KINDS = {
    "detection_unet": Kind(("x",), _detection_unet),
    "detection_stage": Kind(("image_u8",), _detection_stage),
    "vae_a_quality_encode": Kind(("x",), _encode),
    "vae_b_quality_decode": _decode("vae_b_quality"),
    "vae_b_scratch_decode": _decode("vae_b_scratch"),
    "mapping_quality": Kind(("z",), _mapping_quality),
    "mapping_scratch": Kind(("z", "mask"), _mapping_scratch),
    "mapping_patch_attention": Kind(("z", "mask"), _mapping_patches),
    "nonlocal_block": Kind(("x", "mask"), _non_local_block),
    "face_generator_256_stem": Kind(("small",), _face_stem),
    "face_generator_512_stem": Kind(("small",), _face_stem),
    "face_generator": Kind(("image_u8",), _face_generator),
    "face_loader_resize": Kind(("image_u8",), _face_loader),
    "restore_quality": Kind(("image_u8",), _restore_quality),
    "restore_scratch": _restore_scratches(False, 6e-3, 4e-4),
    "restore_hr": _restore_scratches(True, 1.5e-3, 1e-4),
}
