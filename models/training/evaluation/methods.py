"""What is compared: the input, a classical pipeline, and the stages of the backend."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch

from backend.geometry import Size
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.stages.filling import fill
from backend.stages.scratches import damage_probability, working_size
from backend.tensors import luminance
from backend.whole_picture import restore_whole_picture
from models.training.datasets import as_tensor, from_bgr
from models.training.degradations.marks import ByteArray, FloatArray

Repair = Callable[[FloatArray, ByteArray], FloatArray]
"""(H, W, 3) picture and (H, W) mask, 1 on damage -> (H, W, 3)."""


def unchanged(image: FloatArray, damage: ByteArray) -> FloatArray:
    """The input as it is."""
    del damage
    return image


def telea(image: FloatArray, damage: ByteArray) -> FloatArray:
    """OpenCV's inpainting by fast marching, radius 3."""
    levels = np.round(image * 255).astype(np.uint8)
    return from_bgr(cv2.inpaint(levels, damage, 3, cv2.INPAINT_TELEA)[..., ::-1])


def one_after_the_other(image: FloatArray, damage: ByteArray) -> FloatArray:
    """Telea, then non-local means."""
    levels = np.round(telea(image, damage) * 255).astype(np.uint8)
    return from_bgr(cv2.fastNlMeansDenoisingColored(levels, None, 5, 5, 7, 21)[..., ::-1])


def classical(image: FloatArray, damage: ByteArray) -> FloatArray:
    """Telea, non-local means and a percentile stretch, as somebody with OpenCV would do it."""
    smooth = one_after_the_other(image, damage)
    low, high = np.percentile(smooth, (0.5, 99.5))
    return np.asarray(np.clip((smooth - low) / max(high - low, 1e-3), 0, 1), dtype=np.float32)


def silent_monitor() -> Monitor:
    """A monitor that tells nobody and is never cancelled."""
    return Monitor("restoration", lambda _: None, lambda: False)


def ours(networks: Networks, options: Options | None = None) -> Repair:
    """The second stage of the backend with all it does for the whole picture.

    Args:
        options: what of it to do; None: all.
    """

    def repair(image: FloatArray, damage: ByteArray) -> FloatArray:
        hole = np.asarray(damage * 255, dtype=np.uint8)
        x = as_tensor(image)[None]
        with torch.inference_mode():
            filled = fill(x, hole, networks, silent_monitor())
            output = restore_whole_picture(
                x, filled, hole, options or Options(), networks, silent_monitor()
            )
        return np.asarray(output[0].permute(1, 2, 0).clamp(0, 1).numpy(), dtype=np.float32)

    return repair


def gray_of(image: FloatArray) -> FloatArray:
    """(H, W, 3) -> (H, W), luminance."""
    return np.asarray(luminance(as_tensor(image)[None])[0, 0].numpy(), np.float32)


def damage_map(image: FloatArray, networks: Networks, short_side: int | None = None) -> FloatArray:
    """The detector's probability for each pixel.

    Args:
        image: (H, W, 3).
        short_side: working size; None takes the weights' own.
    """
    height, width = image.shape[:2]
    side = short_side or int(networks.spec("detection").inference["short_side"])
    working = working_size(Size(width, height), side)
    with torch.inference_mode():
        small = damage_probability(gray_of(image), working, networks, silent_monitor())
    enlarged = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged.reshape(height, width), dtype=np.float32)
