"""Files of layers: read back by other programs' libraries, and composed anew."""

from __future__ import annotations

import errno
import io
import os
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from backend.composition import composite, put_layer
from backend.errors import InputError
from backend.files import load_picture
from backend.geometry import Box
from backend.images import Picture, Pixels, level_count
from backend.review import layered_tiff, saving
from backend.review.document import Document, LayerView
from backend.review.saving import Format, SavedFiles
from tests.backend.review.documents import FACE, HEIGHT, WIDTH, document


def saved(written: Document, kind: Format, folder: Path) -> Path:
    path = folder / {"png": "a.png", "tiff": "a.tif", "openraster": "a.ora"}[kind]
    saving._write(written, kind, path)
    return path


def over(below: npt.NDArray[np.float64], png: Pixels, box: Box, opacity: float) -> None:
    """Put a layer with alpha over (H, W, C) levels in [0, 1] with an opaque ground."""
    above = png.astype(np.float64) / level_count(png)
    share = opacity * (above[..., -1:] if png.shape[2] in (2, 4) else np.ones((1, 1, 1)))
    color = above[..., :-1] if png.shape[2] in (2, 4) else above
    below[box.slices] += share * (color - below[box.slices])


def read_png(data: bytes) -> Pixels:
    """(H, W, C) with all bits, RGB order, by OpenCV."""
    decoded = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))
    if decoded.ndim == 2:
        return decoded[..., None]
    if data[25] == 4:
        return decoded[..., [0, 3]]
    order = [2, 1, 0] if decoded.shape[2] == 3 else [2, 1, 0, 3]
    return decoded[..., order]


def composed(path: Path) -> npt.NDArray[np.float64]:
    """What a program that opens an OpenRaster file shows, in [0, 1]."""
    with zipfile.ZipFile(path) as archive:
        stack = ElementTree.fromstring(archive.read("stack.xml")).find("stack")
        assert stack is not None
        below: npt.NDArray[np.float64] | None = None
        for found in reversed(list(stack.iter("layer"))):
            pixels = read_png(archive.read(found.attrib["src"]))
            if below is None:
                below = pixels.astype(np.float64) / level_count(pixels)
                continue
            if found.attrib["visibility"] == "hidden":
                continue
            x, y = int(found.attrib["x"]), int(found.attrib["y"])
            box = Box(x, y, x + pixels.shape[1], y + pixels.shape[0])
            over(below, pixels, box, float(found.attrib["opacity"]))
    assert below is not None
    return below


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_all_layers_together_are_the_pipelines_result(channels: int, depth: int) -> None:
    given = document(channels, depth)
    expected = composite(given.picture.color, given.layers)
    assert np.array_equal(given.flattened().pixels, expected)


