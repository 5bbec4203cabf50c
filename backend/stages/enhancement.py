"""Stage 4: enhance one aligned face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend.alignment import (
    FFHQ_TEMPLATE,
    AlignedFace,
    Crop,
    Face,
    align,
    cut_crop,
    pixels_per_crop_pixel,
)
from backend.color_fit import in_tone_of
from backend.device import MAY_BE_MEMORY, is_out_of_memory, run_at_once
from backend.geometry import Matrix
from backend.images import Mask, Pixels
from backend.monitor import Monitor
from backend.networks import Networks
from backend.precision import type_of
from backend.tiling import SMALLER_PIECES
from models.registry import Network
from models.spandrel_networks import FACE_CROP_SIZE

LARGE_FACE = 1.5
"""Pixels of the picture per pixel of the 256-crop from which the 512 network is worth its time."""


@dataclass(frozen=True)
class Views:
    """The picture in which a face lies, in two states.

    Attributes:
        color: (H, W, 1 or 3), restored; the face is enhanced in it.
        photo: (H, W, 1 or 3), as it was before.
        damage: (H, W), 255 where the photo does not show the scene.
    """

    color: Pixels
    photo: Pixels
    damage: Mask


def enhance_face(views: Views, face: Face, networks: Networks, monitor: Monitor) -> AlignedFace:
    """Cut out, align and enhance one face.

    Args:
        views: of the picture.
        face: with its landmarks.
        networks: with a model for faces, or "face_256" and perhaps "face_512".
        monitor: of this face.

    Raises:
        ValueError: the landmarks do not have the shape of a face.
    """
    if networks.uses_model("faces"):
        return _enhance_with_model(views.color, face, networks, monitor)
    name = choose_network(face, networks)
    try:
        return _enhance_with(name, views, face, networks, monitor)
    except MAY_BE_MEMORY as error:
        if not is_out_of_memory(error) or name == "face_256":
            raise
    monitor.note("memory-short", SMALLER_PIECES)
    return _enhance_with("face_256", views, face, networks, monitor)


def _enhance_with(
    name: Network, views: Views, face: Face, networks: Networks, monitor: Monitor
) -> AlignedFace:
    generator, inference = networks.face(name), networks.spec(name).inference
    to_crop = align(face, generator.crop_size)
    before = cut_crop(views.color, to_crop, generator.crop_size)
    x = _to_tensor(before) * 2 - 1
    if generator.sees_photo:
        x = torch.cat([x, _to_tensor(photo_of(views, to_crop, before)) * 2 - 1], dim=1)

    def compute() -> Tensor:
        with monitor.watching(generator):
            return redraw(generator, x, networks.device, inference).cpu()

    # A changed mask or strength elsewhere leaves a face as it was.
    y = networks.cache.get(f"{name} {type_of(generator)}", [x], compute)
    return AlignedFace(face.landmarks, to_crop, before, _to_crop(((y + 1) / 2).clamp(0, 1)))


def photo_of(views: Views, to_crop: Matrix, before: Crop) -> Crop:
    """What the photo shows of an aligned face, in the tone of the restored one.

    Args:
        views: of the picture.
        to_crop: similarity from the picture to the crop.
        before: (S, S, 3) in [0, 1], the crop of the restored picture; it stands for damaged pixels.
    """
    side = before.shape[0]
    known = 1 - cut_crop(views.damage[..., None], to_crop, side)
    photo = in_tone_of(before, cut_crop(views.photo, to_crop, side), known[..., 0])
    return np.asarray(before + known * (photo - before), np.float32)


def redraw(
    generator: nn.Module, x: Tensor, device: torch.device, inference: Mapping[str, Any]
) -> Tensor:
    """What a generator makes of aligned faces.

    Args:
        generator: on `device`.
        x: (B, 3, S, S) in [-1, 1]; (B, 6, S, S), with the photo's after the restored face, for one
            that sees both.
        device: where to run at first.
        inference: of its weights, with "residual" and perhaps "share", of what is added to the face
            then, and "mirrored": then the result is the mean over the face and its mirror image,
            whose errors differ.

    Returns:
        (B, 3, S, S) in about [-1, 1], float32, on `device`, or on the CPU where that was short of
        memory.

    Raises:
        MemoryError, RuntimeError: the computer's memory does not suffice either.

    Source:
        B. Lim et al., "Enhanced deep residual networks for single image super-resolution", CVPR
        Workshops 2017 (geometric self-ensemble).
    """
    if inference.get("mirrored", False):
        pair = run_at_once(generator, torch.cat([x, x.flip(3)]), device).float()
        face, mirrored = pair.chunk(2)
        y = (face + mirrored.flip(3)) / 2
    else:
        y = run_at_once(generator, x, device).float()
    if not inference["residual"]:
        return y
    return x[:, :3].to(y.device) + float(inference.get("share", 1.0)) * y


def _enhance_with_model(
    color: Pixels, face: Face, networks: Networks, monitor: Monitor
) -> AlignedFace:
    to_crop = align(face, FACE_CROP_SIZE, FFHQ_TEMPLATE * FACE_CROP_SIZE)
    before = cut_crop(color, to_crop, FACE_CROP_SIZE)
    y = networks.model_run("faces")([_to_tensor(before)], monitor)
    return AlignedFace(face.landmarks, to_crop, before, _to_crop(y))


def _to_tensor(crop: Crop) -> Tensor:
    return torch.from_numpy(crop).permute(2, 0, 1)[None]


def _to_crop(image: Tensor) -> Crop:
    crop: Crop = image[0].permute(1, 2, 0).float().cpu().numpy()
    return crop


def choose_network(face: Face, networks: Networks) -> Network:
    """The generator whose crop fits the face's size."""
    is_large = pixels_per_crop_pixel(align(face, 256)) > LARGE_FACE
    return "face_512" if is_large and networks.has("face_512") else "face_256"
