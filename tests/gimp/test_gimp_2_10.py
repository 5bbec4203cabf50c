"""Real GIMP 2.10, its own Python 2.7, real backend; and whether the stubs are true to it.

Headless: gimpfu's dialog needs GTK for Python 2, which nobody packages any more. One undo step is
asked of the stubs, since GIMP 2.10 has no procedure that undoes.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.images import Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from plugin.stubs import constants
from plugin.stubs.constants import (
    INDEXED,
    PRECISION_FLOAT_LINEAR,
    RUN_INTERACTIVE,
    RUN_NONINTERACTIVE,
    RUN_WITH_LAST_VALS,
)
from plugin.stubs.document import Image
from plugin.stubs.items import CHANNELS, GroupLayer, Layer
from plugin.stubs.procedures import PROCEDURES
from tests.plugin.stub_runs import Array, image_of, mask_of, pixels_of, run_command, select

from .document import DETECT, FACES, REPAIR, RESTORE, flat, noise
from .old_gimp import OldGimp
from .provision import OLD_TREE, ProvisionError, provide
from .real_backend import THREADS, RealBackend
from .test_real_backend import old_photo, scratched

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

# Scratches found automatically, recommended threshold, all of it, bundled weights, on the CPU.
ALL = (0, 0.0, 1, 1, 1, 1.0, 1, 0, 1, "", "", "")
MASK_ONLY = (1, *ALL[1:])
CPU = (0, 1)


@pytest.fixture(scope="module")
def gimp(real_backend: RealBackend) -> Iterator[OldGimp]:
    # Unlike the others, this tree needs two Debian releases, of which one will leave the mirrors.
    try:
        provide(OLD_TREE)
    except ProvisionError as error:
        pytest.skip(f"GIMP 2.10 is not available: {error}")
    made = OldGimp(OLD_TREE)
    real_backend.publish(made.home)
    yield made
    made.close()


@pytest.fixture
def photo() -> Array:
    return scratched(old_photo("marktwain"))


def soft_selection(pixels: Array) -> Array:
    """The scratch that scratched() drew, with soft edges."""
    values = np.zeros(pixels.shape[:2], np.uint8)
    x = pixels.shape[1] // 3
    values[:, x - 2 : x + 5] = 100
    values[:, x - 1 : x + 4] = 255
    return values


def final_of(pixels: Array, mask: Array | None, **options: Any) -> Array:
    """The pipeline's picture, computed in this process."""
    chosen = Options(device="cpu", **options)
    networks = Networks.for_options(chosen)
    # With bfloat16 the last bits depend on the number of threads: as many as the backend has.
    before = torch.get_num_threads()
    torch.set_num_threads(int(THREADS))
    try:
        result = restore(Picture(pixels), mask, chosen, networks, lambda _: None, lambda: False)
    finally:
        torch.set_num_threads(before)
    return result.final


def array(data: str, layer: dict[str, Any], depth: int = 8) -> Array:
    samples = np.frombuffer(base64.b64decode(data), f"u{depth // 8}")
    return samples.reshape(layer["height"], layer["width"], -1)


def seen(answer: dict[str, Any], width: int, height: int, depth: int = 8) -> Array:
    """What GIMP itself shows of the canvas."""
    return array(answer["seen"], {"width": width, "height": height}, depth)


