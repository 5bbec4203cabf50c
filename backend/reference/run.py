"""reference_restore(): the original's whole run on one page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backend.errors import InputError, WeightsError
from backend.reference import faces as face_steps
from backend.reference import pictures
from backend.reference import restoration as steps
from backend.reference.pictures import Bytes
from backend.reference.restoration import NetworkSource
from backend.results import Stage
from models.face_generator import FaceGenerator
from models.registry import Network, WeightFileError
from models.scratch_unet import ScratchUNet

# Smaller ones have a single cell in the latent, which has no neighbours to reflect at the border.
_SMALLEST_SIDE = 8

OnProgress = Callable[[Stage, float], None]


@dataclass(frozen=True)
class ReferenceFace:
    """One face: what was cut out and what was drawn instead, both (size, size, 3)."""

    crop: Bytes
    enhanced: Bytes


@dataclass(frozen=True)
class ReferenceResult:
    """The files that the original leaves behind, all but the mask with stretched contrast.

    Attributes:
        mask: (h, w) of 0..255, or None where no scratches were asked for.
        restored: (h, w, 3); sides are multiples of 16 with scratches, of 4 without.
        faces: in the detector's order.
        final: (h, w, 3), the faces put back.
    """

    mask: Bytes | None
    restored: Bytes
    faces: list[ReferenceFace]
    final: Bytes


def reference_restore(
    pixels: Bytes,
    weights: NetworkSource,
    *,
    scratches: bool,
    mask: Bytes | None = None,
    high_resolution: bool = False,
    faces: bool = True,
    on_progress: OnProgress = lambda _stage, _fraction: None,
) -> ReferenceResult:
    """Restore a photo as the original does, oddities included.

    Args:
        pixels: (H, W, 3) RGB, the photo as stored: orientation not applied.
        weights: with the original's networks, at the original's widths; where they are, it runs.
        scratches: find and repair damage.
        mask: (H, W) of 0..255, 255 = repair; replaces the detector.
        high_resolution: the original's --HR.
        faces: find and enhance faces.
        on_progress: gets a stage and its fraction in [0, 1] between steps; may raise to stop.

    Raises:
        InputError: the photo is too small for the sizes to which it is rounded, or the mask has
            another size.
        WeightsError: a weight file is missing, does not fit, or is none of the original's.
    """
    _check(pixels, mask, 16 if scratches else 4)
    try:
        # Weights of this project's own kind have no VAEs, and their detector is another network.
        weights.spec("vae_a")
        found, restored = _restore(pixels, mask, weights, on_progress, scratches, high_resolution)
        if not faces:
            return ReferenceResult(found, restored, [], restored)
        network: Network = "face_512" if high_resolution else "face_256"
        done, final = _enhance_faces(restored, weights, network, on_progress)
    except WeightFileError as error:
        raise WeightsError.of(error) from error
    return ReferenceResult(found, restored, done, final)


def _check(pixels: Bytes, mask: Bytes | None, multiple: int) -> None:
    height, width = pixels.shape[:2]
    if min(pictures.rounded_size(width, height, multiple=multiple)) < _SMALLEST_SIDE:
        raise InputError(
            f"The photo has {width} x {height} pixels, too few for the reference run, which rounds "
            f"them to multiples of {multiple}: restore it without --reference.",
            code="too-small",
        )
    if mask is not None and mask.shape != (height, width):
        raise InputError(
            f"The mask has {mask.shape[1]} x {mask.shape[0]} pixels and the photo "
            f"{width} x {height}: give a mask of the photo's size.",
            code="mask-size",
        )


def _restore(
    pixels: Bytes,
    mask: Bytes | None,
    weights: NetworkSource,
    report: OnProgress,
    scratches: bool,
    high_resolution: bool,
) -> tuple[Bytes | None, Bytes]:
    """The mask, given or detected, and the restored picture."""
    found = None
    if scratches:
        report("scratches", 0.0)
        pixels = steps.resize_for_scratches(pixels)
        if mask is not None:
            found = steps.resize_mask(mask, pixels.shape[:2])
        else:
            network = weights.load("detection")
            assert isinstance(network, ScratchUNet)
            found = steps.detect_scratches(pixels, network).mask
        report("scratches", 1.0)
    report("restoration", 0.0)
    if found is None:
        restoration = steps.restore_quality(steps.resize_for_quality(pixels), weights)
    else:
        restoration = steps.restore_scratches(
            pixels, found, weights, high_resolution=high_resolution
        )
    report("restoration", 1.0)
    return found, restoration.pixels


def _enhance_faces(
    restored: Bytes,
    weights: NetworkSource,
    name: Network,
    report: OnProgress,
) -> tuple[list[ReferenceFace], Bytes]:
    """Enhance every face found, then put them back one after the other."""
    report("faces", 0.0)
    landmarks = face_steps.find_landmarks(restored)
    report("faces", 1.0)
    if not landmarks:
        return [], restored
    network = weights.load(name)
    assert isinstance(network, FaceGenerator)
    size = network.crop_size
    matrices = [face_steps.alignment(face_steps.five_points(points), size) for points in landmarks]
    done = []
    for index, matrix in enumerate(matrices):
        report("enhancement", index / len(matrices))
        crop = face_steps.crop_face(restored, matrix, size)
        done.append(ReferenceFace(crop, face_steps.enhance_face(crop, network)))
    final = restored.astype(np.float64)
    for index, (matrix, face) in enumerate(zip(matrices, done, strict=True)):
        report("blending", index / len(matrices))
        final = face_steps.blend_face(final, restored, matrix, face.enhanced)
    report("blending", 1.0)
    return done, face_steps.to_bytes(final)
