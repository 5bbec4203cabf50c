"""Faces: where they are, and how they are turned and scaled onto fixed points."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from backend.geometry import Box, Landmarks, Matrix, Size, estimate_similarity, invert, transform
from backend.images import Mask, Pixels, level_count

Crop: TypeAlias = npt.NDArray[np.float32]
"""(S, S, 3) RGB in [0, 1], a face turned and scaled onto the template."""

TEMPLATE: Landmarks = np.array(
    [
        [-0.234375, -0.1171875],  # middle of the left eye
        [0.234375, -0.1171875],  # middle of the right eye
        [0.0, 0.1171875],  # tip of the nose
        [-0.140625, 0.4078125],  # left corner of the mouth
        [0.140625, 0.4078125],  # right corner of the mouth
    ]
)
"""Five points of the crops that all known face weights were trained on, as (x, y) in [-1, 1].

Source: the constants of the original implementation of Wan et al., TPAMI 2022, section 3.5.
"""

TEMPLATE_SCALE = 1.3

FFHQ_TEMPLATE: Landmarks = (
    np.array(
        [
            [192.98138, 239.94708],
            [318.90277, 240.1936],
            [256.63416, 314.01935],
            [201.26117, 371.41043],
            [313.08905, 371.15118],
        ]
    )
    / 512
)
"""The same five points in crops like those of the FFHQ photos, as (x, y) in [0, 1]: GFPGAN,
RestoreFormer and other networks with a StyleGAN's knowledge of faces were trained on them.

Source: the average of the FFHQ photos at 512 pixels, as facexlib publishes it.
"""

LEFT_EYE, RIGHT_EYE, NOSE_TIP, MOUTH_CORNERS = (36, 39), (42, 45), 30, (48, 54)

FEATURES = (
    [*range(17, 22), *range(36, 42)],  # left brow and eye
    [*range(22, 27), *range(42, 48)],  # right brow and eye
    [*range(27, 36)],  # nose
    [*range(48, 68)],  # mouth
)
FEATURE_MARGIN = 1.4
"""Landmarks outline a feature tightly; with lashes and shadows it is this much larger."""

SMALL_FACE = 64
"""Width in pixels of faces that are spared as a whole: each feature is a few pixels only."""

LARGEST_MISFIT = 0.12
"""Root mean square distance of the five points from the template, as a share of the crop. Real
faces, also in half profile, stay below 0.07."""


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        box: around its features, as the detector draws it; it may cross the border.
        landmarks: (68, 2), in the order of the iBUG 300-W annotation.
    """

    box: Box
    landmarks: Landmarks


@dataclass(frozen=True)
class AlignedFace:
    """A face before and after enhancement.

    Attributes:
        landmarks: (68, 2) in the picture.
        to_crop: similarity from the picture to the crop.
        before: the aligned crop of the picture.
        after: what a network made of it.
    """

    landmarks: Landmarks
    to_crop: Matrix
    before: Crop
    after: Crop


def feature_areas(faces: Iterable[Face], size: Size) -> Mask:
    """Where eyes, noses, mouths and small faces are: (H, W), 255 there and 0 elsewhere."""
    areas = np.zeros(size.shape, dtype=np.uint8)
    for face in faces:
        for indices in FEATURES if face.box.size.width >= SMALL_FACE else [range(68)]:
            points = face.landmarks[list(indices)]
            middle = points.mean(axis=0)
            outline = cv2.convexHull((middle + (points - middle) * FEATURE_MARGIN).astype(np.int32))
            cv2.fillConvexPoly(areas, outline, 255)
    return areas


def five_points(landmarks: Landmarks) -> Landmarks:
    """The eye middles, nose tip and mouth corners of (68, 2) landmarks, as (5, 2)."""
    eyes = [landmarks[list(corners)].mean(axis=0) for corners in (LEFT_EYE, RIGHT_EYE)]
    mouth = [landmarks[corner] for corner in MOUTH_CORNERS]
    return np.array([*eyes, landmarks[NOSE_TIP], *mouth], dtype=np.float64)


def template_points(crop_size: int) -> Landmarks:
    """The five points, (5, 2), in a square crop of `crop_size` pixels."""
    return (TEMPLATE * TEMPLATE_SCALE + 1) / 2 * crop_size


def align(face: Face, crop_size: int, template: Landmarks | None = None) -> Matrix:
    """The similarity that carries the picture onto a crop of `crop_size` pixels.

    Args:
        face: with its landmarks.
        crop_size: side of the square crop.
        template: (5, 2), where the five points shall lie in it; None takes `template_points`.

    Raises:
        ValueError: the landmarks are no face: they coincide or are far from the template's shape.
    """
    points = five_points(face.landmarks)
    template = template_points(crop_size) if template is None else template
    to_picture = estimate_similarity(template, points)
    if abs(np.linalg.det(to_picture[:, :2])) < 1e-6:
        raise ValueError("The landmarks coincide.")
    to_crop = invert(to_picture)
    misfit = np.sqrt(((transform(to_crop, points) - template) ** 2).sum(axis=1).mean())
    if misfit > LARGEST_MISFIT * crop_size:
        raise ValueError("The landmarks do not have the shape of a face.")
    return to_crop


def pixels_per_crop_pixel(to_crop: Matrix) -> float:
    """How many pixels of the picture one pixel of the crop stands for, along a side."""
    return float(1 / np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))


def crop_box(to_crop: Matrix, crop_size: int) -> Box:
    """The box, in the picture, around a crop; it may cross the border."""
    last = crop_size - 0.5
    corners = np.array([[-0.5, -0.5], [last, -0.5], [last, last], [-0.5, last]])
    outline = transform(invert(to_crop), corners)
    x0, y0 = np.floor(outline.min(axis=0)).astype(int)
    x1, y1 = np.ceil(outline.max(axis=0)).astype(int) + 1
    return Box(int(x0), int(y0), int(x1), int(y1))


def moved(to_crop: Matrix, box: Box) -> Matrix:
    """The same alignment for a picture that was cut out at `box`."""
    shifted = to_crop.copy()
    shifted[:, 2] += to_crop[:, :2] @ (box.x0, box.y0)
    return shifted


def cut_crop(color: Pixels, to_crop: Matrix, crop_size: int) -> Crop:
    """Cut an aligned square out of a picture; beyond the border the picture is reflected."""
    size = Size(color.shape[1], color.shape[0])
    scale = pixels_per_crop_pixel(to_crop)
    box = crop_box(to_crop, crop_size).grown(4 + round(2 * scale)).clipped(size)
    region: Any = color[box.slices].astype(np.float32) / np.float32(level_count(color))
    if scale > 1:
        # Detail finer than the crop's pixels would come out as false patterns.
        region = cv2.GaussianBlur(region, (0, 0), 0.5 * float(np.sqrt(scale**2 - 1)))
    warped = cv2.warpAffine(
        region.reshape(*box.size.shape, -1),
        moved(to_crop, box),
        (crop_size, crop_size),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    crop = np.clip(warped.reshape(crop_size, crop_size, -1), 0, 1)
    return np.array(np.broadcast_to(crop, (crop_size, crop_size, 3)), dtype=np.float32)
