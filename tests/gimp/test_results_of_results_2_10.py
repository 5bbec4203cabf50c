"""As test_results_of_results.py, in a real GIMP 2.10."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from plugin.stubs.constants import RUN_NONINTERACTIVE
from plugin.stubs.document import Image
from plugin.stubs.items import Layer
from tests.plugin.stub_runs import image_of

from .document import DETECT, REPAIR, RESTORE, noise
from .fake_backend import FakeBackend
from .old_gimp import OldGimp
from .provision import OLD_TREE, ProvisionError, provide
from .test_gimp_2_10 import ALL, CPU, array, named

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

PHOTO, OTHER = noise(40, 30, seed=1), noise(40, 30, seed=2)
RUN_RESTORE = (RESTORE, ALL, RUN_NONINTERACTIVE)
RUN_DETECT = (DETECT, (0.0, *CPU), RUN_NONINTERACTIVE)
RUN_REPAIR = (REPAIR, (*CPU, ""), RUN_NONINTERACTIVE)


@pytest.fixture(scope="module")
def gimp() -> Iterator[OldGimp]:
    try:
        provide(OLD_TREE)
    except ProvisionError as error:
        pytest.skip(f"GIMP 2.10 is not available: {error}")
    made = OldGimp(OLD_TREE)
    yield made
    made.close()


@pytest.fixture
def backend(gimp: OldGimp, shared_backend: FakeBackend) -> FakeBackend:
    shared_backend.reset()
    shared_backend.publish(gimp.home)
    return shared_backend


def two_photos() -> Image:
    """The lower one, "photo", is active."""
    image = image_of(PHOTO)
    other = Layer(image, "other", 40, 30)
    other.data = bytearray(OTHER.tobytes())
    image.insert(other, None, 0)
    image.active_layer = image.layers[1]
    return image


def select(name: str) -> tuple[str, list[str]]:
    return ("gimp-image-set-active-layer", ["@", f"@{name}"])


def top(answer: dict[str, Any]) -> list[str]:
    return [layer["name"] for layer in answer["layers"]]


def test_a_merged_group_is_a_layer_like_any_other(gimp: OldGimp, backend: FakeBackend) -> None:
    merge = ("gimp-image-merge-layer-group", ["@", "@Restored photo"])
    answer = gimp.run(image_of(PHOTO), RUN_RESTORE, merge, select("Restored photo"), RUN_RESTORE)
    assert top(answer) == ["Restored photo #1", "Restored photo", "photo"]
    merged = answer["layers"][1]
    assert not merged["children"]
    sent = backend.last.pixels[..., :3]
    assert np.array_equal(sent, array(merged["data"], merged)[..., :3])


def test_a_result_lies_above_earlier_ones_and_above_what_lies_between(
    gimp: OldGimp, backend: FakeBackend
) -> None:
    raise_group = ("gimp-image-raise-item-to-top", ["@", "@Restored photo"])
    answer = gimp.run(two_photos(), RUN_RESTORE, raise_group, RUN_RESTORE)
    assert top(answer) == ["Restored photo #1", "Restored photo", "other", "photo"]
    assert np.array_equal(backend.last.pixels, PHOTO)


def test_what_was_found_on_a_restored_layer_belongs_to_it_and_not_to_the_photo(
    gimp: OldGimp, backend: FakeBackend
) -> None:
    first = [RUN_RESTORE, select("Restored"), RUN_DETECT]
    answer = gimp.run(image_of(PHOTO), *first, select("Scratch mask #1"), RUN_REPAIR)
    assert top(answer) == ["Restored photo", "photo"]
    inside = [layer["name"] for layer in answer["layers"][0]["children"]]
    later = ["Restored photo #2", "Restored photo #1"]
    assert inside == ["Faces", *later, "Restored", "Scratch repair", "Scratch mask"]
    restored = named(answer, "Restored")
    assert np.array_equal(backend.last.pixels, array(restored["data"], restored))


def test_a_part_of_the_result_stands_for_the_photo(gimp: OldGimp, backend: FakeBackend) -> None:
    jobs = [RUN_RESTORE, select("Face 1"), RUN_RESTORE, select("Scratch repair"), RUN_RESTORE]
    answer = gimp.run(image_of(PHOTO), RUN_DETECT, *jobs)
    assert top(answer)[-1] == "photo"
    assert len(top(answer)) == 5
    assert [np.array_equal(job.pixels, PHOTO) for job in backend.jobs] == [True] * 4


def test_a_photo_that_was_renamed_keeps_its_mask_wherever_the_group_is(
    gimp: OldGimp, backend: FakeBackend
) -> None:
    rename = ("gimp-item-set-name", ["@photo", "Grandma"])
    raise_group = ("gimp-image-raise-item-to-top", ["@", "@Restored photo"])
    run_both = [select("other"), RUN_REPAIR, select("Scratch mask"), RUN_REPAIR]
    answer = gimp.run(two_photos(), RUN_DETECT, rename, raise_group, *run_both)
    assert answer["results"][1:] == [{"error": "execution error"}, {"group": "Restored photo #1"}]
    assert np.array_equal(backend.last.pixels, PHOTO)