@pytest.mark.parametrize("opacity", [0, 1, 37, 99])
def test_opacity_mixes_to_the_nearest_level(opacity: int) -> None:
    given = document(3, 16)
    for above in given.layers[1:]:
        below = given.picture.color.copy()
        mask = 1.0 if above.mask is None else above.mask[..., None] / 255
        old = below[above.box.slices].astype(np.float64)
        expected = old + (above.pixels - old) * mask * opacity / 100
        put_layer(below, above, opacity)
        assert np.abs(below[above.box.slices] - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(("channels", "depth"), [(1, 8), (2, 16), (3, 16), (4, 8)])
def test_a_png_is_the_flattened_picture_with_its_metadata(
    tmp_path: Path, channels: int, depth: int
) -> None:
    given = document(channels, depth, {"restored": LayerView(opacity_percent=40)})
    found = load_picture(saved(given, "png", tmp_path))
    assert np.array_equal(found.pixels, given.flattened().pixels)
    assert found.metadata.exif is not None
    assert b"Wan" in found.metadata.exif
    assert found.metadata.dpi == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize(("channels", "depth"), [(1, 8), (1, 16), (3, 8), (3, 16)])
def test_an_openraster_file_shows_the_merged_picture(
    tmp_path: Path, channels: int, depth: int
) -> None:
    given = document(
        channels, depth, {"restored": LayerView(opacity_percent=60), "face": LayerView(True, 30)}
    )
    path = saved(given, "openraster", tmp_path)
    flattened = given.flattened().pixels
    with zipfile.ZipFile(path) as archive:
        assert np.array_equal(read_png(archive.read("mergedimage.png")), flattened)
        assert np.array_equal(read_png(archive.read("data/photo.png")), given.picture.pixels)
    # Each of the three layers is rounded once.
    error = np.abs(composed(path) * level_count(flattened) - flattened.astype(np.float64))
    assert error.max() <= 2.0


def test_an_openraster_file_follows_its_specification(tmp_path: Path) -> None:
    given = document(3, 8, {"repair": LayerView(is_visible=False)})
    with zipfile.ZipFile(saved(given, "openraster", tmp_path)) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"image/openraster"
        assert archive.testzip() is None
        thumbnail = Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
        assert max(thumbnail.size) <= 256
        root = ElementTree.fromstring(archive.read("stack.xml"))
    assert (root.attrib["w"], root.attrib["h"]) == (str(WIDTH), str(HEIGHT))
    names = [item.attrib.get("name") for item in root.iter() if item.tag in ("stack", "layer")]
    # Top first, in the groups that the GIMP plug-in makes.
    assert names == [
        None,
        "Restored photo",
        "Faces",
        "Face 1",
        "Restored",
        "Scratch repair",
        "Scratch mask",
        "scan of 1950.png",
    ]
    hidden = [
        x.attrib["name"] for x in root.iter("layer") if x.attrib.get("visibility") == "hidden"
    ]
    assert hidden == ["Scratch repair", "Scratch mask"]


@pytest.mark.parametrize(("channels", "depth"), [(1, 16), (3, 8), (3, 16)])
def test_a_layered_tiff_has_a_page_for_each_layer_the_lowest_first(
    tmp_path: Path, channels: int, depth: int
) -> None:
    given = document(channels, depth, {"face": LayerView(opacity_percent=50)})
    with tifffile.TiffFile(saved(given, "tiff", tmp_path)) as file:
        pages = list(file.pages)
        names = [page.tags.valueof("PageName") for page in pages]
        arrays = [np.atleast_3d(page.asarray()) for page in pages]
        assert pages[0].tags.valueof("Artist") == "Wan"
        x, y = (pages[-1].tags.valueof(tag) for tag in ("XPosition", "YPosition"))
    assert names == [
        "All layers together",
        "Scratch mask",
        "scan of 1950.png",
        "Scratch repair",
        "Restored",
        "Face 1",
    ]
    assert np.array_equal(arrays[0], given.flattened().pixels)
    assert np.array_equal(arrays[2], given.picture.pixels)
    assert np.array_equal(arrays[4], given.layers[2].pixels)
    # The place counts in inches, at 300 pixels each.
    assert (x[0] / x[1] * 300, y[0] / y[1] * 300) == pytest.approx((FACE.x0, FACE.y0))
    face = given.layers[3]
    assert face.mask is not None
    assert np.array_equal(arrays[5][..., :-1], face.pixels)
    assert arrays[5][..., -1].max() == pytest.approx(
        face.mask.max() / 510 * level_count(arrays[5]), abs=1
    )


def test_pages_of_a_photo_without_a_resolution_lie_at_the_right_place(tmp_path: Path) -> None:
    given = document(3, 8)
    plain = Document(given.name, Picture(given.picture.pixels), given.layers)
    with tifffile.TiffFile(saved(plain, "tiff", tmp_path)) as file:
        tags = file.pages[-1].tags
        found = [
            tags.valueof(place)[0] / tags.valueof(place)[1] * dots[0] / dots[1]
            for place, dots in (
                ("XPosition", tags.valueof("XResolution")),
                ("YPosition", tags.valueof("YResolution")),
            )
        ]
    assert found == pytest.approx([FACE.x0, FACE.y0])


@pytest.mark.parametrize("kind", ["tiff", "openraster"])
def test_no_layer_fills_what_is_transparent_in_the_photo(tmp_path: Path, kind: Format) -> None:
    given = document(4, 8)
    pixels = given.picture.pixels.copy()
    pixels[:, :30, 3] = 0
    clear = Document(given.name, Picture(pixels), given.layers)
    path = saved(clear, kind, tmp_path)
    if kind == "tiff":
        with tifffile.TiffFile(path) as file:
            found = [np.atleast_3d(page.asarray()) for page in file.pages]
        places = [(0, 0)] * 4 + [(20, 5), (FACE.x0, FACE.y0)]
    else:
        with zipfile.ZipFile(path) as archive:
            stack = list(ElementTree.fromstring(archive.read("stack.xml")).iter("layer"))
            found = [read_png(archive.read(item.attrib["src"])) for item in stack]
        places = [(int(item.attrib["x"]), int(item.attrib["y"])) for item in stack]
    for layer_pixels, (left, _) in zip(found, places, strict=True):
        assert not layer_pixels[:, : max(0, 30 - left), -1].any()


def test_layers_too_large_for_tiff_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layered_tiff, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="save them as OpenRaster"):
        saved(document(3, 8), "tiff", tmp_path)


def test_what_a_killed_backend_left_behind_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    left_over = tmp_path / "run" / "review-old"
    left_over.mkdir(parents=True)
    (left_over / "photo").write_bytes(b"private")
    files = SavedFiles()
    folder = files.folder()
    assert not left_over.exists()
    assert folder.stat().st_mode & 0o077 == 0
    files.write(document(3, 8), "png")
    files.close()
    assert not folder.exists()


def test_a_full_disk_is_told_to_who_sends_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    files = SavedFiles()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(InputError, match=r"a\.png could not be taken in"), files.room("a.png"):
        raise full
    assert list(files.folder().iterdir()) == []


def test_orders_that_nobody_fetches_do_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    files = SavedFiles()
    for _ in range(4):
        files.write(document(1, 8), "png")
    assert len(list(files.folder().iterdir())) == 2
