"""What the page should show and save: the backend's own answers, and the page's pixels."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
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
from tests.backend.review.serving import ReviewBackend, add_photo, layers_of, run_job, send_mask


def backends_layers(
    backend: ReviewBackend,
    photo: Path,
    size: str = "full",
    painted: Pixels | None = None,
    **options: Any,
) -> tuple[Picture, list[ResultLayer]]:
    """A photo and its layers as the backend makes them for anybody, of a painted mask if given."""
    with closing(backend.page()) as client:
        photo_id = add_photo(client, photo)["id"]
        if painted is not None:
            send_mask(client, photo_id, painted.tobytes())
        job = run_job(client, photo_id, size, painted is not None, **options)
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


def reads(page: Page) -> Pixels:
    """The mask that the page shows as a veil, and will send."""
    # It is drawn with the next frame.
    page.driver.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0]))")
    return veil(page)


def stroke(size: tuple[int, int], points: Sequence[tuple[float, float]], diameter: float) -> Pixels:
    """(H, W) of what a round brush covers between points (x, y), by its definition."""
    height, width = size
    y, x = np.mgrid[:height, :width] + 0.5
    covered = np.zeros(size)
    for (x0, y0), (x1, y1) in pairwise(points):
        along = np.array([x1 - x0, y1 - y0])
        length = float(along @ along)
        share = ((x - x0) * along[0] + (y - y0) * along[1]) / length if length else np.zeros(size)
        nearest = np.clip(share, 0, 1)
        distance = np.hypot(x - x0 - nearest * along[0], y - y0 - nearest * along[1])
        covered = np.maximum(covered, np.clip(diameter / 2 + 0.5 - distance, 0, 1))
    return np.floor(255 * covered + 0.5).astype(np.uint8)


def enlarged(mask: Pixels, size: tuple[int, int]) -> Pixels:
    """(h, w) as (H, W): each pixel takes the value of the one in which its centre lies."""
    rows, columns = (
        ((2 * np.arange(full) + 1) * small) // (2 * full)
        for full, small in zip(size, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]


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
