"""What the page should show and save: the backend's own answers, and the page's pixels."""

from __future__ import annotations

import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from backend.composition import put_layer
from backend.files import load_picture
from backend.images import Picture, Pixels
from backend.jobs import LayerData
from backend.results import ResultLayer
from backend.review.document import result_layers
from plugin.shared import protocol
from tests.backend.review.browser import Page
from tests.backend.review.serving import ReviewBackend, add_photo, layers_of, run_job


def backends_layers(
    backend: ReviewBackend, photo: Path, size: str = "full", **options: Any
) -> tuple[Picture, list[ResultLayer]]:
    """A photo and its layers as the backend makes them for anybody."""
    with closing(backend.page()) as client:
        job = run_job(client, add_photo(client, photo)["id"], size, **options)
        picture = load_picture(photo)
        channels, depth = picture.pixels.shape[2], 8 * picture.pixels.dtype.itemsize
        header = protocol.RequestHeader(
            picture.size.width, picture.size.height, channels, depth, byte_order="little"
        )
        found = [
            LayerData(layer, tuple(part for part in protocol.split_pixels(layer, data) if part))
            for layer, data in layers_of(client, job)
        ]
        client.delete(f"/jobs/{job}")
    return picture, result_layers(header, found)


def together(
    picture: Picture, layers: list[ResultLayer], opacities: dict[str, int] | None = None
) -> Pixels:
    """What is seen of the layers; opacities are by kind, 0 where a layer is switched off."""
    color = picture.color.copy()
    for layer in layers:
        if layer.kind != "mask":
            put_layer(color, layer, (opacities or {}).get(layer.kind, 100))
    return color


def shown(page: Page, pane: str = "after") -> Pixels:
    width, height, data = page.canvas(pane)
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)[..., :3]


def veil(page: Page) -> Pixels:
    width, height, data = page.canvas("veil")
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)[..., 3]


def check_file(page: Page, photo: Path, kind: str, expected: Pixels, picture: Picture) -> None:
    """Compare a download with what it should hold."""
    ending = {"png": "-restored.png", "tiff": "-layers.tif", "openraster": "-layers.ora"}[kind]
    path = page.fetch_saved(photo.stem + ending)
    if kind == "png":
        found = load_picture(path)
        assert np.array_equal(found.pixels, expected)
        if picture.metadata.dpi is not None:
            assert found.metadata.dpi == pytest.approx(picture.metadata.dpi, abs=0.1)
    elif kind == "tiff":
        with tifffile.TiffFile(path) as file:
            assert np.array_equal(file.pages[0].asarray(), expected)
            assert file.pages[2].tags.valueof("PageName") == photo.name
            assert np.array_equal(file.pages[2].asarray(), picture.pixels)
    else:
        with zipfile.ZipFile(path) as archive:
            data = np.frombuffer(archive.read("mergedimage.png"), np.uint8)
        merged = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
        assert np.array_equal(merged[..., ::-1], expected)
    path.unlink()
