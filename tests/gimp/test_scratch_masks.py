"""Which damage the backend is told of: the selection, the mask layer, or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from .document import DETECT, FACES, REPAIR, RESTORE, Document, facts, noise
from .fake_backend import FakeBackend

pytestmark = pytest.mark.gimp


def test_a_soft_selection_keeps_its_values_under_an_offset_layer(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30), canvas=(60, 50), offset=(8, 5))
    document.gimp.select(document.image, "ellipse", 10, 10, 20, 15)
    document.gimp.feather(document.image, 8)
    selection = document.selection()
    document.run(RESTORE)
    assert len(np.unique(selection)) > 20
    assert np.array_equal(backend.last.mask, selection[5:35, 8:48])


def test_a_layer_reaching_out_of_the_canvas_is_unselected_there(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30), canvas=(20, 20), offset=(-10, -4))
    document.gimp.select(document.image, "rectangle", 0, 0, 5, 5)
    document.run(RESTORE)
    expected = np.zeros((30, 40), np.uint8)
    expected[4:9, 10:15] = 255
    assert np.array_equal(backend.last.mask, expected)


def test_without_a_selection_no_mask_is_sent(document: Document, backend: FakeBackend) -> None:
    document.open(noise(40, 30))
    document.run(RESTORE)
    assert backend.last.mask is None
    assert backend.last.header.options.scratches == "automatic"


@pytest.mark.parametrize("procedure", [RESTORE, DETECT, REPAIR])
def test_a_selection_beside_the_layer_is_refused(document: Document, procedure: str) -> None:
    document.open(noise(20, 20), canvas=(60, 50))
    document.gimp.select(document.image, "rectangle", 30, 30, 10, 10)
    assert "lies outside the layer" in document.refusal(procedure)


@pytest.mark.parametrize("procedure", [RESTORE, DETECT, REPAIR])
def test_a_selection_of_everything_is_refused(document: Document, procedure: str) -> None:
    document.open(noise(20, 20))
    document.gimp.select(document.image, "all")
    assert "covers the whole layer" in document.refusal(procedure)


@pytest.mark.parametrize("procedure", [RESTORE, DETECT, REPAIR])
def test_a_selection_of_all_that_the_canvas_shows_is_refused(
    document: Document, procedure: str
) -> None:
    document.open(noise(60, 50), canvas=(40, 30), offset=(-10, -10))
    document.gimp.select(document.image, "all")
    assert "covers the whole layer" in document.refusal(procedure)


def test_faces_do_not_care_about_the_selection(document: Document, backend: FakeBackend) -> None:
    document.open(noise(60, 50))
    document.gimp.select(document.image, "all")
    document.run(FACES)
    assert backend.last.mask is None


def test_repair_without_selection_and_mask_says_what_to_do(document: Document) -> None:
    document.open(noise(20, 20))
    assert "select the damage, or run Detect Scratches first" in document.refusal(REPAIR)


def test_all_switched_off_is_refused(document: Document) -> None:
    document.open(noise(20, 20))
    words = document.refusal(scratches="none", whole_picture=False, enhance_faces=False)
    assert "switch one of them on" in words


def test_a_detected_mask_is_repaired_as_it_is(document: Document, backend: FakeBackend) -> None:
    document.open(noise(40, 30))
    document.run(DETECT)
    document.run(REPAIR)
    expected = np.zeros((30, 40), np.uint8)
    expected[:, 20] = 200
    assert np.array_equal(backend.last.mask, expected)
    # GIMP itself numbers equal names.
    names = [layer["name"] for layer in document.layers()]
    assert names == ["Restored photo #1", "Restored photo", "photo"]


def test_the_glow_of_a_detection_does_not_lie_over_the_repair(document: Document) -> None:
    pixels = noise(40, 30)
    document.open(pixels)
    document.run(DETECT)
    document.run(REPAIR)
    assert np.array_equal(np.delete(document.visible(), 20, 1), np.delete(pixels, 20, 1))


def test_a_glow_whose_visibility_is_locked_is_hidden_and_stays_locked(document: Document) -> None:
    document.open(noise(60, 50))
    document.run(DETECT)
    mask = document.named("Scratch mask")["id"]
    document.gimp.call_on(mask, "set_lock_visibility", True)
    document.run(RESTORE)
    assert not document.described(mask)["visible"]
    assert document.gimp.call_on(mask, "get_lock_visibility")


def test_filters_on_the_mask_layer_count(document: Document, backend: FakeBackend) -> None:
    document.open(noise(40, 30))
    document.run(DETECT)
    document.gimp.add_filter(document.named("Scratch mask")["id"], "gegl:invert-gamma")
    document.run(REPAIR)
    expected = np.full((30, 40), 255, np.uint8)
    expected[:, 20] = 55
    assert np.array_equal(backend.last.mask, expected)


def test_a_repainted_mask_takes_the_place_of_detection(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30))
    document.run(RESTORE)
    painted = np.zeros((30, 40, 3), np.uint8)
    painted[3:9, 4:7] = 255
    painted[20, 20] = 100
    document.gimp.write(document.named("Scratch mask")["id"], painted.tobytes())
    document.run(RESTORE)
    assert backend.last.header.options.scratches == "mask"
    assert np.array_equal(backend.last.mask, painted[..., 0])


def test_detecting_again_ignores_the_old_mask(document: Document, backend: FakeBackend) -> None:
    document.open(noise(40, 30))
    document.run(DETECT)
    document.run(DETECT)
    assert backend.last.mask is None
    assert backend.last.header.options.scratches == "automatic"


def test_a_mask_layer_and_a_selection_are_joined(document: Document, backend: FakeBackend) -> None:
    document.open(noise(40, 30))
    document.run(DETECT)
    document.gimp.select(document.image, "rectangle", 2, 2, 3, 3)
    document.run(RESTORE)
    expected = np.zeros((30, 40), np.uint8)
    expected[:, 20] = 200
    expected[2:5, 2:5] = 255
    assert np.array_equal(backend.last.mask, expected)


def test_for_repair_a_selection_wins_over_the_mask_layer(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30))
    document.run(DETECT)
    document.gimp.select(document.image, "rectangle", 2, 2, 3, 3)
    document.run(REPAIR)
    assert (backend.last.mask[:, 20] == 0).all()
    assert backend.last.mask.sum() == 9 * 255


def test_a_moved_and_erased_mask_is_read_where_it_lies(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30))
    document.run(DETECT)
    mask = document.named("Scratch mask")["id"]
    document.gimp.call_on(mask, "set_offsets", 5, 0)
    document.gimp.call_on(mask, "add_alpha")
    pixels = np.zeros((30, 40, 4), np.uint8)
    pixels[:, 20] = (255, 255, 255, 255)
    pixels[10:, 20, 3] = 0
    document.gimp.write(mask, pixels.tobytes(), "R'G'B'A")
    document.run(REPAIR)
    expected = np.zeros((30, 40), np.uint8)
    expected[:10, 25] = 255
    assert np.array_equal(backend.last.mask, expected)


def test_a_hand_made_layer_of_that_name_is_a_mask(document: Document, backend: FakeBackend) -> None:
    document.open(noise(40, 30, 1))
    values = np.zeros((30, 40), np.uint8)
    values[4:8, 4:8] = 180
    document.gimp.add_layer(document.image, "Scratch mask", 40, 30, values.tobytes(), "Y'")
    document.run(REPAIR)
    assert np.array_equal(backend.last.mask, values)


def test_a_black_mask_layer_is_refused_for_repair(document: Document) -> None:
    document.open(noise(40, 30, 1))
    document.gimp.add_layer(document.image, "Scratch mask", 40, 30, bytes(1200), "Y'")
    assert "is black" in document.refusal(REPAIR)


def test_running_with_the_mask_selected_restores_its_photo(
    document: Document, backend: FakeBackend
) -> None:
    pixels = noise(40, 30)
    document.open(pixels)
    document.run(DETECT)
    group = document.run(RESTORE, document.named("Scratch mask")["id"])
    assert np.array_equal(backend.last.pixels, pixels)
    assert facts(group)["source"] == facts(document.layers()[1])["source"]


def test_two_photos_in_one_image_keep_their_own_masks(
    document: Document, backend: FakeBackend
) -> None:
    first = document.open(noise(40, 30))
    other = document.gimp.add_layer(
        document.image, "other", 40, 30, noise(40, 30, seed=1).tobytes()
    )
    document.run(DETECT, first)
    assert "nothing is selected" in document.refusal(REPAIR, other)
    document.run(REPAIR, first)
    assert backend.last.mask is not None


def test_a_wide_feather_is_no_selection_of_everything(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30))
    document.gimp.select(document.image, "ellipse", 10, 10, 20, 15)
    document.gimp.feather(document.image, 60)
    assert document.selection().all()
    document.run(REPAIR)
    assert np.array_equal(backend.last.mask, document.selection())


@pytest.mark.parametrize("procedure", [RESTORE, REPAIR])
def test_quick_mask_is_told(document: Document, procedure: str) -> None:
    document.open(noise(40, 30))
    document.gimp.add_channel(document.image, "Qmask")
    assert "switch it off" in document.refusal(procedure)


@pytest.mark.parametrize("color", [(255, 255, 255), (255, 0, 0), (0, 0, 255)])
def test_a_hand_made_mask_of_any_colour_does_not_cover_the_result(
    document: Document, backend: FakeBackend, color: tuple[int, int, int]
) -> None:
    document.open(noise(40, 30))
    painted = np.zeros((30, 40, 3), np.uint8)
    painted[5:9, 5:9] = color
    mask = document.gimp.add_layer(
        document.image, "Scratch mask", 40, 30, painted.tobytes(), document.model(3)
    )
    document.run(RESTORE)
    assert np.array_equal(backend.last.mask, painted.max(axis=2))
    assert not document.described(mask)["visible"]


def test_a_hand_made_mask_or_the_group_stands_for_the_photo(
    document: Document, backend: FakeBackend
) -> None:
    pixels = noise(40, 30)
    document.open(pixels)
    group = document.run(DETECT)
    document.run(RESTORE, group["id"])
    assert np.array_equal(backend.last.pixels, pixels)
    painted = np.zeros((30, 40, 3), np.uint8)
    drawn = document.gimp.add_layer(
        document.image, "Scratch mask", 40, 30, painted.tobytes(), document.model(3)
    )
    assert "which layer it belongs to is not known" in document.refusal(RESTORE, drawn)


def detected(document: Document, *, paint: int) -> None:
    """Two photos, the lower of which has a detected mask that was painted over."""
    document.open(noise(40, 30, seed=1))
    document.run(DETECT)
    values = np.full((30, 40, 3), paint, np.uint8)
    document.gimp.write(document.named("Scratch mask")["id"], values.tobytes(), document.model(3))
    second = noise(40, 30, seed=2).tobytes()
    document.gimp.add_layer(document.image, "second", 40, 30, second, document.model(3))


def test_a_duplicate_of_the_image_keeps_masks_and_photos_together(
    document: Document, backend: FakeBackend
) -> None:
    detected(document, paint=77)
    original, document.image = document.image, document.gimp.duplicate(document.image)
    try:
        document.run(REPAIR, document.named("photo")["id"])
        assert (backend.last.mask == 77).all()
        assert "nothing is selected" in document.refusal(REPAIR, document.named("second")["id"])
        document.run(RESTORE, document.named("Scratch mask")["id"])
        assert np.array_equal(backend.last.pixels, noise(40, 30, seed=1))
    finally:
        document.close()
        document.image = original


def test_layers_of_another_document_bring_their_masks_and_leave_the_photo_here_alone(
    document: Document, backend: FakeBackend
) -> None:
    detected(document, paint=77)
    original = document.image
    here = document.open(noise(40, 30, seed=3))
    document.gimp.call_on(here, "set_name", "here")
    target, document.image = document.image, original
    try:
        document.gimp.copy_layers(original, target)
        document.image = target
        # GIMP gives copies the names of their layers with a word added.
        copy = next(layer for layer in document.layers() if layer["name"].startswith("photo"))
        document.run(REPAIR, copy["id"])
        assert (backend.last.mask == 77).all()
        assert "nothing is selected" in document.refusal(REPAIR, here)
    finally:
        document.image = original
        document.close()
        document.image = target
