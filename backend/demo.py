"""The command `demo`: age a public-domain portrait on the spot and restore it.

The portrait is NASA's photo of the astronaut Eileen Collins (1992, public domain), which comes with
scikit-image.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from backend.command_files import prepare_folder
from backend.command_progress import PhotoProgress
from backend.errors import InputError
from backend.files import load_picture, save_picture
from backend.images import Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.tensors import LUMINANCE

SEED = 1992
AGED_NAME, RESTORED_NAME = "demo-aged.png", "demo-restored.png"
SEPIA = (1.0, 0.93, 0.80)
"""Paper white of an old print, as red, green and blue."""

SHIFT = 4
"""OpenCV draws at fractions of a pixel when coordinates carry this many binary digits more."""

SUBPIXELS = 2**SHIFT

Values = npt.NDArray[np.float32]


def run_demo(folder: Path) -> int:
    """Write the aged and the restored portrait into `folder`; returns 0.

    Raises:
        RestorationError: the portrait is not installed, or a file cannot be written.
    """
    aged = Picture(age(load_portrait()))
    prepare_folder(folder)
    save_picture(aged, folder / AGED_NAME, overwrite=True)
    options = Options()
    with PhotoProgress(
        AGED_NAME, ["scratches", "restoration", "faces", "enhancement", "blending"]
    ) as progress:
        networks = Networks.for_options(options)
        result = restore(aged, None, options, networks, progress.show, lambda: False)
    save_picture(Picture(result.final), folder / RESTORED_NAME, overwrite=True)
    print(f"{folder / AGED_NAME} -> {folder / RESTORED_NAME}")
    return 0


def load_portrait() -> npt.NDArray[np.uint8]:
    """(512, 512, 3) RGB.

    Raises:
        InputError: the installed scikit-image comes without it.
    """
    # Read as a file: importing skimage.data would try to download what is missing.
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        raise InputError("scikit-image is missing: install Restore Old Photo again.")
    path = Path(found.origin).parent / "data" / "astronaut.png"
    if not path.is_file():
        raise InputError(
            "The installed scikit-image comes without the example portrait: restore a photo of "
            "your own instead."
        )
    return load_picture(path).color.astype(np.uint8)


def age(portrait: npt.NDArray[np.uint8], seed: int = SEED) -> npt.NDArray[np.uint8]:
    """Do to a portrait what decades do to a print; the same seed always does the same.

    Args:
        portrait: (H, W, 3) RGB.
        seed: of all random choices.
    """
    generator = np.random.default_rng(seed)
    weights = np.array(LUMINANCE, dtype=np.float32)
    gray = np.asarray(portrait.astype(np.float32) @ weights / 255, dtype=np.float32)
    print_ = fade(blur_and_grain(gray, generator))
    damaged = scratch(print_, generator)
    return np.round(np.clip(damaged, 0, 1) * 255).astype(np.uint8)


def blur_and_grain(gray: Values, generator: np.random.Generator) -> Values:
    """A soft lens, and grain that is a little larger than a pixel."""
    soft = cv2.GaussianBlur(gray, (0, 0), 0.9)
    grain = generator.normal(0, 1, gray.shape).astype(np.float32)
    return np.asarray(soft + 0.03 * cv2.GaussianBlur(grain, (0, 0), 0.6), dtype=np.float32)


def fade(gray: Values) -> Values:
    """Lift the blacks, lower the whites, and tone the paper: (H, W) to (H, W, 3)."""
    return np.asarray((0.14 + 0.74 * gray)[..., None] * np.array(SEPIA), dtype=np.float32)


def scratch(picture: Values, generator: np.random.Generator) -> Values:
    """Draw light and dark scratches, a fold, and specks of dust."""
    height, width = picture.shape[:2]
    light, dark = (np.zeros((height, width), dtype=np.uint8) for _ in range(2))
    for index in range(9):
        points = _scratch_path(width, height, generator)
        thickness = int(generator.integers(1, 3))
        cv2.polylines(
            dark if index % 3 == 2 else light, [points], False, 255, thickness, cv2.LINE_AA
        )
    fold = int(height * 0.72)
    cv2.line(light, (0, fold), (width, fold - height // 16), 255, 2, cv2.LINE_AA)
    for _ in range(60):
        x, y = generator.uniform([0, 0], [width, height]) * SUBPIXELS
        radius = generator.uniform(0.7, 2.2) * SUBPIXELS
        cv2.circle(light, (int(x), int(y)), int(radius), 255, -1, cv2.LINE_AA, SHIFT)
    for drawn, color in ((light, (0.96, 0.93, 0.86)), (dark, (0.10, 0.08, 0.06))):
        opacity = 0.9 * drawn[..., None].astype(np.float32) / 255
        covered = picture * (1 - opacity) + opacity * np.array(color, dtype=np.float32)
        picture = np.asarray(covered, dtype=np.float32)
    return picture


def _scratch_path(width: int, height: int, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    """A nearly straight, slightly trembling line, mostly downwards: (N, 2)."""
    count = 12
    start = generator.uniform(0, width)
    drift = generator.normal(0, 0.12) * width
    tremble = np.cumsum(generator.normal(0, 1.5, count))
    top, bottom = np.sort(generator.uniform(-0.1, 1.1, 2)) * height
    x = start + np.linspace(0, drift, count) + tremble
    return np.stack([x, np.linspace(top, bottom, count)], axis=1).round().astype(np.int32)
