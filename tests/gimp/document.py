"""One test's image in GIMP, with what tests ask of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from .fake_backend import FakeBackend
from .harness import GimpProcess

Array = npt.NDArray[Any]
MODELS = {1: "Y{0}", 2: "Y{0}A", 3: "R{0}G{0}B{0}", 4: "R{0}G{0}B{0}A"}
RESTORE = "plug-in-restore-old-photo"
DETECT = "plug-in-restore-old-photo-detect"
REPAIR = "plug-in-restore-old-photo-repair"
FACES = "plug-in-restore-old-photo-faces"


class Document:
    """An image with one photo layer in a running GIMP.

    Args:
        gimp: where it lives.
        backend: what answers the plug-in there.
    """

    def __init__(self, gimp: GimpProcess, backend: FakeBackend | None = None) -> None:
        self.gimp = gimp
        self.backend = backend
        self.image = 0
        self.photo = 0
        self.mark = "'"

    def open(
        self,
        pixels: Array,
        *,
        canvas: tuple[int, int] | None = None,
        offset: tuple[int, int] = (0, 0),
        precision: str = "u8-non-linear",
        base: str | None = None,
        icc: bytes | None = None,
    ) -> int:
        """Make the image from (H, W, C) pixels and return the photo layer's id."""
        height, width, channels = pixels.shape
        # Images of light are read with sRGB's gamma, which is exact; see the plug-in's pixels.py.
        self.mark = "'" if precision.endswith("non-linear") else "~"
        kind = base or ("GRAY" if channels in (1, 2) else "RGB")
        self.image = self.gimp.new_image(*(canvas or (width, height)), kind, precision, icc)
        depth = f"u{pixels.dtype.itemsize * 8}"
        self.photo = self.gimp.add_layer(
            self.image,
            "photo",
            width,
            height,
            pixels.tobytes(),
            self.model(channels),
            depth,
            offset,
        )
        return self.photo

    def model(self, channels: int) -> str:
        return MODELS[channels].format(self.mark)

    def run(self, procedure: str = RESTORE, *layers: int, **arguments: Any) -> dict[str, Any]:
        """Call the plug-in, expect success, and return the inserted group's description."""
        status, group, message = self.gimp.run(
            procedure, self.image, list(layers) or [self.photo], **arguments
        )
        assert status == "success", f"{status}: {message}"
        assert group is not None
        return self.described(group)

    def refusal(self, procedure: str = RESTORE, *layers: int, **arguments: Any) -> str:
        """Call the plug-in, expect a refusal that leaves the document alone, return its words."""
        before = self.layers()
        chosen = list(layers) or [self.photo]
        status, group, message = self.gimp.run(procedure, self.image, chosen, **arguments)
        assert status == "execution-error"
        assert group is None
        assert self.layers() == before
        return str(message)

    def layers(self) -> list[dict[str, Any]]:
        return list(self.gimp.layers(self.image))

    def described(self, number: int) -> dict[str, Any]:
        return next(layer for layer in flat(self.layers()) if layer["id"] == number)

    def named(self, name: str) -> dict[str, Any]:
        """The topmost layer of that name."""
        return next(layer for layer in flat(self.layers()) if layer["name"] == name)

    def read(self, layer: int, channels: int = 3, depth: int = 8) -> Array:
        described = self.described(layer)
        x0, y0, x1, y1 = described["box"]
        return self.array(
            self.gimp.read(layer, self.model(channels), f"u{depth}"), x1 - x0, y1 - y0, depth
        )

    def read_mask(self, layer: dict[str, Any]) -> Array:
        """A layer's mask as (H, W) values."""
        x0, y0, x1, y1 = layer["box"]
        return self.array(self.gimp.read(layer["mask"], "Y", "u8"), x1 - x0, y1 - y0, 8)[..., 0]

    def visible(self, channels: int = 3, depth: int = 8) -> Array:
        """What is seen of the canvas."""
        width = self.gimp.call_on_image(self.image, "get_width")
        height = self.gimp.call_on_image(self.image, "get_height")
        data = self.gimp.visible(self.image, self.model(channels), f"u{depth}")
        return self.array(data, width, height, depth)

    def selection(self) -> Array:
        width = self.gimp.call_on_image(self.image, "get_width")
        height = self.gimp.call_on_image(self.image, "get_height")
        return self.array(self.gimp.selection(self.image), width, height, 8)[..., 0]

    @staticmethod
    def array(data: bytes, width: int, height: int, depth: int) -> Array:
        return np.frombuffer(data, f"u{depth // 8}").reshape(height, width, -1)

    def close(self) -> None:
        if self.image:
            self.gimp.delete(self.image)


def flat(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for layer in layers:
        found += [layer, *flat(layer["children"])]
    return found


def facts(layer: dict[str, Any]) -> dict[str, Any]:
    """What the plug-in wrote about a layer."""
    return dict(json.loads(layer["parasite"]))


def noise(width: int, height: int, channels: int = 3, depth: int = 8, seed: int = 0) -> Array:
    """Random pixels; alpha, if any, is 0 in the left quarter and full elsewhere."""
    top = 2**depth
    values = np.random.default_rng(seed).integers(0, top, (height, width, channels))
    if channels in (2, 4):
        values[..., -1] = top - 1
        values[:, : width // 4, -1] = 0
    return values.astype(f"u{depth // 8}")
