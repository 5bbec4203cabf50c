"""The plug-in for GIMP 2.10 on the stubs, with the real backend: from this Python and from 2.7."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.images import Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from plugin.stubs.constants import (
    INDEXED,
    LAYER_COLOR_SPACE_RGB_PERCEPTUAL,
    RGB,
)
from plugin.stubs.document import Image
from plugin.stubs.items import GroupLayer, Layer
from tests.gimp.real_backend import RealBackend
from tests.plugin.stub_runs import (
    Array,
    Finished,
    image_of,
    mask_of,
    names,
    pixels_of,
    run_command,
    select,
)
from tests.plugin.test_old_pythons import interpreters

pytestmark = pytest.mark.slow

PYTHONS = [sys.executable, *[path for path in interpreters() if "2.7" in path][:1]]
IDS = ["this-python", "python-2.7"][: len(PYTHONS)]
WIDTH, HEIGHT = 160, 120


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The data folder of a running backend with the bundled weights."""
    missing = RealBackend.what_is_missing()
    if missing:
        pytest.skip(missing)
    backend = RealBackend()
    try:
        backend.start()
        facts = {"python": sys.executable, "home": str(backend.home), "version": "0.1.0"}
        (backend.home / "installation.json").write_text(json.dumps(facts))
        yield backend.home
    finally:
        backend.stop()


