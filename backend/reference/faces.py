"""The original's stages two to four: crop faces, enhance them, put them back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from skimage.transform import SimilarityTransform, warp

from backend.device import device_of
from backend.face_finder import FaceFinder
from backend.reference import pictures
from backend.reference.pictures import Bytes
from models.face_generator import FaceGenerator

Floats = npt.NDArray[np.float64]

# Eyes, nose tip and mouth corners of the aligned face: in [-1, 1] before the scale below.
TEMPLATE = (
    np.array([[196, 226], [316, 226], [256, 286], [220, 360.4], [292, 360.4]], np.float32) / 256 - 1
)
# How much of the crop the template fills; a larger face shows less around it.
_TEMPLATE_SCALE = 1.3

# Numbers of the 68 landmarks: corners of the left and of the right eye, nose tip, mouth corners.
_LEFT_EYE, _RIGHT_EYE = (36, 39), (42, 45)
_NOSE, _MOUTH = 30, (48, 54)


def find_landmarks(pixels: Bytes) -> list[npt.NDArray[np.int64]]:
    """The 68 landmarks (68, 2) of each face in (H, W, 3), in the detector's order.

    Raises:
        WeightsError: dlib or its landmark model is not installed.
    """
    finder = FaceFinder()
    boxes = [box for _, box in finder.find_boxes(pixels, 0.0)]  # dlib takes colours, too
    return [finder.find_landmarks(pixels, box).astype(np.int64) for box in boxes]


def five_points(landmarks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(68, 2) whole pixels -> (5, 2); the centres of the eyes are cut off towards zero."""
    eyes = [
        [int((landmarks[a, axis] + landmarks[b, axis]) / 2) for axis in (0, 1)]
        for a, b in (_LEFT_EYE, _RIGHT_EYE)
    ]
    return np.array([*eyes, landmarks[_NOSE], landmarks[_MOUTH[0]], landmarks[_MOUTH[1]]])


def template(size: int) -> npt.NDArray[np.float32]:
    """The five points in a crop of size x size; single precision, which shows in the matrices."""
    return np.asarray((TEMPLATE * _TEMPLATE_SCALE + 1) / 2 * float(size), dtype=np.float32)


def fit_similarity(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> Floats:
    """(3, 3) similarity that carries source points onto target points, in their own precision."""
    if hasattr(SimilarityTransform, "from_estimate"):
        return np.asarray(SimilarityTransform.from_estimate(source, target).params)
    transform = SimilarityTransform()  # scikit-image before 0.26
    transform.estimate(source, target)
    return np.asarray(transform.params)


def alignment(points: npt.NDArray[np.int64], size: int) -> Floats:
    """(3, 3) from a crop of size x size to the picture, for (5, 2) points in the picture."""
    return fit_similarity(template(size), points)


def crop_face(pixels: Bytes, matrix: Floats, size: int) -> Bytes:
    """The aligned face (size, size, 3), rounded; black where the picture ends."""
    unit = warp(pixels, matrix, output_shape=(size, size, 3))
    return np.asarray(np.rint(np.clip(unit, 0, 1) * 255), dtype=np.uint8)


@torch.no_grad()
def enhance_face(crop: Bytes, network: FaceGenerator) -> Bytes:
    """Redraw (size, size, 3)."""
    x = pictures.to_network(fit_to_network(crop, network.crop_size)).to(device_of(network))
    return pictures.to_bytes((network(x).cpu() + 1) / 2)


def fit_to_network(crop: Bytes, size: int) -> Bytes:
    """Bring any (h, w, 3) to (size, size, 3), bicubic, without keeping the aspect."""
    return pictures.resize(crop, size, size, Image.Resampling.BICUBIC)


def to_bytes(levels: Floats) -> Bytes:
    """(H, W, 3) in [0, 255] -> 8 bits, rounded to nearest."""
    return np.asarray(np.rint(np.clip(levels, 0, 255)), dtype=np.uint8)


def blend_face(below: Floats, pixels: Bytes, matrix: Floats, face: Bytes) -> Floats:
    """Put an enhanced face back.

    Args:
        below: (H, W, 3) in [0, 255], the picture with the faces so far.
        pixels: (H, W, 3) the picture without any; colours are matched to it.
        matrix: from the crop to the picture.
        face: (size, size, 3).

    Returns:
        (H, W, 3) in [0, 255].
    """
    matched = match_histograms(face, crop_for_colours(pixels, matrix, face.shape[0]))
    back, mask = warp_back(matched, pixels.shape[:2], matrix)
    return blend_blurred(back, below, mask) * 255


def crop_for_colours(pixels: Bytes, matrix: Floats, size: int) -> Bytes:
    """Like crop_face, but cut off instead of rounded."""
    levels = warp(pixels, matrix, output_shape=(size, size, 3), preserve_range=True)
    return np.asarray(levels.astype(np.uint8))


def inside_picture(shape: tuple[int, int], matrix: Floats, size: int) -> Bytes:
    """(size, size): 1 where the crop shows the picture of (height, width), 0 outside of it."""
    everywhere = np.ones(shape, np.uint8)
    inside = warp(everywhere, matrix, output_shape=(size, size), order=0, preserve_range=True)
    return np.asarray(inside, np.uint8)


def warp_back(face: Bytes, shape: tuple[int, int], matrix: Floats) -> tuple[Floats, Floats]:
    """The face (H, W, 3) in [0, 255] in the picture's place, and where it lies: (H, W), 0 or 1."""
    inverse = np.linalg.inv(matrix)
    inside = inside_picture(shape, matrix, face.shape[0])
    back = warp(face, inverse, output_shape=shape, order=3, preserve_range=True)
    mask = warp(inside, inverse, output_shape=shape, order=0, preserve_range=True)
    return np.asarray(back, np.float64), np.asarray(mask, np.float64)


def blend_blurred(above: npt.NDArray[Any], below: npt.NDArray[Any], mask: Floats) -> Floats:
    """Blend two (H, W, 3) in [0, 255] by a mask (H, W) of 0 or 1, shrunk and blurred.

    The margins are pixels of the picture whatever the face's size: 12 are lost, except at the
    frame, and 25 blurred, so that small faces vanish.

    Returns:
        (H, W, 3) in [0, 1].
    """
    shrunk = cv2.erode(mask * 255.0, np.ones((9, 9), np.uint8), iterations=3)
    share = cv2.GaussianBlur(shrunk, (25, 25), 0)[..., None] / 255.0
    blended = (above * share + (1 - share) * below) / 255.0
    return np.asarray(np.clip(blended, 0.0, 1.0))


def match_histograms(source: Bytes, reference: Bytes) -> Bytes:
    """Give source (h, w, 3) the distribution of levels of reference, channel by channel."""
    channels = [
        lookup_table(cumulative(source[..., c]), cumulative(reference[..., c]))[source[..., c]]
        for c in range(3)
    ]
    return np.stack(channels, axis=-1).astype(np.uint8)


def cumulative(channel: Bytes) -> Floats:
    """Share of the samples at or below each of the 256 levels."""
    sums = np.bincount(channel.ravel(), minlength=256).cumsum()
    return sums / float(sums.max())


def lookup_table(source: Floats, reference: Floats) -> npt.NDArray[np.int64]:
    """For each level the first one that the reference has reached as large a share at."""
    return np.searchsorted(reference, source, side="left")
