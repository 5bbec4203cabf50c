"""Each kind of layer works, or is refused in one clear sentence."""

from __future__ import annotations

import numpy as np
import pytest

from .document import FACES, RESTORE, Document, noise
from .fake_backend import FakeBackend, composite

pytestmark = pytest.mark.gimp


def test_a_layer_in_a_group_gets_its_result_there(document: Document, backend: FakeBackend) -> None:
    pixels = noise(40, 30)
    document.open(noise(60, 50), canvas=(60, 50))
    outer = document.gimp.add_group(document.image, "outer")
    inner = document.gimp.add_layer(
        document.image, "inner", 40, 30, pixels.tobytes(), offset=(5, 6), parent=outer
    )
    document.gimp.add_layer(document.image, "top", 4, 4, bytes(48), parent=outer)
    group = document.run(RESTORE, inner)
    names = [layer["name"] for layer in document.described(outer)["children"]]
    assert names == ["top", "Restored photo", "inner"]
    assert group["box"] == (5, 6, 45, 36)
    assert np.array_equal(backend.last.pixels, pixels)


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("set_visible", False),
        ("set_lock_content", True),
        ("set_lock_position", True),
        ("set_lock_visibility", True),
        ("set_lock_alpha", True),
        ("set_opacity", 40.0),
    ],
)
def test_hidden_locked_or_faint_layers_are_restored_and_stay_so(
    document: Document, backend: FakeBackend, method: str, value: object
) -> None:
    pixels = noise(40, 30)
    document.open(pixels)
    document.gimp.call_on(document.photo, method, value)
    group = document.run(RESTORE)
    assert group["visible"]
    assert np.array_equal(backend.last.pixels, pixels)
    assert document.gimp.call_on(document.photo, method.replace("set_", "get_")) == value
    seen = document.visible().astype(int)
    assert np.abs(seen - np.rint(composite(backend.last) * 255)).max() <= 1


def test_an_active_layer_mask_stands_for_its_layer(document: Document) -> None:
    document.open(noise(40, 30))
    values = np.full((30, 40), 255, np.uint8)
    values[:, :10] = 0
    mask = document.gimp.add_mask(document.photo, values.tobytes(), edit=True)
    document.run(RESTORE, mask)
    assert document.described(document.photo)["edit_mask"]


def test_what_the_source_mask_hides_stays_hidden(document: Document, backend: FakeBackend) -> None:
    document.open(noise(40, 30))
    values = np.full((30, 40), 255, np.uint8)
    values[:, :15] = 0
    document.gimp.add_mask(document.photo, values.tobytes())
    document.run(RESTORE)
    seen = document.visible(4)
    assert (seen[:, :15, 3] == 0).all()
    expected = np.rint(composite(backend.last) * 255)
    assert np.abs(seen[:, 15:, :3] - expected[:, 15:]).max() <= 1


def test_the_source_mask_is_right_for_a_group_of_faces_only(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30), canvas=(50, 40), offset=(3, 4))
    values = np.random.default_rng(1).choice([0, 255], (30, 40)).astype(np.uint8)
    document.gimp.add_mask(document.photo, values.tobytes())
    document.run(FACES)
    seen = document.visible(4)[4:34, 3:43]
    assert np.array_equal(seen[..., 3], values)
    expected = np.rint(composite(backend.last) * 255)
    assert np.abs(seen[..., :3] - expected)[values == 255].max() <= 1


def test_a_disabled_source_mask_hides_nothing(document: Document) -> None:
    document.open(noise(40, 30))
    document.gimp.add_mask(document.photo, bytes(1200))
    document.gimp.call_on(document.photo, "set_apply_mask", False)
    document.run(RESTORE)
    assert (document.visible(4)[..., 3] == 255).all()


