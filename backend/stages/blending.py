"""Stage 5: put an enhanced face back into the picture."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.exposure import match_histograms

from backend.alignment import AlignedFace, crop_box, moved, pixels_per_crop_pixel
from backend.geometry import Box, Landmarks, Matrix, Size, transform
from backend.grain import Floats, with_grain
from backend.images import Mask, Pixels, as_depth, level_count
from backend.tensors import LUMINANCE

FEATHER = 0.12
"""Width of the soft edge as a share of the crop, so that it scales with the face."""

MARGIN = 1.35
"""How much larger than the landmarks' outline the changed area is: with hairline and jaw, but
without what lies behind the head, and without the neighbour's cheek."""


def blend_face(
    color: Pixels,
    face: AlignedFace,
    *,
    gray: bool,
    strength: float = 1.0,
) -> tuple[Pixels, Mask, Box]:
    """Make the layer of one face.

    The network's change is added to the picture rather than the crop pasted over it: where a face
    is larger than its crop, the picture's finer detail stays.

    Args:
        color: (H, W, 1 or 3), the picture with all layers below this one.
        face: before and after.
        gray: change all channels alike.
        strength: share of the change that is applied, in [0, 1].

    Returns:
        (h, w, 1 or 3) pixels, (h, w) mask, and the box where they lie.
    """
    to_crop, before, crop_size = face.to_crop, face.before, face.before.shape[0]
    box = crop_box(to_crop, crop_size).clipped(Size(color.shape[1], color.shape[0]))
    to_box = moved(to_crop, box)
    matched = color_matched(before, with_grain(before, face.after), gray=gray)
    change = strength * (matched - (_gray(before) if gray else before))
    scale = pixels_per_crop_pixel(to_crop)
    if scale < 1:
        # The crop is reduced on its way back; see cut_crop.
        sigma = 0.5 * float(np.sqrt(scale**-2 - 1))
        change = np.asarray(cv2.GaussianBlur(change, (0, 0), sigma), np.float32)
        change = change.reshape(crop_size, crop_size, -1)
    change = _warped_back(change, to_box, box.size, cv2.INTER_CUBIC)
    outline = feathered_outline(transform(to_crop, face.landmarks), crop_size)
    mask = _warped_back(outline, to_box, box.size, cv2.INTER_LINEAR)
    top = level_count(color)
    below = color[box.slices]
    pixels = np.round(below + change * top).clip(0, top)
    return as_depth(pixels, color), np.round(mask[..., 0] * 255).astype(np.uint8), box


def color_matched(before: Floats, after: Floats, *, gray: bool) -> Floats:
    """Give `after` the histogram of `before` in each channel: (S, S, 3), or (S, S, 1) for gray."""
    if gray:
        before, after = _gray(before), _gray(after)
    return np.asarray(match_histograms(after, before, channel_axis=-1), dtype=np.float32)


def _gray(crop: Floats) -> Floats:
    return np.asarray(crop @ np.array(LUMINANCE, dtype=np.float32)[:, None], dtype=np.float32)


def feathered_square(crop_size: int) -> Floats:
    """(S, S, 1): 1 inside, falling smoothly to 0 at the crop's edge."""
    distance = np.minimum(np.arange(crop_size) + 0.5, np.arange(crop_size)[::-1] + 0.5)
    ramp = np.clip(distance / (FEATHER * crop_size), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.outer(ramp, ramp)[..., None].astype(np.float32)


def feathered_outline(landmarks: Landmarks, crop_size: int) -> Floats:
    """(S, S, 1): 1 on the face, falling smoothly to 0 around it and at the crop's edge.

    Args:
        landmarks: (68, 2) in the crop.
    """
    jaw, brows = landmarks[:17], landmarks[17:27]
    # Landmarks end at the brows; the forehead is about as high as brows and nose are apart, and
    # narrower at the hairline.
    between = brows.mean(axis=0)
    forehead = between + 0.7 * (brows - between) + (between - landmarks[30])
    points = np.concatenate([jaw, brows, forehead])
    middle = points.mean(axis=0)
    outline = cv2.convexHull((middle + MARGIN * (points - middle)).astype(np.float32))
    area = np.zeros((crop_size, crop_size), np.float32)
    cv2.fillConvexPoly(area, np.round(outline).astype(np.int32), 1.0, cv2.LINE_AA)
    # A blur of half the feather on either side of the outline.
    soft = np.asarray(cv2.GaussianBlur(area, (0, 0), FEATHER * crop_size / 4), dtype=np.float32)
    return soft[..., None] * feathered_square(crop_size)


def _warped_back(crop: Floats, to_crop: Matrix, size: Size, method: int) -> Floats:
    warped = cv2.warpAffine(
        crop,
        to_crop,
        (size.width, size.height),
        flags=method | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(warped, dtype=np.float32).reshape(*size.shape, -1)
