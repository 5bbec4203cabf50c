"""The original's first stage: find scratches, restore the whole picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from PIL import Image
from torch import Tensor

from backend.device import device_of
from backend.planned import Modules, stream_as_memory_allows
from backend.reference import pictures
from backend.reference.pictures import Bytes
from backend.streaming.stream import Plan
from models.latent_mapping import HighResolutionMapping, QualityMapping, ScratchMapping
from models.registry import ModelSpec, Network
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet

THRESHOLD = 0.4

LARGEST_AT_ONCE = 2**20
"""Pixels up to which the networks see a picture at once, as in the original; larger ones are
streamed, which gives the same up to rounding."""


class NetworkSource(Protocol):
    """What gives networks, on the device where they are to run: a models.loading.WeightSet, or
    something that keeps them warm."""

    def spec(self, network: Network) -> ModelSpec: ...

    def load(self, network: Network) -> torch.nn.Module: ...


@dataclass(frozen=True)
class Detection:
    """What the detector saw and found.

    Attributes:
        scaled: (1, 1, h, w) in [-1, 1], the network's input.
        probability: (1, 1, h, w), its output.
        mask: (H, W) of 0 or 255 at the size of the picture; black where all or nothing is damaged.
    """

    scaled: Tensor
    probability: Tensor
    mask: Bytes


@torch.no_grad()
def detect_scratches(pixels: Bytes, network: ScratchUNet) -> Detection:
    """Find damage in (H, W, 3)."""
    gray = pictures.to_network(pictures.to_gray(pixels))  # (1, 1, H, W)
    scaled = pictures.scale_for_detection(gray).to(device_of(network))
    probability = torch.sigmoid(network(scaled))
    full = F.interpolate(probability, pixels.shape[:2], mode="nearest")
    mask = pictures.stretch_to_bytes((full >= THRESHOLD).to(torch.float32))[..., 0]
    return Detection(scaled.cpu(), probability.cpu(), mask)


def resize_for_scratches(pixels: Bytes) -> Bytes:
    """(H, W, 3) to sides that are multiples of 16, bicubic."""
    width, height = pictures.rounded_size(pixels.shape[1], pixels.shape[0], multiple=16)
    return pictures.resize(pixels, width, height, Image.Resampling.BICUBIC)


def resize_mask(mask: Bytes, shape: tuple[int, int]) -> Bytes:
    """(H, W) to (height, width), nearest: a given mask follows the resized photo."""
    return pictures.resize(mask, shape[1], shape[0], Image.Resampling.NEAREST)


def resize_for_quality(pixels: Bytes) -> Bytes:
    """(H, W, 3) to sides that are multiples of 4, bilinear."""
    width, height = pictures.rounded_size(pixels.shape[1], pixels.shape[0], multiple=4)
    return pictures.resize(pixels, width, height, Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class Restoration:
    """One pass through encoder, mapping and decoder.

    Attributes:
        hole: (H, W, 3) what was encoded.
        mask: (H, W) what the mapping was told.
        output: (1, 3, H, W) in [-1, 1].
    """

    hole: Bytes
    mask: Bytes
    output: Tensor

    @property
    def pixels(self) -> Bytes:
        """The file that the original writes and that its later stages read."""
        return pictures.stretch_to_bytes((self.output + 1) / 2)


@torch.no_grad()
def restore_quality(pixels: Bytes, source: NetworkSource) -> Restoration:
    """Restore (H, W, 3) without a mask."""
    modules = _load(source, "mapping_quality", "vae_b_quality")
    nothing = np.zeros(pixels.shape[:2], np.uint8)
    return Restoration(pixels, nothing, _run(modules, pixels, nothing))


@torch.no_grad()
def restore_scratches(
    pixels: Bytes, mask: Bytes, source: NetworkSource, *, high_resolution: bool = False
) -> Restoration:
    """Restore (H, W, 3) and repair what mask (H, W) of 0..255 marks."""
    name: Network = "mapping_high_resolution" if high_resolution else "mapping_scratch"
    modules = _load(source, name, "vae_b_scratch")
    if high_resolution:
        mask = pictures.dilate(mask)
    hole = pictures.paint_white(pixels, mask)
    return Restoration(hole, mask, _run(modules, hole, mask))


def _run(modules: Modules, pixels: Bytes, mask: Bytes) -> Tensor:
    """(1, 3, H, W) in [-1, 1], at once, or where that takes much memory streamed."""
    x, marked = pictures.to_network(pixels), pictures.to_mask(mask)
    device = device_of(modules.encoder)
    if mask.size > LARGEST_AT_ONCE:
        found = stream_as_memory_allows(modules, x, marked, Plan(device), lambda _: None)
        if found is None:
            raise MemoryError
        return found.picture
    latent = modules.encoder.encode(x.to(device))
    return modules.decoder.decode(modules.map(latent, marked.to(device))).cpu()


def _load(source: NetworkSource, mapping: Network, decoder: Network) -> Modules:
    encoder, middle, last = (source.load(name) for name in ("vae_a", mapping, decoder))
    assert isinstance(encoder, RestorationVAE)
    assert isinstance(middle, QualityMapping | ScratchMapping | HighResolutionMapping)
    assert isinstance(last, RestorationVAE)
    return Modules(encoder, middle, last)
