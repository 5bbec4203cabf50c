"""Tiny checkpoints in the forms in which the original's are published, with values by rule."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import torch

from models.loading import build
from models.pseudo_random import fill
from models.registry import ModelSpec, Network, OfficialFile, WeightSource

VAE = {"width": 4, "latent_channels": 8, "residual_blocks": 1}
INFERENCE = {"hole": "white", "multiple": 4}
SPECS: dict[str, ModelSpec] = {
    "Global/checkpoints/detection/FT_Epoch_latest.pt": ModelSpec(
        "detection", "scratch_unet", {"width": 8}, {"threshold": 0.4, "short_side": 256}
    ),
    "Global/checkpoints/restoration/VAE_A_quality/latest_net_G.pth": ModelSpec(
        "vae_a", "restoration_vae", VAE, INFERENCE
    ),
    "Global/checkpoints/restoration/VAE_B_quality/latest_net_G.pth": ModelSpec(
        "vae_b_quality", "restoration_vae", VAE, INFERENCE
    ),
    "Face_Enhancement/checkpoints/Setting_9_epoch_100/latest_net_G.pth": ModelSpec(
        "face_256", "face_generator", {"width": 2, "modulation_width": 4}, {"residual": False}
    ),
}
ARCHIVE = "/release/global_checkpoints.zip"


def checkpoint(path: str) -> bytes:
    """The published file: weights by rule, for the detector among its optimiser's numbers."""
    spec = SPECS[path]
    content: dict[str, Any] = fill(build(spec).state_dict(), path.split("/")[-2])
    if spec.network == "detection":
        optimiser = {"state": {0: {"exp_avg": torch.randn(40_000)}}, "param_groups": [{"lr": 1.0}]}
        content = {"epoch": 3, "model_state": content, "optimizer_state": optimiser}
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def describe(path: str, body: bytes, *sources: WeightSource, sized: bool = True) -> OfficialFile:
    """The manifest's word on a checkpoint; without its size where nobody recorded that."""
    spec = SPECS[path]
    return OfficialFile(
        spec,
        path,
        len(body) if sized else None,
        hashlib.sha256(body).hexdigest(),
        "model_state" if spec.network == "detection" else None,
        sum(value.numel() for value in build(spec).state_dict().values()),
        sources,
    )


def path_of(network: Network) -> str:
    return next(path for path, spec in SPECS.items() if spec.network == network)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A release archive: below "checkpoints", with a comment, as many tools write them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.comment = b"checkpoints of the original"
        archive.writestr("checkpoints/", b"")
        for name, body in members.items():
            archive.writestr(name, body)
    return stream.getvalue()
