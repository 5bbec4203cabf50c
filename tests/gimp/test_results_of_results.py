"""What was merged, copied, moved or restored again: which layer is restored, with which mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .document import FACES, RESTORE, Document, noise
from .fake_backend import FakeBackend

pytestmark = pytest.mark.gimp

EXPAND_AS_NECESSARY = 0


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
