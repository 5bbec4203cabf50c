"""Pairs that look at the steps around the networks: sizes, files, colours, faces."""

from __future__ import annotations

from itertools import count
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter

from backend.reference import faces, pictures
from models.parity_outputs import Arrays, Kind, Output, array, exact, levels
from models.pseudo_random import PseudoRandomWeights

# Matrices are solved in double precision.
_MATRIX = 1e-9
# A mask may differ where a coordinate lies half way between two pixels.
_MASK_SHARE = 1e-4
_STORED_STRIDE = 3


def _numbers(arrays: Arrays, prefix: str) -> list[int]:
    """How far a pair counts: [0, 1] for x_0 and x_1."""
    found: list[int] = []
    for number in count():
        if f"{prefix}{number}" not in arrays and f"{prefix}{number}_u8" not in arrays:
            return found
        found.append(number)
    return found


def _matrix(values: npt.NDArray[Any]) -> Output:
    return Output(values, _MATRIX, relative=True)


def _resizing(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    rules = {
        "test_full": (4, None, Image.Resampling.BILINEAR),
        "test_scale": (4, pictures.SHORT_SIDE, Image.Resampling.BILINEAR),
        "det_full": (16, None, Image.Resampling.BICUBIC),
        "det_scale256": (16, pictures.SHORT_SIDE, Image.Resampling.BICUBIC),
    }
    outputs = {}
    for number in _numbers(arrays, "in_"):
        pixels = arrays[f"in_{number}"]
        for rule, (multiple, short_side, method) in rules.items():
            width, height = pictures.rounded_size(
                pixels.shape[1], pixels.shape[0], multiple=multiple, short_side=short_side
            )
            if width and height:
                resized = pictures.resize(pixels, width, height, method)
                outputs[f"{rule}_{number}"] = exact(resized)
    return outputs


def _scaling(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    outputs = {}
    for number in _numbers(arrays, "x_"):
        y = array(pictures.scale_for_detection(torch.from_numpy(arrays[f"x_{number}"])))
        outputs[f"y_shape_{number}"] = exact(np.array(y.shape))
        stored = arrays.get(f"y_{number}", y)
        thinned = y[:, :, ::_STORED_STRIDE, ::_STORED_STRIDE]
        outputs[f"y_{number}"] = Output(thinned if thinned.shape == stored.shape else y, 2e-6)
    return outputs


def _saving(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    outputs = {
        f"png_{number}": levels(
            pictures.stretch_to_bytes((torch.from_numpy(arrays[f"x_{number}"]) + 1) / 2), 1e-4
        )
        for number in _numbers(arrays, "x_")
    }
    for value in (0, 1):
        constant = torch.full((1, 3, 8, 8), float(value))
        outputs[f"mask_const_{value}_png"] = exact(pictures.stretch_to_bytes(constant))
    return outputs


def _holes(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    pixels, mask = arrays["image_u8"], arrays["mask_u8"]
    outputs = {
        "hole_binary": exact(pictures.paint_white(pixels, mask)),
        "dilated3": exact(pictures.dilate(mask)),
    }
    if "mask_gray_u8" in arrays:
        outputs["hole_gray"] = exact(pictures.paint_white(pixels, arrays["mask_gray_u8"]))
    return outputs


def _histograms(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    outputs = {}
    for number in _numbers(arrays, "src_"):
        source, reference = arrays[f"src_{number}_u8"], arrays[f"ref_{number}_u8"]
        outputs[f"matched_{number}_u8"] = exact(faces.match_histograms(source, reference))
        for channel in range(3):
            shares = [faces.cumulative(p[..., channel]) for p in (source, reference)]
            outputs[f"lookup_{number}_{channel}"] = exact(faces.lookup_table(*shares))
        first = [faces.cumulative(picture[..., 0]) for picture in (source, reference)]
        outputs[f"src_cdf_{number}"], outputs[f"ref_cdf_{number}"] = map(exact, first)
    return outputs


def _blurred_blending(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    above, below, mask = arrays["im1_u8"], arrays["im2_u8"], arrays["mask_u8"]
    return {
        "cv2": Output(faces.blend_blurred(above, below, mask.astype(np.float64)), 1e-6),
        "pil": Output(_blend_with_pillow(above, below, mask), 1 / 255, 1e-3),
    }


def _blend_with_pillow(
    above: pictures.Bytes, below: pictures.Bytes, mask: pictures.Bytes
) -> faces.Floats:
    """The original's other blending, which its run never uses."""
    shrunk = Image.fromarray(np.asarray(cv2.erode(mask * 255, np.ones((10, 10), np.uint8))))
    under = Image.fromarray(below)
    hard = Image.composite(Image.fromarray(above), under, shrunk)
    soft = Image.composite(hard, under, shrunk.filter(ImageFilter.GaussianBlur(20)))
    return np.asarray(soft) / 255


def _alignment(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    points = [faces.five_points(landmarks) for landmarks in arrays["landmarks68"]]
    outputs = {
        "five_points": exact(np.stack(points)),
        "standard_face_pts": Output(faces.TEMPLATE, 1e-7),
    }
    for size in (256, 512):
        outputs[f"affine{size}"] = _matrix(np.stack([faces.alignment(p, size) for p in points]))
        back = [faces.fit_similarity(p, faces.template(size)) for p in points]
        outputs[f"inverse_estimated{size}"] = _matrix(np.stack(back))
    return outputs


def _faces(arrays: Arrays, _: PseudoRandomWeights) -> dict[str, Output]:
    """Stages 2 and 4 with drawn faces in place of enhanced ones."""
    pixels = arrays["image_u8"]
    shape = (pixels.shape[0], pixels.shape[1])
    outputs: dict[str, Output] = {}
    final: faces.Floats = pixels.astype(np.float64)
    for i, landmarks in enumerate(arrays["landmarks68"]):
        face = arrays[f"face_{i}_u8"]
        size = face.shape[0]
        points = faces.five_points(landmarks)
        matrix = faces.alignment(points, size)
        colours = faces.crop_for_colours(pixels, matrix, size)
        matched = faces.match_histograms(face, colours)
        back, lies = faces.warp_back(matched, shape, matrix)
        final = faces.blend_face(final, pixels, matrix, face)
        inside = faces.inside_picture(shape, matrix, size)
        outputs |= {
            f"five_points_{i}": exact(points),
            f"affine_stage2_{i}": _matrix(matrix),
            f"affine_inverse_{i}": _matrix(np.linalg.inv(matrix)),
            f"affine_inverse_estimated_{i}": _matrix(
                faces.fit_similarity(points, faces.template(size))
            ),
            f"crop_{i}_u8": levels(faces.crop_face(pixels, matrix, size)),
            f"aligned_trunc_{i}_u8": levels(colours),
            f"matched_{i}_u8": levels(matched),
            f"forward_mask_{i}_u8": levels(inside, _MASK_SHARE),
            f"backward_mask_{i}_u8": levels(lies, _MASK_SHARE),
            f"warped_back_{i}": Output(back, 1e-3),
            f"blended_{i}_255": Output(final, 1e-3),
        }
    return outputs | {"result_u8": levels(faces.to_bytes(final))}


KINDS = {
    "data_transforms": Kind(("in_0",), _resizing),
    "scale_tensor": Kind(("x_0",), _scaling),
    "save_image": Kind((), _saving),
    "hole_synthesize": Kind(("image_u8", "mask_u8"), _holes),
    "match_histograms": Kind(("src_0_u8", "ref_0_u8"), _histograms),
    "blur_blending": Kind(("im1_u8", "im2_u8", "mask_u8"), _blurred_blending),
    "face_alignment": Kind(("landmarks68",), _alignment),
    "stage24": Kind(("image_u8", "landmarks68"), _faces),
}