def test_a_layer_group_is_restored_as_it_is_seen(document: Document, backend: FakeBackend) -> None:
    pixels = noise(40, 30)
    document.open(pixels)
    group = document.gimp.add_group(document.image, "album")
    document.gimp.add_layer(document.image, "page", 40, 30, pixels.tobytes(), parent=group)
    document.run(RESTORE, group)
    assert [layer["name"] for layer in document.layers()] == ["Restored photo", "album", "photo"]
    assert np.array_equal(backend.last.pixels[..., :3], pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_filters_are_part_of_what_is_restored(
    document: Document, backend: FakeBackend, channels: int
) -> None:
    pixels = noise(40, 30, channels)
    document.open(pixels, canvas=(50, 50), offset=(4, 6))
    document.gimp.add_mask(document.photo, bytes([255]) * 1200)
    document.gimp.call_on(document.photo, "set_opacity", 50.0)
    document.gimp.add_filter(document.photo, "gegl:invert-gamma")
    images = document.gimp.images()
    document.run(RESTORE)
    colours = min(channels, 3)
    visible = pixels[..., -1] > 0 if channels == 4 else np.ones((30, 40), bool)
    sent = backend.last.pixels
    assert np.array_equal(sent[..., :colours][visible], 255 - pixels[..., :colours][visible])
    assert np.array_equal(sent[..., colours:], pixels[..., colours:])
    assert document.gimp.images() == images


@pytest.mark.parametrize("lock", ["set_lock_position", "set_lock_visibility"])
def test_filters_of_a_locked_layer_are_part_of_what_is_restored(
    document: Document, backend: FakeBackend, lock: str
) -> None:
    pixels = noise(40, 30)
    document.open(pixels, canvas=(50, 50), offset=(4, 6))
    document.gimp.add_filter(document.photo, "gegl:invert-gamma")
    document.gimp.call_on(document.photo, "set_visible", False)
    document.gimp.call_on(document.photo, lock, True)
    document.run(RESTORE)
    assert np.array_equal(backend.last.pixels, 255 - pixels)
    assert document.gimp.call_on(document.photo, lock.replace("set_", "get_"))


def test_a_group_with_a_filter_is_restored_as_it_is_seen(
    document: Document, backend: FakeBackend
) -> None:
    pixels = noise(40, 30)
    document.open(pixels)
    group = document.gimp.add_group(document.image, "album")
    document.gimp.add_layer(document.image, "page", 40, 30, pixels.tobytes(), parent=group)
    document.gimp.add_filter(group, "gegl:invert-gamma")
    document.run(RESTORE, group)
    assert np.array_equal(backend.last.pixels[..., :3], 255 - pixels)


def test_a_link_layer_is_restored_like_any_other(document: Document, backend: FakeBackend) -> None:
    pixels = noise(40, 30)
    document.open(pixels)
    path = f"{document.gimp.place}/photo.png"
    document.gimp.save(document.image, path)
    link = document.gimp.add_link(document.image, path)
    if link is None:
        pytest.skip("This GIMP has no link layers")
    document.run(RESTORE, link)
    assert np.array_equal(backend.last.pixels[..., :3], pixels)


@pytest.mark.parametrize("lock", ["set_lock_position", "set_lock_visibility"])
def test_a_layer_in_a_locked_group_is_restored(document: Document, lock: str) -> None:
    document.open(noise(40, 30))
    outer = document.gimp.add_group(document.image, "outer")
    inner = document.gimp.add_layer(
        document.image, "inner", 40, 30, noise(40, 30).tobytes(), offset=(5, 6), parent=outer
    )
    document.gimp.call_on(outer, lock, True)
    group = document.run(RESTORE, inner)
    names = [layer["name"] for layer in document.described(outer)["children"]]
    assert names == ["Restored photo", "inner"]
    assert group["box"] == (5, 6, 45, 36)


def test_a_layer_in_a_group_with_locked_pixels_is_refused(document: Document) -> None:
    document.open(noise(40, 30))
    outer = document.gimp.add_group(document.image, "outer")
    middle = document.gimp.add_group(document.image, "middle", parent=outer)
    inner = document.gimp.add_layer(document.image, "inner", 4, 3, bytes(36), parent=middle)
    document.gimp.call_on(outer, "set_lock_content", True)
    assert "unlock the group" in document.refusal(RESTORE, inner)


def test_an_empty_group_is_refused(document: Document) -> None:
    document.open(noise(40, 30))
    group = document.gimp.add_group(document.image, "empty")
    assert "is empty" in document.refusal(RESTORE, group)


def test_a_text_layer_is_restored_like_any_other(document: Document, backend: FakeBackend) -> None:
    document.open(noise(120, 80))
    text = document.gimp.add_text(document.image, "Grandma, 1911", 18.0)
    document.run(RESTORE, text)
    assert backend.last.header.channels == 4
    names = [layer["name"] for layer in document.layers()]
    assert names == ["Restored photo", "Grandma, 1911", "photo"]


def test_a_tiny_layer_works(document: Document, backend: FakeBackend) -> None:
    backend.faces = 0
    document.open(noise(1, 1))
    document.run(RESTORE)
    seen = document.visible().astype(int)
    assert np.abs(seen - np.rint(composite(backend.last) * 255)).max() <= 1


def test_several_selected_layers_are_refused(document: Document) -> None:
    document.open(noise(40, 30))
    other = document.gimp.add_layer(document.image, "other", 5, 5, bytes(75))
    words = document.refusal(RESTORE, document.photo, other)
    assert words == "One layer is restored at a time, but 2 are selected: select one."


def test_no_selected_layer_is_refused(document: Document) -> None:
    document.open(noise(40, 30))
    status, _, words = document.gimp.run(RESTORE, document.image, [])
    assert status == "execution-error"
    assert "none is selected" in words


def test_a_floating_selection_is_refused(document: Document) -> None:
    document.open(noise(40, 30))
    document.gimp.select(document.image, "rectangle", 5, 5, 10, 10)
    floating = document.gimp.float_selection(document.photo)
    for layer in (floating, document.photo):
        assert "anchor it" in document.refusal(RESTORE, layer)


def test_a_channel_is_refused(document: Document) -> None:
    document.open(noise(40, 30))
    document.gimp.select(document.image, "rectangle", 5, 5, 10, 10)
    channel = document.gimp.save_selection(document.image)
    assert "select a layer" in document.refusal(RESTORE, channel)


def test_a_mask_whose_photo_is_gone_is_refused(document: Document) -> None:
    document.open(noise(40, 30))
    document.gimp.add_layer(document.image, "other", 5, 5, bytes(75))
    document.run("plug-in-restore-old-photo-detect")
    mask = document.named("Scratch mask")["id"]
    document.gimp.remove(document.photo)
    assert "select the photo's layer" in document.refusal(RESTORE, mask)


def test_a_second_result_lies_above_the_first(document: Document) -> None:
    document.open(noise(40, 30))
    first = document.run(RESTORE)
    second = document.run(RESTORE)
    assert [layer["id"] for layer in document.layers()] == [
        second["id"],
        first["id"],
        document.photo,
    ]


def test_enhancing_a_restored_layer_works_inside_its_group(document: Document) -> None:
    document.open(noise(60, 50))
    outer = document.run(RESTORE, enhance_faces=False)
    document.run(FACES, document.named("Restored")["id"])
    children = document.described(outer["id"])["children"]
    names = [layer["name"] for layer in children]
    assert names == ["Restored photo #1", "Restored", "Scratch repair", "Scratch mask"]


def test_a_locked_layer_in_a_group_with_a_filter_is_read_where_it_lies(
    document: Document, backend: FakeBackend
) -> None:
    pixels = noise(40, 30)
    document.open(noise(60, 50))
    group = document.gimp.add_group(document.image, "group")
    inner = document.gimp.add_layer(
        document.image, "inner", 40, 30, pixels.tobytes(), document.model(3), "u8", (10, 12), group
    )
    document.gimp.call_on(inner, "set_lock_position", True)
    document.gimp.add_filter(group, "gegl:invert-gamma")
    document.run(RESTORE, group)
    assert np.abs(backend.last.pixels[..., :3].astype(int) - (255 - pixels)).max() <= 1
    assert document.gimp.call_on(inner, "get_lock_position")