def named(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(layer for layer in flat(answer["layers"]) if layer["name"] == name)


def test_the_stubs_procedures_and_numbers_are_those_of_gimp(gimp: OldGimp) -> None:
    numbers = {name: value for name, value in vars(constants).items() if name.isupper()}
    facts = gimp.call("facts", procedures=sorted(PROCEDURES), constants=sorted(numbers))
    assert facts["constants"] == numbers
    for name, procedure in PROCEDURES.items():
        assert facts["procedures"][name] is not None, f"GIMP 2.10 has no {name}"
        params, results = facts["procedures"][name]
        assert [(kind, word) for kind, word, _ in params] == list(procedure.params), name
        # Only the types: a result has a place, and its name shows nowhere.
        kinds = [kind for kind, _, _ in results]
        assert kinds == [kind for kind, _ in procedure.return_vals], name


def test_every_entry_is_registered_with_its_arguments(gimp: OldGimp) -> None:
    facts = gimp.call("facts", procedures=[RESTORE, DETECT, REPAIR, FACES], constants=[])
    first = ["run-mode", "image", "drawable"]
    expected = {
        RESTORE: [
            "scratches",
            "threshold",
            "whole-picture",
            "cleaning",
            "tone",
            "strength",
            "enhance-faces",
            "weights",
            "device",
            "inpainting",
            "denoising",
            "faces",
        ],
        DETECT: ["threshold", "weights", "device"],
        REPAIR: ["weights", "device", "inpainting"],
        FACES: ["weights", "device", "faces"],
    }
    for name, arguments in expected.items():
        params, results = facts["procedures"][name]
        assert [word for _, word, _ in params] == first + arguments
        assert [word for _, word, _ in results] == ["group"]


def test_a_photo_shows_the_pipelines_picture(gimp: OldGimp, photo: Array) -> None:
    image = image_of(photo)
    select(image, soft_selection(photo))
    answer = gimp.run(image, (RESTORE, ALL, RUN_NONINTERACTIVE))
    assert answer["results"] == [{"group": "Restored photo"}]
    group, source = answer["layers"]
    names = [layer["name"] for layer in group["children"]]
    assert names == ["Faces", "Restored", "Scratch repair", "Scratch mask"]
    assert not any(layer["edit_mask"] for layer in flat(answer["layers"]))
    assert answer["active"] == "photo"
    assert np.array_equal(array(source["data"], source), photo)
    height, width = photo.shape[:2]
    final = final_of(photo, soft_selection(photo))
    assert np.abs(seen(answer, width, height)[..., :3].astype(int) - final).max() <= 1


def test_a_gray_16_bit_photo_keeps_its_depth(gimp: OldGimp, photo: Array) -> None:
    deep = photo[..., :1].astype(np.uint16) * 257
    answer = gimp.run(image_of(deep), (RESTORE, ALL, RUN_NONINTERACTIVE))
    assert (answer["base_type"], answer["precision"]) == (1, 250)
    source = named(answer, "photo")
    assert np.array_equal(array(source["data"], source, 16), deep)
    restored = named(answer, "Restored")
    assert (array(restored["data"], restored, 16) % 257 != 0).any()
    height, width = photo.shape[:2]
    final = final_of(deep, None).reshape(deep.shape)
    # Layers are blended in 32-bit numbers and rounded once; the pipeline rounds to 16 bits.
    off = np.abs(seen(answer, width, height, 16)[..., :1].astype(int) - final).max()
    assert off <= 257


def test_a_photo_with_alpha_beyond_the_canvas(gimp: OldGimp) -> None:
    pixels = scratched(np.full((96, 120, 4), 120, np.uint8))
    pixels[:20, :30, 3] = 0
    image = image_of(pixels, canvas=(100, 90), offset=(-10, 7))
    answer = gimp.run(image, (RESTORE, ALL, RUN_NONINTERACTIVE))
    restored = named(answer, "Restored")
    assert restored["offsets"] == [-10, 7]
    assert np.array_equal(array(restored["data"], restored)[..., 3], pixels[..., 3])


def test_an_indexed_photo_becomes_rgb(gimp: OldGimp) -> None:
    indices = np.tile(np.arange(128, dtype=np.uint8), (64, 1))
    image = Image(128, 64, INDEXED)
    image.colormap = bytes(value for index in range(256) for value in (index, 255 - index, 40))
    layer = Layer(image, "photo", 128, 64, 4)
    layer.data = bytearray(indices.tobytes())
    image.insert(layer, None, 0)
    answer = gimp.run(image, (RESTORE, ALL, RUN_NONINTERACTIVE))
    assert answer["results"] == [{"group": "Restored photo"}]
    assert answer["base_type"] == 0
    expected = np.stack([indices, 255 - indices, np.full_like(indices, 40)], axis=2)
    source = named(answer, "photo")
    assert np.array_equal(array(source["data"], source), expected)
    restored = named(answer, "Restored")
    change = array(restored["data"], restored).astype(int) - final_of(expected, None)
    assert np.abs(change).max() <= 1


def test_detect_then_repair_changes_nothing_but_the_damage(gimp: OldGimp, photo: Array) -> None:
    answer = gimp.run(
        image_of(photo),
        (DETECT, (0.0, *CPU), RUN_NONINTERACTIVE),
        # Repair has no dialog, so the menu calls it like this.
        (REPAIR, (*CPU, ""), RUN_INTERACTIVE),
    )
    assert [layer["name"] for layer in answer["layers"]] == [
        "Restored photo #1",
        "Restored photo",
        "photo",
    ]
    mask = array(named(answer, "Scratch mask")["data"], named(answer, "Scratch mask"))
    height, width = photo.shape[:2]
    x = width // 3 + 1
    assert (mask[:, x] > 0).mean() > 0.5
    repair = named(answer, "Scratch repair")
    x0, y0 = repair["offsets"]
    touched = np.zeros((height, width), bool)
    touched[y0 : y0 + repair["height"], x0 : x0 + repair["width"]] = (
        array(repair["mask"], repair)[..., 0] > 0
    )
    picture = seen(answer, width, height)[..., :3]
    assert np.array_equal(picture[~touched], photo[~touched])
    assert np.abs(picture[:, x].astype(int) - photo[:, x]).mean() > 20


def test_last_values_are_the_defaults_before_any_dialog(gimp: OldGimp) -> None:
    pixels = noise(64, 48)
    answer = gimp.run(image_of(pixels), (RESTORE, ALL, RUN_WITH_LAST_VALS))
    assert answer["results"] == [{"group": "Restored photo"}]
    assert named(answer, "Restored photo")["facts"]["options"]["scratches"] == "automatic"


def locked(image: Image) -> Image:
    (photo,) = image.layers
    image.layers.clear()
    photo.is_attached = False
    group = GroupLayer(image, "Öl")
    image.insert(group, None, 0)
    image.insert(photo, group, 0)
    group.lock_content = True
    return image


@pytest.mark.parametrize(
    ("procedure", "values", "is_locked", "precision", "words"),
    [
        (REPAIR, (*CPU, ""), False, None, "run Detect Scratches first"),
        (RESTORE, (7, *ALL[1:]), False, None, "scratches is 7, but it must be from 0 to 2"),
        (RESTORE, (ALL[0], 2.5, *ALL[2:]), False, None, "threshold is 2.5, but it must be from 0"),
        (RESTORE, (*ALL[:-1], "../x"), False, None, "The model '../x' was not imported: import it"),
        (RESTORE, ALL, False, PRECISION_FLOAT_LINEAR, "choose 8 or 16 bit integer"),
        (RESTORE, ALL, True, None, 'in the group "Öl", whose pixels are locked'),
    ],
)
def test_a_refusal_is_a_sentence_and_a_failure(
    gimp: OldGimp,
    procedure: str,
    values: tuple[Any, ...],
    is_locked: bool,
    precision: int | None,
    words: str,
) -> None:
    image = image_of(noise(40, 30))
    if is_locked:
        locked(image)
    answer = gimp.run(image, (procedure, values, RUN_NONINTERACTIVE), precision=precision)
    assert answer["results"] == [{"error": "execution error"}]
    names = [layer["name"] for layer in flat(answer["layers"])]
    assert names == (["Öl", "photo"] if is_locked else ["photo"])
    (sentence,) = [line for line in gimp.words.splitlines() if "-Warning: " in line]
    assert words in sentence


def test_the_stubs_give_the_same_layers_as_gimp(
    gimp: OldGimp, real_backend: RealBackend, tmp_path: Path, photo: Array
) -> None:
    def made() -> Image:
        image = image_of(photo, canvas=(photo.shape[1] + 20, photo.shape[0]), offset=(20, 0))
        values = np.zeros((image.height, image.width), np.uint8)
        values[:, 20:] = soft_selection(photo)
        select(image, values)
        mask = image.layers[0].create_mask(0)
        mask.data = bytearray(noise(photo.shape[1], photo.shape[0], 1).tobytes())
        image.layers[0].add_mask(mask)
        image.layers[0].edit_mask = False
        return image

    answer = gimp.run(made(), (RESTORE, MASK_ONLY, RUN_NONINTERACTIVE))
    settings = ("--set", "scratches=1", "--set", "device=1", "--mode", "script")
    facts = {"python": sys.executable, "home": str(real_backend.home), "version": "0.1.0"}
    (real_backend.home / "installation.json").write_text(json.dumps(facts))
    played = run_command(sys.executable, real_backend.home, made(), tmp_path, *settings).image
    real = flat(answer["layers"])
    assert [layer["name"] for layer in real] == [layer.name for layer in played.all_layers()]
    for theirs, ours in zip(real, played.all_layers(), strict=True):
        same = ("width", "height", "type", "visible", "opacity", "mode", "composite_space")
        for fact in same:
            assert theirs[fact] == getattr(ours, fact), f"{fact} of {ours.name}"
        assert theirs["offsets"] == list(ours.offsets), ours.name
        if ours.mask is not None:
            assert np.array_equal(array(theirs["mask"], theirs)[..., 0], mask_of(ours)), ours.name
        if not isinstance(ours, GroupLayer):
            assert CHANNELS[ours.type] == pixels_of(ours).shape[2]
            assert np.array_equal(array(theirs["data"], theirs), pixels_of(ours)), ours.name
