"""Documents for the stubs, and the command that runs the plug-in on them in some Python."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plugin.stubs import folder
from plugin.stubs.constants import GRAY, PRECISION_U8_GAMMA, PRECISION_U16_GAMMA, RGB
from plugin.stubs.document import Image
from plugin.stubs.items import CHANNELS, GroupLayer, Layer

ROOT = Path(__file__).resolve().parents[2]
Array = npt.NDArray[Any]


def image_of(
    pixels: Array, *, canvas: tuple[int, int] | None = None, offset: tuple[int, int] = (0, 0)
) -> Image:
    """An image with one layer "photo" of (H, W, C) pixels on a canvas of (width, height)."""
    height, width, channels = pixels.shape
    precision = PRECISION_U8_GAMMA if pixels.dtype == np.uint8 else PRECISION_U16_GAMMA
    base = GRAY if channels < 3 else RGB
    image = Image(*(canvas or (width, height)), base, precision)
    layer = Layer(image, "photo", width, height, 2 * base + (channels in (2, 4)))
    layer.set_offsets(*offset)
    layer.data = bytearray(pixels.tobytes())
    image.insert(layer, None, 0)
    image.undo_steps.clear()
    return image


def select(image: Image, values: Array) -> None:
    """Make (H, W) 8-bit values the selection."""
    wide = values if image.sample_bytes == 1 else values.astype(np.uint16) * 257
    image.selection.data = bytearray(wide.tobytes())


def pixels_of(layer: Layer) -> Array:
    """A layer's samples as (H, W, C)."""
    kind = f"u{layer.image.sample_bytes}"
    return np.frombuffer(bytes(layer.data), kind).reshape(
        layer.height, layer.width, CHANNELS[layer.type]
    )


def mask_of(layer: Layer) -> Array:
    """A layer mask's values as (H, W)."""
    assert layer.mask is not None
    kind = f"u{layer.image.sample_bytes}"
    return np.frombuffer(bytes(layer.mask.data), kind).reshape(layer.height, layer.width)


def names(layers: list[Layer]) -> list[Any]:
    """The layer tree: a name, or a pair of a group's name and what is inside."""
    return [
        (layer.name, names(layer.children)) if isinstance(layer, GroupLayer) else layer.name
        for layer in layers
    ]


@dataclass
class Finished:
    """A run of the command: all it printed, the image afterwards, what each undo step holds."""

    output: str
    image: Image
    undo_steps: list[list[str]]


def run_command(
    python: str,
    home: Path,
    image: Image,
    place: Path,
    *arguments: str,
    expected: int = 0,
    language: str = "C",
) -> Finished:
    """Save the image, run `python -m plugin.stubs` on it, and load what came out.

    Args:
        python: the interpreter.
        home: the data folder with the running backend.
        place: an empty folder to work in.
        arguments: of the command, behind the two folders.
        expected: the exit status.
        language: that of GIMP's user, as in LANGUAGE.
    """
    folder.save(image, str(place / "before"))
    finished = subprocess.run(
        [
            python,
            "-B",
            "-m",
            "plugin.stubs",
            str(place / "before"),
            str(place / "after"),
            *arguments,
        ],
        cwd=ROOT,
        env={**os.environ, "RESTORE_OLD_PHOTO_HOME": str(home), "LANGUAGE": language},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=200,
    )
    output = finished.stdout.decode()
    assert finished.returncode == expected, output
    record = json.loads((place / "after" / folder.DOCUMENT).read_text())
    return Finished(output, folder.load(str(place / "after")), record["undo"])
