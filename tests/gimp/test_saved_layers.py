"""GIMP opens what the review page saves: its layers, their places, and the picture they make.

GIMP mixes layers in linear light unless it is told otherwise, which neither format can do. Where a
layer is faded or its edge is soft, GIMP therefore shows a mixture that is a little lighter than the
page's. What is expected here is GIMP's mixture; where nothing is mixed, both are the same.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from backend.images import Picture, Pixels, level_count
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import LayerKind
from backend.review.document import Document as Restored
from backend.review.document import LayerView
from backend.review.saving import Format, SavedFiles
from tests.backend.photos import portrait, scratched
from tests.backend.review.documents import FACE, HEIGHT, WIDTH, document

from .document import Array, flat
from .harness import GimpProcess

pytestmark = pytest.mark.gimp

WHOLE = (0, 0, WIDTH, HEIGHT)
REPAIR = (20, 5, 24, 30)
FACE_BOX = (FACE.x0, FACE.y0, FACE.x1, FACE.y1)
FADED: dict[LayerKind, LayerView] = {
    "restored": LayerView(opacity_percent=60),
    "repair": LayerView(is_visible=False),
    "face": LayerView(opacity_percent=30),
}


class Opened:
    """A saved file in GIMP."""

    def __init__(self, gimp: GimpProcess, image: int) -> None:
        self.gimp = gimp
        self.image = image

    @property
    def layers(self) -> list[dict[str, Any]]:
        return list(self.gimp.layers(self.image))

    def seen(self, channels: int, depth: int) -> Array:
        """What GIMP shows, without its alpha, in the image's own space."""
        model = {1: "Y'", 3: "R'G'B'"}[channels]
        data = self.gimp.visible(self.image, model, f"u{depth}")
        width, height = (
            self.gimp.call_on_image(self.image, f"get_{side}") for side in ("width", "height")
        )
        return np.frombuffer(data, f"u{depth // 8}").reshape(height, width, channels)

    def opacity(self, name: str) -> float:
        (layer,) = [layer for layer in flat(self.layers) if layer["name"] == name]
        return float(self.gimp.call_on(layer["id"], "get_opacity"))


class Gimp:
    """Opens documents that the review page's code has saved."""

    def __init__(self, process: GimpProcess) -> None:
        self.process = process
        self._images: list[int] = []
        self._folder = process.folder / "saved"
        self._folder.mkdir()

    def open(self, given: Restored, kind: Format) -> Opened:
        files = SavedFiles()
        secret, name = files.write(given, kind)
        # GIMP chooses its loader by the ending that the user gets.
        shutil.copyfile(files.take(secret).path, self._folder / name)
        files.close()
        image = int(self.process.open_file(f"{self.process.place}/saved/{name}"))
        self._images.append(image)
        return Opened(self.process, image)

    def close(self) -> None:
        for image in self._images:
            self.process.delete(image)
        shutil.rmtree(self._folder)


@pytest.fixture
def gimp(console: GimpProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gimp]:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    opener = Gimp(console)
    yield opener
    opener.close()


def drawn(layers: list[dict[str, Any]]) -> list[tuple[str, tuple[int, ...], bool]]:
    """Name, box and visibility of the layers with pixels, top first."""
    return [
        (layer["name"], tuple(layer["box"]), layer["visible"])
        for layer in flat(layers)
        if not layer["group"]
    ]


def mixed_in_light(given: Restored, depth: int) -> Pixels:
    """What GIMP makes of the visible layers, in levels of a depth."""
    light = to_light(given.picture.color)
    for layer in given.layers:
        view = given.view(layer)
        if view.is_visible:
            mask = 1.0 if layer.mask is None else layer.mask[..., None] / 255
            below = light[layer.box.slices]
            below += (to_light(layer.pixels) - below) * mask * view.opacity_percent / 100
    levels = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(levels * (2**depth - 1)).astype(f"u{depth // 8}")


