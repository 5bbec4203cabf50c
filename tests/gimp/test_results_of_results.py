"""What was merged, copied, moved or restored again: which layer is restored, with which mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .document import DETECT, FACES, REPAIR, RESTORE, Document, noise
from .fake_backend import FakeBackend

pytestmark = pytest.mark.gimp

EXPAND_AS_NECESSARY = 0
APPLY = 0


def names(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["name"] for layer in layers]


def test_a_merged_group_is_a_layer_like_any_other(document: Document, backend: FakeBackend) -> None:
    document.open(noise(60, 50))
    group = document.run(RESTORE)
    merged = document.gimp.call_on(group["id"], "merge")
    pixels = document.read(merged)
    second = document.run(RESTORE, merged)
    assert np.array_equal(backend.last.pixels[..., :3], pixels)
    assert [layer["id"] for layer in document.layers()] == [second["id"], merged, document.photo]
    document.gimp.remove(document.photo)
    document.run(FACES, merged)
    assert np.array_equal(backend.last.pixels[..., :3], pixels)


@pytest.mark.parametrize("way", [("merge_visible_layers", EXPAND_AS_NECESSARY), ("flatten",)])
def test_what_was_merged_from_a_group_is_a_layer_like_any_other(
    document: Document, backend: FakeBackend, way: tuple[Any, ...]
) -> None:
    document.open(noise(60, 50))
    document.run(RESTORE)
    document.gimp.call_on(document.photo, "set_visible", False)
    merged = document.gimp.call_on_image(document.image, *way)
    pixels = document.read(merged)
    document.run(RESTORE, merged)
    assert np.array_equal(backend.last.pixels[..., :3], pixels)


def test_a_result_lies_above_earlier_ones_and_above_what_lies_between(document: Document) -> None:
    document.open(noise(40, 30))
    first = document.run(RESTORE)
    between = document.gimp.add_layer(
        document.image, "dodge and burn", 40, 30, bytes(4800), document.model(4), at=1
    )
    second = document.run(RESTORE)
    expected = [second["id"], first["id"], between, document.photo]
    assert [layer["id"] for layer in document.layers()] == expected


def test_what_was_found_on_a_restored_layer_belongs_to_it_and_not_to_the_photo(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(60, 50))
    document.run(RESTORE)
    restored = document.named("Restored")["id"]
    detected = document.run(DETECT, restored)
    mask = detected["children"][0]["id"]
    painted = np.full((50, 60, 3), 77, np.uint8)
    document.gimp.write(mask, painted.tobytes(), document.model(3))
    document.run(REPAIR, document.photo)
    assert not (backend.last.mask == 77).any()
    assert document.described(mask)["visible"]
    document.run(FACES, mask)
    assert np.array_equal(backend.last.pixels, document.read(restored))
    second = document.run(REPAIR, restored)
    assert (backend.last.mask == 77).all()
    assert not document.described(mask)["visible"]
    group = document.described(document.layers()[-2]["id"])
    assert names(group["children"])[-4:-2] == [detected["name"], "Restored"]
    assert group["children"][1]["id"] == second["id"]


def test_a_mask_of_a_restored_layer_is_known_in_a_copy_of_the_image(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(60, 50))
    document.run(RESTORE)
    detected = document.run(DETECT, document.named("Restored")["id"])
    painted = np.full((50, 60, 3), 77, np.uint8)
    mask = detected["children"][0]["id"]
    document.gimp.write(mask, painted.tobytes(), document.model(3))
    original, document.image = document.image, document.gimp.duplicate(document.image)
    try:
        document.run(REPAIR, document.named("Restored")["id"])
        assert (backend.last.mask == 77).all()
        document.run(REPAIR, document.named("photo")["id"])
        assert not (backend.last.mask == 77).any()
    finally:
        document.close()
        document.image = original


def test_results_of_a_copy_of_the_restored_layer_lie_above_each_other(
    document: Document,
) -> None:
    document.open(noise(60, 50))
    document.run(RESTORE)
    restored = document.named("Restored")["id"]
    original, document.image = document.image, document.gimp.new_image(60, 50)
    try:
        document.gimp.copy_layers(original, document.image, restored)
        kept = document.layers()[0]["id"]
        first = document.run(RESTORE, kept)
        second = document.run(RESTORE, kept)
        assert [layer["id"] for layer in document.layers()] == [second["id"], first["id"], kept]
    finally:
        document.close()
        document.image = original


@pytest.mark.parametrize("name", ["Face 1", "Scratch repair", "Faces"])
@pytest.mark.parametrize("is_mask_active", [False, True])
def test_a_part_of_the_result_stands_for_the_photo(
    document: Document, backend: FakeBackend, name: str, is_mask_active: bool
) -> None:
    pixels = noise(60, 50)
    document.open(pixels)
    document.gimp.select(document.image, "rectangle", 10, 10, 6, 6)
    first = document.run(RESTORE)
    part = document.named(name)
    chosen = part["mask"] if is_mask_active and part["mask"] else part["id"]
    second = document.run(RESTORE, chosen)
    assert np.array_equal(backend.last.pixels, pixels)
    assert [layer["id"] for layer in document.layers()[:2]] == [second["id"], first["id"]]


def test_a_part_without_its_photo_or_merged_is_restored_itself(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(60, 50))
    document.gimp.select(document.image, "rectangle", 10, 10, 6, 6)
    document.run(RESTORE)
    repair = document.named("Scratch repair")["id"]
    document.gimp.call_on(repair, "remove_mask", APPLY)
    document.run(FACES, repair)
    assert np.array_equal(backend.last.pixels[..., :3], document.read(repair))
    document.gimp.remove(document.photo)
    face = document.named("Face 1")["id"]
    document.run(FACES, face)
    assert np.array_equal(backend.last.pixels, document.read(face))


def test_a_photo_that_was_renamed_keeps_its_mask_wherever_the_group_is(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30, seed=1))
    other = document.gimp.add_layer(
        document.image, "other", 40, 30, noise(40, 30, seed=2).tobytes()
    )
    group = document.run(DETECT)
    document.gimp.call_on(document.photo, "set_name", "Grandma")
    document.gimp.raise_to_top(group["id"])
    assert "nothing is selected" in document.refusal(REPAIR, other)
    second = document.run(REPAIR, group["children"][0]["id"])
    assert np.array_equal(backend.last.pixels, noise(40, 30, seed=1))
    assert backend.last.mask.any()
    assert document.layers()[0]["id"] == second["id"]
