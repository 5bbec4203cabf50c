"""The parts of the plug-in for GIMP 2.10 in this process, on the stubs."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.shared.host import Outcome, Picture, ResultLayer
from plugin.shared.languages import ENGLISH
from plugin.shared.messages import JobOptions
from plugin.shared.messages import Layer as Description
from plugin.stubs.constants import PRECISION_FLOAT_LINEAR
from plugin.stubs.document import Image
from plugin.stubs.items import Channel, GroupLayer
from plugin.stubs.program import PROGRAM
from tests.plugin.stub_runs import ROOT, image_of, mask_of, names, pixels_of

WIDTH, HEIGHT = 30, 20


@pytest.fixture(scope="module")
def package() -> Iterator[None]:
    """The plug-in's package can be imported, as beside its script in GIMP."""
    before = set(sys.modules)
    folders = [ROOT / "plugin/stubs/modules", ROOT / "plugin/gimp2/restore-old-photo"]
    shared = types.ModuleType("restore_old_photo_shared")
    shared.__path__ = [str(ROOT / "plugin" / "shared")]
    sys.modules["restore_old_photo_shared"] = shared
    sys.path[:0] = [str(folder) for folder in folders]
    yield
    del sys.path[: len(folders)]
    for name in set(sys.modules) - before:
        if name.startswith(("restore_old_photo_", "gimp")):
            del sys.modules[name]


def part(name: str) -> ModuleType:
    return importlib.import_module(f"restore_old_photo_gimp2.{name}")


@pytest.fixture
def pixels(package: None) -> ModuleType:  # noqa: ARG001 - importing needs it
    return part("pixels")