def to_light(pixels: Pixels) -> npt.NDArray[np.float64]:
    """sRGB's levels as linear light in [0, 1]."""
    values = pixels / level_count(pixels)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def difference(found: Array, expected: Array) -> int:
    assert found.shape == expected.shape
    return int(np.abs(found.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_openraster_file_opens_with_its_groups_switches_and_opacities(
    gimp: Gimp, channels: int, depth: int
) -> None:
    given = document(channels, depth, FADED)
    opened = gimp.open(given, "openraster")
    group, photo = opened.layers
    assert (group["name"], group["group"], group["visible"]) == ("Restored photo", True, True)
    assert [(child["name"], child["group"]) for child in group["children"]] == [
        ("Faces", True),
        ("Restored", False),
        ("Scratch repair", False),
        ("Scratch mask", False),
    ]
    assert photo["name"] == given.name
    assert drawn(opened.layers) == [
        ("Face 1", FACE_BOX, True),
        ("Restored", WHOLE, True),
        ("Scratch repair", REPAIR, False),
        ("Scratch mask", WHOLE, False),
        (given.name, WHOLE, True),
    ]
    assert opened.opacity("Restored") == pytest.approx(60, abs=0.5)
    assert opened.opacity("Face 1") == pytest.approx(30, abs=0.5)
    # GIMP reads OpenRaster as 8-bit RGB, and rounds each of the two mixtures to levels.
    expected = np.broadcast_to(mixed_in_light(given, 8), (HEIGHT, WIDTH, 3))
    assert difference(opened.seen(3, 8), expected) <= 2


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_layered_tiff_opens_with_all_bits(gimp: Gimp, channels: int, depth: int) -> None:
    given = document(channels, depth, FADED)
    opened = gimp.open(given, "tiff")
    # A hidden layer is left out, and the lower ones are covered by the photo.
    assert drawn(opened.layers) == [
        ("Face 1", FACE_BOX, True),
        ("Restored", WHOLE, True),
        (given.name, WHOLE, True),
        ("Scratch mask", WHOLE, True),
        ("All layers together", WHOLE, True),
    ]
    assert opened.opacity("Restored") == 100
    photo, together = (opened.layers[index]["id"] for index in (2, 4))
    model = {1: "Y'", 3: "R'G'B'"}[channels]
    for layer, expected in (
        (photo, given.picture.pixels),
        (together, given.flattened().pixels),
    ):
        assert gimp.process.read(layer, model, f"u{depth}") == expected.tobytes()
    # The alpha of a faded layer is rounded to levels, which weigh most where it is dark.
    found = opened.seen(channels, depth)
    assert difference(found, mixed_in_light(given, depth)) <= 2


@pytest.mark.parametrize("kind", ["openraster", "tiff"])
def test_a_real_restoration_is_the_same_picture_in_gimp(
    gimp: Gimp, portrait_document: Restored, kind: Format
) -> None:
    opened = gimp.open(portrait_document, kind)
    expected = portrait_document.flattened().pixels
    assert "Face 1" in [name for name, _, _ in drawn(opened.layers)]
    # Edges are soft where a layer is nearly that below it, so that light or levels are all one.
    assert difference(opened.seen(3, 8), expected) <= 1


@pytest.fixture(scope="module")
def portrait_document() -> Restored:
    photo = Picture(scratched(portrait())[0])
    options = Options()
    networks = Networks.for_options(options)
    result = restore(photo, None, options, networks, lambda _: None, lambda: False)
    return Restored("portrait.png", photo, result.layers)


@pytest.mark.parametrize("kind", ["openraster", "tiff"])
def test_hiding_the_restored_layer_shows_the_photo_outside_the_repair(
    gimp: Gimp, kind: Format
) -> None:
    given = document(3, 8)
    opened = gimp.open(given, kind)
    for layer in flat(opened.layers):
        if layer["name"] in ("Restored", "Face 1"):
            gimp.process.call_on(layer["id"], "set_visible", False)
    found = opened.seen(3, 8)
    x0, y0, x1, y1 = REPAIR
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[y0:y1, x0:x1] = False
    assert np.array_equal(found[outside], given.picture.pixels[outside])
    assert difference(found[~outside], given.picture.pixels[~outside]) > 10


@pytest.mark.parametrize("kind", ["openraster", "tiff"])
def test_a_photo_in_a_wide_colour_space_keeps_its_colours(gimp: Gimp, kind: Format) -> None:
    views: dict[LayerKind, LayerView] = {
        "repair": LayerView(is_visible=False),
        "face": LayerView(is_visible=False),
    }
    icc = bytes(gimp.process.icc("wide"))
    given = document(3, 8, views, icc)
    opened = gimp.open(given, kind)
    expected = given.flattened().pixels
    if kind == "openraster":
        # GIMP reads it into sRGB.
        wide, narrow = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(Image.fromarray(expected), wide, narrow)
        expected = np.asarray(image)
    assert difference(opened.seen(3, 8), expected) <= 2
