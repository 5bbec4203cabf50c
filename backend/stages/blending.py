"""Stage 5: put an enhanced face back into the picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from skimage.exposure import match_histograms

from backend.alignment import crop_box, moved, pixels_per_crop_pixel
from backend.geometry import Box, Matrix, Size
from backend.images import Mask, Pixels, as_depth, level_count
from backend.tensors import LUMINANCE

FEATHER = 0.12
"""Width of the soft edge as a share of the crop, so that it scales with the face."""


def blend_face(
    color: Pixels,
    to_crop: Matrix,
    before: npt.NDArray[np.float32],
    after: npt.NDArray[np.float32],
    *,
    gray: bool,
) -> tuple[Pixels, Mask, Box]:
    """Make the layer of one face.

    The network's change is added to the picture rather than the crop pasted over it: where a face
    is larger than its crop, the picture's finer detail stays.

    Args:
        color: (H, W, 1 or 3), the picture with all layers below this one.
        to_crop: similarity from the picture to the crop.
        before: (S, S, 3) in [0, 1], the crop of the picture.
        after: (S, S, 3) in [0, 1], the enhanced crop.
        gray: change all channels alike.

    Returns:
        (h, w, 1 or 3) pixels, (h, w) mask, and the box where they lie.
    """
    crop_size = before.shape[0]
    box = crop_box(to_crop, crop_size).clipped(Size(color.shape[1], color.shape[0]))
    to_box = moved(to_crop, box)
    change = color_matched(before, after, gray=gray) - (_gray(before) if gray else before)
    scale = pixels_per_crop_pixel(to_crop)
    if scale < 1:
        # The crop is reduced on its way back; see cut_crop.
        sigma = 0.5 * float(np.sqrt(scale**-2 - 1))
        change = np.asarray(cv2.GaussianBlur(change, (0, 0), sigma), np.float32)
        change = change.reshape(crop_size, crop_size, -1)
    change = _warped_back(change, to_box, box.size, cv2.INTER_CUBIC)
    mask = _warped_back(feathered_square(crop_size), to_box, box.size, cv2.INTER_LINEAR)
    top = level_count(color)
    below = color[box.slices]
    pixels = np.round(below + change * top).clip(0, top)
    return as_depth(pixels, color), np.round(mask[..., 0] * 255).astype(np.uint8), box


def color_matched(
    before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], *, gray: bool
) -> npt.NDArray[np.float32]:
    """Give `after` the histogram of `before` in each channel: (S, S, 3), or (S, S, 1) for gray."""
    if gray:
        before, after = _gray(before), _gray(after)
    return np.asarray(match_histograms(after, before, channel_axis=-1), dtype=np.float32)


def _gray(crop: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(crop @ np.array(LUMINANCE, dtype=np.float32)[:, None], dtype=np.float32)


def feathered_square(crop_size: int) -> npt.NDArray[np.float32]:
    """(S, S, 1): 1 inside, falling smoothly to 0 at the crop's edge."""
    distance = np.minimum(np.arange(crop_size) + 0.5, np.arange(crop_size)[::-1] + 0.5)
    ramp = np.clip(distance / (FEATHER * crop_size), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.outer(ramp, ramp)[..., None].astype(np.float32)


def _warped_back(
    crop: npt.NDArray[np.float32], to_crop: Matrix, size: Size, method: int
) -> npt.NDArray[np.float32]:
    warped = cv2.warpAffine(
        crop,
        to_crop,
        (size.width, size.height),
        flags=method | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(warped, dtype=np.float32).reshape(*size.shape, -1)