@pytest.fixture(params=PYTHONS, ids=IDS)
def run(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Callable[..., Finished]:
    """The command in one Python."""

    def call(image: Image, *arguments: str, expected: int = 0) -> Finished:
        for name in ("before", "after"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        everywhere = ("--set", "device=1")
        return run_command(
            request.param, home, image, tmp_path, *everywhere, *arguments, expected=expected
        )

    return call


def shaded(channels: int = 3, kind: type = np.uint8) -> Array:
    """Soft shades with a white scratch from top to bottom at a third of the width."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    shade = 110 + 50 * np.sin(x / 23.0) + 40 * np.cos(y / 17.0)
    shade[:, WIDTH // 3 : WIDTH // 3 + 3] = 250
    pixels = np.stack([shade, shade * 0.9, shade * 0.8], axis=2)[..., : 1 if channels < 3 else 3]
    if channels in (2, 4):
        alpha = np.full((HEIGHT, WIDTH, 1), 255.0)
        alpha[:30, :40] = 0
        pixels = np.concatenate([pixels, alpha], axis=2)
    scale = 257 if kind is np.uint16 else 1
    return (np.clip(pixels, 0, 255).astype(kind) * scale).astype(kind)


def around_scratch() -> Array:
    """A selection of the scratch with soft edges."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    first = WIDTH // 3
    values[:, first - 2 : first + 5] = 120
    values[:, first - 1 : first + 4] = 255
    return values


def group_of(image: Image) -> GroupLayer:
    group = image.layers[0]
    assert isinstance(group, GroupLayer)
    return group


def child(group: Layer, name: str) -> Layer:
    return next(layer for layer in group.children if layer.name == name)


def facts_of(layer: Layer) -> dict[str, object]:
    return dict(json.loads(layer.parasites["restore-old-photo"].data.rstrip(b"\0")))


def seen(group: GroupLayer) -> Array:
    """What the group's visible layers show together, with encoded values as GIMP blends them."""
    # It covers the repair below it.
    canvas = pixels_of(child(group, "Restored")).astype(float)
    faces = [face for layer in group.children for face in layer.children]
    for layer in reversed(faces):
        x, y = (a - b for a, b in zip(layer.offsets, group.offsets, strict=True))
        area = np.s_[y : y + layer.height, x : x + layer.width]
        share = mask_of(layer)[..., None] / 255
        canvas[area] += (pixels_of(layer) - canvas[area]) * share
    return np.rint(canvas)


def test_a_selection_leads_to_the_pipelines_picture_in_one_undo_step(
    run: Callable[..., Finished],
) -> None:
    pixels = shaded()
    image = image_of(pixels)
    select(image, around_scratch())
    done = run(image)
    assert names(done.image.layers) == [
        ("Restored photo", ["Restored", "Scratch repair", "Scratch mask"]),
        "photo",
    ]
    group = group_of(done.image)
    assert len(done.undo_steps) == 1
    assert done.image.active_layer is done.image.layers[1]
    assert np.array_equal(pixels_of(done.image.layers[1]), pixels)
    assert [layer.visible for layer in group.children] == [True, True, False]
    assert facts_of(group)["source"] == done.image.layers[1].tattoo
    options = Options(device="cpu")
    result = restore(
        Picture(pixels),
        around_scratch(),
        options,
        Networks.for_options(options),
        lambda _: None,
        lambda: False,
    )
    assert np.abs(seen(group) - result.final).max() <= 1


def test_16_bit_gray_with_alpha_off_the_canvas_stays_what_it_is(
    run: Callable[..., Finished],
) -> None:
    pixels = shaded(2, np.uint16)
    done = run(image_of(pixels, canvas=(120, 100), offset=(-20, 15)))
    group = group_of(done.image)
    restored = child(group, "Restored")
    assert restored.offsets == (-20, 15)
    got = pixels_of(restored)
    assert got.dtype == np.uint16
    assert np.array_equal(got[..., 1], pixels[..., 1])
    opaque = pixels[..., 1] > 0
    # Samples that were only widened from 8 bits would all be multiples of 257.
    assert (got[..., 0][opaque] % 257 != 0).any()
    assert np.array_equal(pixels_of(done.image.layers[1]), pixels)


def test_a_repair_changes_nothing_outside_the_selection(run: Callable[..., Finished]) -> None:
    pixels = shaded()
    image = image_of(pixels, canvas=(WIDTH + 30, HEIGHT + 20), offset=(30, 20))
    selection = np.zeros((HEIGHT + 20, WIDTH + 30), np.uint8)
    selection[20:, 30:] = around_scratch()
    select(image, selection)
    done = run(image, "--action", "repair")
    group = group_of(done.image)
    repair = child(group, "Scratch repair")
    touched = np.zeros((HEIGHT, WIDTH), bool)
    x, y = repair.offsets[0] - 30, repair.offsets[1] - 20
    touched[y : y + repair.height, x : x + repair.width] = mask_of(repair) > 0
    assert touched[:, WIDTH // 3 + 1].all()
    assert not (touched & (around_scratch() == 0)).any()
    inside = pixels_of(repair)[:, WIDTH // 3 + 1 - x].astype(int)
    assert np.abs(inside - pixels[y : y + repair.height, WIDTH // 3 + 1]).mean() > 20
    assert names(done.image.layers)[1] == "photo"


def test_a_corrected_mask_layer_is_what_is_repaired(run: Callable[..., Finished]) -> None:
    image = run(image_of(shaded()), "--action", "detect").image
    group = group_of(image)
    mask = child(group, "Scratch mask")
    assert (mask.mode, mask.opacity) == (31, 60.0)
    # The user paints over the lower half with black.
    half = HEIGHT // 2
    painted = pixels_of(mask).copy()
    assert (painted[:half, WIDTH // 3 + 1] > 0).all()
    painted[half:] = 0
    mask.data = bytearray(painted.tobytes())
    image.active_layer = mask
    done = run(image, "--action", "repair")
    repair = child(group_of(done.image), "Scratch repair")
    assert repair.offsets[1] + repair.height <= half + 1
    older = done.image.layers[1]
    assert not child(older, "Scratch mask").visible
    assert done.image.active_layer is child(older, "Scratch mask")


def test_an_indexed_photo_becomes_rgb_and_keeps_its_colours(run: Callable[..., Finished]) -> None:
    image = Image(WIDTH, HEIGHT, INDEXED)
    image.colormap = bytes(value for index in range(256) for value in (index, index // 2, 10))
    layer = Layer(image, "photo", WIDTH, HEIGHT, 4)
    layer.data = bytearray(shaded(1).tobytes())
    image.insert(layer, None, 0)
    # The colour map is a cast, which the tone network would rightly take out.
    done = run(image, "--set", "tone=0")
    assert done.image.base_type == RGB
    indices = shaded(1)[..., 0]
    expected = np.stack([indices, indices // 2, np.full_like(indices, 10)], axis=2)
    assert np.array_equal(pixels_of(done.image.layers[1]), expected)
    restored = pixels_of(child(group_of(done.image), "Restored")).astype(int)
    keep = np.abs(np.arange(WIDTH) - WIDTH // 3 - 1) > 12
    assert np.abs(restored - expected)[:, keep].mean() < 10
    assert len(done.undo_steps) == 1


def test_the_sources_mask_hides_in_the_result_what_it_hides_in_the_photo(
    run: Callable[..., Finished],
) -> None:
    image = image_of(shaded())
    layer = image.layers[0]
    mask = layer.create_mask(0)
    values = np.full((HEIGHT, WIDTH), 255, np.uint8)
    values[:, : WIDTH // 4] = 77
    mask.data = bytearray(values.tobytes())
    layer.add_mask(mask)
    done = run(image)
    assert np.array_equal(mask_of(group_of(done.image)), values)


def test_every_layer_is_composited_with_encoded_values(run: Callable[..., Finished]) -> None:
    image = image_of(shaded())
    select(image, around_scratch())
    done = run(image)
    spaces = [layer.composite_space for layer in done.image.all_layers()]
    assert set(spaces[:-1]) == {LAYER_COLOR_SPACE_RGB_PERCEPTUAL}


def test_the_menu_the_script_and_the_repetition_call_the_same(run: Callable[..., Finished]) -> None:
    trees = [
        names(run(image_of(shaded()), "--mode", mode, "--set", "scratches=2").image.layers)
        for mode in ("interactive", "script")
    ]
    assert trees[0] == trees[1] == [("Restored photo", ["Restored"]), "photo"]
    # Nothing was run before, so the last values are the defaults.
    again = names(run(image_of(shaded()), "--mode", "again").image.layers)
    assert again == [("Restored photo", ["Restored", "Scratch repair", "Scratch mask"]), "photo"]


def locked(image: Image) -> Image:
    photo = image.layers.pop()
    group = GroupLayer(image, "Mappe für Öl")
    image.insert(group, None, 0)
    photo.is_attached = False
    image.insert(photo, group, 0)
    group.lock_content = True
    return image


def selected_wholly(image: Image) -> Image:
    select(image, np.full((HEIGHT, WIDTH), 200, np.uint8))
    return image


@pytest.mark.parametrize(
    ("prepare", "arguments", "words"),
    [
        (lambda image: image, ["--action", "repair"], "run Detect Scratches first"),
        (selected_wholly, [], "covers the whole layer"),
        (locked, [], 'in the group "Mappe für Öl", whose pixels are locked'),
        (
            lambda image: image,
            ["--set", "scratches=2", "--set", "whole-picture=0", "--set", "enhance-faces=0"],
            "switch one of them on",
        ),
        (lambda image: image, ["--mode", "script", "--set", "weights=7"], "must be from 0 to 1"),
        (lambda image: image, ["--mode", "script", "--set", "strength=-1"], "strength is -1"),
        (lambda image: image, ["--set", "weights=Official"], "weights"),
    ],
)
def test_a_refusal_is_one_sentence_and_changes_nothing(
    run: Callable[..., Finished],
    prepare: Callable[[Image], Image],
    arguments: list[str],
    words: str,
) -> None:
    image = prepare(image_of(shaded()))
    done = run(image, *arguments, expected=1)
    (sentence,) = [line for line in done.output.splitlines() if line.startswith("GIMP: ")]
    assert words in sentence
    assert sentence.endswith(".")
    assert "Traceback" not in done.output
    assert done.undo_steps == []
    assert names(done.image.layers) == names(image.layers)


def test_a_backend_that_is_not_installed_is_said_so(tmp_path: Path) -> None:
    done = run_command(PYTHONS[-1], tmp_path / "nowhere", image_of(shaded()), tmp_path, expected=1)
    assert "python3 -m installer" in done.output


def test_a_photo_that_is_no_png_is_said_before_anything_is_written(tmp_path: Path) -> None:
    from plugin.stubs.command import main

    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    assert main([str(tmp_path / "photo.jpg"), str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
