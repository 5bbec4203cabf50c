"""The layers a run leaves in the document, for every kind of image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .document import DETECT, FACES, REPAIR, RESTORE, Array, Document, facts, flat, noise
from .fake_backend import FakeBackend, colours_of, composite, face, repaired, restored

pytestmark = pytest.mark.gimp


def levels_off(seen: Array, expected: Array) -> float:
    """The largest difference in 8-bit levels between what is seen and the pipeline's picture.

    Args:
        seen: (H, W, C) pixels.
        expected: (H, W, C) in [0, 1]; rounded to the depth of `seen`, as the pipeline does.
    """
    top = np.iinfo(seen.dtype).max
    return float(np.abs(seen - np.rint(expected * top)).max() * 255 / top)


def names(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["name"] for layer in layers]


def test_restore_leaves_the_group_of_the_design(document: Document, backend: FakeBackend) -> None:
    document.open(noise(60, 50))
    group = document.run(RESTORE)
    assert names(document.layers()) == ["Restored photo", "photo"]
    assert group["name"] == "Restored photo"
    assert names(group["children"]) == ["Faces", "Restored", "Scratch repair", "Scratch mask"]
    faces, whole, repair, mask = group["children"]
    assert names(faces["children"]) == ["Face 1"]
    assert [layer["visible"] for layer in (faces, whole, repair, mask)] == [True, True, True, False]
    assert [layer["box"] for layer in (repair, whole, mask)] == [(0, 0, 60, 50)] * 3
    assert faces["children"][0]["box"] == (15, 10, 45, 35)
    assert np.array_equal(document.read(whole["id"]), restored(backend.last))
    assert np.array_equal(document.read(repair["id"]), repaired(backend.last))
    assert np.array_equal(document.read(faces["children"][0]["id"]), face(backend.last, 0)[1])
    assert np.array_equal(document.read_mask(faces["children"][0]), face(backend.last, 0)[2])


def test_the_visible_result_is_the_pipelines_picture(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(60, 50))
    document.gimp.select(document.image, "ellipse", 5, 5, 20, 20)
    document.gimp.feather(document.image, 6)
    backend.faces = 3
    document.run(RESTORE)
    assert len(document.named("Faces")["children"]) == 3
    assert levels_off(document.visible(), composite(backend.last)) <= 1


COMMON = [("u8-non-linear", 8), ("u16-non-linear", 16), ("float-linear", 16)]
RARE = [("u8-linear", 16), ("u32-linear", 16), ("half-non-linear", 16), ("float-non-linear", 16)]


@pytest.mark.parametrize(
    ("precision", "sent_depth", "channels"),
    [(*kind, channels) for kind in COMMON for channels in (1, 2, 3, 4)]
    + [(*kind, 4) for kind in RARE],
)
def test_every_mode_and_precision_works(
    document: Document, backend: FakeBackend, precision: str, sent_depth: int, channels: int
) -> None:
    pixels = noise(40, 30, channels, 16 if sent_depth == 16 else 8)
    document.open(pixels, precision=precision)
    before = document.read(document.photo, channels, 16)
    document.run(RESTORE)
    header = backend.last.header
    assert (header.channels, header.depth) == (channels, sent_depth)
    if precision not in ("u8-linear", "half-non-linear"):
        assert np.array_equal(backend.last.pixels, pixels)
    colours = 1 if channels < 3 else 3
    seen = document.visible(2 if colours == 1 else 4, 16)
    opaque = before[..., -1] == 65535 if channels in (2, 4) else np.ones((30, 40), bool)
    expected = composite(backend.last)
    # 8-bit images of light have steps of several levels in their shadows, whoever paints.
    allowed = 14 if precision == "u8-linear" else 1
    assert levels_off(seen[..., :-1][opaque], expected[opaque]) <= allowed
    assert (seen[~opaque][:, -1] == 0).all()
    assert np.array_equal(document.read(document.photo, channels, 16), before)
    kept = {"gray"} if colours == 1 else {"rgb"}
    assert {document.gimp.base_type(document.image)} == kept


def test_soft_alpha_is_carried(document: Document) -> None:
    pixels = noise(40, 30, 4)
    pixels[..., 3] = np.arange(40, dtype=np.uint8) * 6
    document.open(pixels)
    document.run(RESTORE)
    restored_layer = document.named("Restored")
    assert np.array_equal(document.read(restored_layer["id"], 4)[..., 3], pixels[..., 3])
    face_layer = document.named("Face 1")
    x0, y0, x1, y1 = face_layer["box"]
    assert np.array_equal(document.read(face_layer["id"], 4)[..., 3], pixels[y0:y1, x0:x1, 3])


def test_an_indexed_image_becomes_rgb_in_the_same_step(
    document: Document, backend: FakeBackend
) -> None:
    pixels = (noise(40, 30) // 64 * 64).astype(np.uint8)
    document.open(pixels)
    document.gimp.convert_indexed(document.image)
    document.run(RESTORE)
    assert document.gimp.base_type(document.image) == "rgb"
    assert np.array_equal(backend.last.pixels, pixels)
    assert levels_off(document.visible(), composite(backend.last)) <= 1


@pytest.mark.parametrize("precision", ["u8-non-linear", "u16-non-linear", "float-linear"])
@pytest.mark.parametrize("space", ["wide", "gray"])
def test_a_profiled_image_keeps_its_numbers(
    document: Document, backend: FakeBackend, precision: str, space: str
) -> None:
    depth = 8 if precision.startswith("u8") else 16
    pixels = noise(40, 30, 1 if space == "gray" else 3, depth)
    document.open(pixels, precision=precision, icc=document.gimp.icc(space))
    document.run(RESTORE)
    assert np.array_equal(backend.last.pixels, pixels)
    whole = document.read(document.named("Restored")["id"], pixels.shape[2], depth)
    assert np.array_equal(whole, restored(backend.last))
    # In 16 bits one sees that babl's own gamma of other profiles is not exact.
    allowed = 1.0 if depth == 8 else 1.2
    seen = document.visible(pixels.shape[2], depth)
    assert levels_off(seen, composite(backend.last)) <= allowed


@pytest.mark.parametrize(
    ("size", "offset"), [((20, 16), (7, 9)), ((80, 70), (-15, -12)), ((40, 30), (35, 25))]
)
def test_a_layer_smaller_larger_or_beside_the_canvas(
    document: Document, backend: FakeBackend, size: tuple[int, int], offset: tuple[int, int]
) -> None:
    document.open(noise(*size), canvas=(50, 40), offset=offset)
    group = document.run(RESTORE)
    box = (offset[0], offset[1], offset[0] + size[0], offset[1] + size[1])
    assert document.named("Restored")["box"] == group["box"] == box
    x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], 50), min(box[3], 40)
    seen = document.visible()[y0:y1, x0:x1]
    rows, columns = slice(y0 - box[1], y1 - box[1]), slice(x0 - box[0], x1 - box[0])
    assert levels_off(seen, composite(backend.last)[rows, columns]) <= 1


def test_hiding_restored_leaves_the_original_outside_the_mask(
    document: Document, backend: FakeBackend
) -> None:
    pixels = noise(60, 50)
    document.open(pixels)
    document.gimp.select(document.image, "rectangle", 10, 10, 6, 6)
    document.run(RESTORE, enhance_faces=False, scratches="mask")
    document.gimp.call_on(document.named("Restored")["id"], "set_visible", False)
    seen = document.visible()
    inside = np.zeros((50, 60), bool)
    inside[10:16, 10:16] = True
    assert np.array_equal(seen[~inside], pixels[~inside])
    assert np.array_equal(seen[inside], repaired(backend.last)[inside])


def test_the_users_selection_and_active_layer_stay(document: Document) -> None:
    document.open(noise(60, 50))
    other = document.gimp.add_layer(document.image, "other", 5, 5, bytes(75))
    document.gimp.activate(document.image, [other])
    document.gimp.select(document.image, "ellipse", 5, 5, 20, 20)
    document.gimp.feather(document.image, 6)
    before = document.selection()
    document.run(RESTORE)
    assert document.gimp.selected(document.image) == [other]
    assert np.array_equal(document.selection(), before)


def test_layers_tell_how_they_were_made(document: Document) -> None:
    document.open(noise(60, 50))
    group = document.run(RESTORE, threshold=0.25)
    for layer in flat([group]):
        record = facts(layer)
        assert record["model"] == "fake"
        assert record["options"]["threshold"] == 0.25
        assert record["seconds"] == {"scratches": 0.25}
    kinds = [facts(layer)["kind"] for layer in flat([group])]
    assert kinds == ["group", "faces", "face", "restored", "repair", "mask"]


def test_detect_leaves_only_the_mask_as_a_glow_over_the_photo(
    document: Document, backend: FakeBackend
) -> None:
    pixels = noise(60, 50) // 2
    document.open(pixels)
    group = document.run(DETECT, threshold=0.5)
    assert names(group["children"]) == ["Scratch mask"]
    assert group["children"][0]["visible"]
    assert backend.last.header.options.threshold == 0.5
    seen = document.visible()
    assert (seen[:, 30] > pixels[:, 30]).any()
    assert np.array_equal(np.delete(seen, 30, axis=1), np.delete(pixels, 30, axis=1))


def test_repair_touches_nothing_but_the_selection(document: Document, backend: FakeBackend) -> None:
    pixels = noise(60, 50)
    document.open(pixels)
    document.gimp.select(document.image, "rectangle", 10, 10, 6, 6)
    group = document.run(REPAIR)
    assert names(group["children"]) == ["Scratch repair", "Scratch mask"]
    expected = pixels.copy()
    expected[10:16, 10:16] = repaired(backend.last)[10:16, 10:16]
    assert np.array_equal(document.visible(), expected)


def test_faces_leaves_only_faces(document: Document, backend: FakeBackend) -> None:
    document.open(noise(60, 50))
    backend.faces = 2
    group = document.run(FACES)
    assert names(group["children"]) == ["Faces"]
    assert names(group["children"][0]["children"]) == ["Face 2", "Face 1"]
    assert levels_off(document.visible(), composite(backend.last)) <= 1


@pytest.mark.parametrize("mode", ["INTERACTIVE", "WITH_LAST_VALS"])
def test_without_a_screen_no_window_is_tried(document: Document, mode: str) -> None:
    document.open(noise(60, 50))
    document.run(RESTORE, mode=mode)
    assert names(document.layers()) == ["Restored photo", "photo"]


def test_nothing_found_is_a_success_without_a_group(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(60, 50))
    backend.faces = 0
    before = document.layers()
    assert document.gimp.run(FACES, document.image, [document.photo]) == ("success", None, "")
    assert document.layers() == before


def test_the_pipelines_gray_picture_has_one_channel(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(60, 50, 1))
    document.run(RESTORE)
    assert colours_of(backend.last).shape[2] == 1
    assert document.gimp.base_type(document.image) == "gray"


def test_a_channel_that_is_active_stays_active(document: Document) -> None:
    document.open(noise(40, 30))
    channel = document.gimp.add_channel(document.image, "mine")
    document.gimp.activate_channel(document.image, channel)
    document.run(RESTORE, document.photo)
    assert document.gimp.selected_channels(document.image) == [channel]
    assert document.gimp.selected(document.image) == []