@pytest.fixture
def image() -> Image:
    made = image_of(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    made.is_exact = True
    return made


def refusal(made: Image, drawable: object) -> str:
    # The plug-in imports its shared part under another name, so its classes are others, too.
    shared = importlib.import_module("restore_old_photo_shared.errors")
    try:
        part("source").find_source(made, drawable)
    except shared.PluginError as error:
        return str(error)
    pytest.fail("it was taken")


@given(st.integers(1, 4), st.sampled_from([1, 2]), st.integers(1, 30))
@pytest.mark.usefixtures("package")
def test_channels_come_apart_and_together_again(channels: int, size: int, count: int) -> None:
    pixels = part("pixels")
    data = np.random.default_rng(count).bytes(channels * size * count)
    parts = tuple(pixels.channel(data, index, channels, size) for index in range(channels))
    samples = np.frombuffer(data, f"u{size}").reshape(count, channels)
    assert [bytes(each) for each in parts] == [c.tobytes() for c in samples.T]
    assert bytes(pixels.interleaved(parts, size)) == data


def test_eight_bits_survive_sixteen(pixels: ModuleType) -> None:
    values = bytes(range(256))
    wide = pixels.widened(values, 2)
    assert np.array_equal(np.frombuffer(wide, "u2"), np.arange(256) * 257)
    assert bytes(pixels.narrowed(wide, 2)) == values


@pytest.mark.parametrize("area", [(-5, -3, 40, 30), (4, 5, 6, 7), (25, 0, 10, 20), (40, 0, 5, 5)])
def test_outside_a_drawable_there_are_zeros(
    pixels: ModuleType, image: Image, area: tuple[int, int, int, int]
) -> None:
    x, y, width, height = area
    canvas = np.zeros((100, 100, 3), np.uint8)
    canvas[40 : 40 + HEIGHT, 40 : 40 + WIDTH] = pixels_of(image.layers[0])
    expected = canvas[40 + y : 40 + y + height, 40 + x : 40 + x + width]
    assert bytes(pixels.read(image.layers[0], area)) == expected.tobytes()


def test_a_tall_layer_is_read_and_written_in_bands(pixels: ModuleType) -> None:
    made = image_of(np.random.default_rng(1).integers(0, 256, (700, 3, 4)).astype(np.uint8))
    made.is_exact = True
    layer = made.layers[0]
    before = bytes(layer.data)
    assert bytes(pixels.read(layer, (0, 0, 3, 700))) == before
    pixels.write(layer, bytearray(reversed(before)))
    assert bytes(layer.data) == before[::-1]
    with pytest.raises(ValueError, match="Expected 8400 bytes for 3 x 700 pixels, got 1"):
        pixels.write(layer, bytearray(1))


def outcome(length: int, is_complete: bool) -> Outcome:
    """A restored picture and a repair, the latter's pixels cut short if not complete."""
    size = (WIDTH, HEIGHT, 3, 8)
    restored = Description(0, "restored", "Restored", 0, 0, *size, False)
    repair = Description(1, "repair", "Scratch repair", 0, 0, *size, True)
    short = bytes(length if is_complete else length - 3)
    layers = [
        ResultLayer(restored, bytes(length), None),
        ResultLayer(repair, short, bytes(WIDTH * HEIGHT)),
    ]
    return Outcome(layers, [], {}, "model", JobOptions())


def job_of(image: Image, is_complete: bool) -> object:
    layer = image.layers[-1]
    picture = Picture(WIDTH, HEIGHT, 3, 8, "little", bytes(layer.data))
    return part("insertion").Job(layer, picture, outcome(len(layer.data), is_complete), ENGLISH)


@pytest.mark.usefixtures("package")
def test_a_failure_midway_takes_the_group_back_and_closes_the_undo_step(image: Image) -> None:
    photo = image.layers[0]
    with pytest.raises(ValueError, match="Expected"):
        part("insertion").insert(job_of(image, is_complete=False))
    assert image.layers == [photo]
    assert image.active_layer is photo
    assert not image.has_open_undo_group


@pytest.mark.usefixtures("package")
def test_what_was_active_stays_active(image: Image) -> None:
    channel = Channel(image, "mine", WIDTH, HEIGHT)
    image.active_channel = channel
    group = part("insertion").insert(job_of(image, is_complete=True))
    assert names(image.layers) == [("Restored photo", ["Scratch repair", "Restored"]), "photo"]
    assert image.active_channel is channel
    assert not mask_of(group.children[0]).any()
    assert len(image.undo_steps) == 1


@pytest.mark.usefixtures("package")
def test_a_new_result_lies_above_earlier_ones(image: Image) -> None:
    for _ in range(2):
        part("insertion").insert(job_of(image, is_complete=True))
    assert [layer.name for layer in image.layers] == [
        "Restored photo #1",
        "Restored photo",
        "photo",
    ]


@pytest.mark.usefixtures("package")
def test_what_cannot_be_restored_is_refused_with_what_to_do(image: Image) -> None:
    photo = image.layers[0]
    assert "select the photo's layer" in refusal(image, None)
    assert "A channel is selected" in refusal(image, Channel(image, "mine", WIDTH, HEIGHT))
    empty = GroupLayer(image, "empty")
    image.insert(empty, None, 0)
    assert "layer group is empty" in refusal(image, empty)
    image.floating_selection = photo
    assert "floating selection" in refusal(image, photo)


@pytest.mark.usefixtures("package")
def test_the_mask_of_a_layer_stands_for_its_layer_and_a_lost_scratch_mask_for_none(
    image: Image,
) -> None:
    photo = image.layers[0]
    mask = photo.create_mask(0)
    photo.add_mask(mask)
    assert part("source").find_source(image, mask) is photo
    group = part("insertion").insert(job_of(image, is_complete=True))
    group.children[0].attach_new_parasite(
        "restore-old-photo", 1, b'{"kind": "mask", "source": 999}'
    )
    # What the note names is no layer here, but the group still lies above the photo.
    assert part("source").find_source(image, group.children[0]) is photo
    image.remove_layer(photo)
    assert "is not known" in refusal(image, group.children[0])


@pytest.mark.usefixtures("package")
def test_what_is_noted_on_each_layer_comes_and_goes_with_it(image: Image) -> None:
    group = part("insertion").insert(job_of(image, is_complete=True))
    for layer in (group, *group.children):
        assert "restore-old-photo" in layer.parasites, layer.name
    # A note of its own in the undo history is one that GIMP says it cannot undo.
    assert "insert" in image.undo_steps[-1]
    assert "parasite" not in image.undo_steps[-1]


@pytest.mark.usefixtures("package")
def test_other_precisions_are_refused_with_what_to_do(image: Image) -> None:
    image.precision = PRECISION_FLOAT_LINEAR
    with pytest.raises(Exception, match="choose 8 or 16 bit integer"):
        part("pixels").sample_depth(image)


@pytest.mark.usefixtures("package")
def test_the_host_ends_its_progress_bar_also_after_a_failure(image: Image) -> None:
    PROGRAM.images.append(image)
    host = part("host").Gimp2Host(image, image.layers[0], ENGLISH)

    def fail(watcher: object) -> Outcome:
        assert PROGRAM.is_in_progress
        watcher.show("Finding faces", 0.5)  # type: ignore[attr-defined]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        host.wait(fail)
    assert not PROGRAM.is_in_progress
    assert PROGRAM.progress[-1] == ("Finding faces", 0.5)


@pytest.mark.usefixtures("package")
def test_a_photo_that_was_closed_meanwhile_gets_no_layers(image: Image) -> None:
    host = part("host").Gimp2Host(image, image.layers[0], ENGLISH)
    image.is_deleted = True
    picture = Picture(WIDTH, HEIGHT, 3, 8, "little", b"")
    with pytest.raises(Exception, match="was closed or its layer deleted"):
        host.insert(picture, outcome(WIDTH * HEIGHT * 3, is_complete=True))


@pytest.mark.usefixtures("package")
def test_a_layer_that_was_cropped_meanwhile_gets_no_layers(image: Image) -> None:
    host = part("host").Gimp2Host(image, image.layers[0], ENGLISH)
    PROGRAM.images.append(image)
    picture = Picture(WIDTH + 1, HEIGHT, 3, 8, "little", b"")
    with pytest.raises(Exception, match="was cropped, scaled or turned"):
        host.insert(picture, outcome(WIDTH * HEIGHT * 3, is_complete=True))
