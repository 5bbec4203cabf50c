"""The stubs of GIMP 2.10: what tests/gimp saw a real one do, and the files they read and write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from plugin.stubs import constants, folder, png
from plugin.stubs.document import Image
from plugin.stubs.items import GroupLayer, Layer
from plugin.stubs.procedures import GimpError
from plugin.stubs.program import Program
from plugin.stubs.regions import PixelRgn, PluginKilled
from tests.plugin.stub_runs import ROOT, image_of, names, pixels_of, select


def image() -> Image:
    made = image_of(np.arange(100 * 80 * 3, dtype=np.uint8).reshape(80, 100, 3))
    made.is_exact = True
    return made


def region(made: Image, dirty: bool = False) -> PixelRgn:
    return made.layers[0].get_pixel_rgn(0, 0, 100, 80, dirty)


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (np.s_[0:101, 0:80], IndexError, "invalid x slice"),
        (np.s_[5:5, 0:80], IndexError, "invalid x slice"),
        (np.s_[0:10:2, 0:3], IndexError, "invalid x slice"),
        (np.s_[0:10, 3:81], IndexError, "invalid y slice"),
        (3, TypeError, "subscript must be a 2-tuple"),
    ],
)
def test_a_subscript_that_gimp_refuses_is_refused(
    key: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        region(image())[key]


def test_a_rectangle_comes_as_bytes_row_by_row() -> None:
    pixels = pixels_of(image().layers[0])
    assert region(image())[3:, 2:4] == pixels[2:4, 3:].tobytes()
    assert region(image())[-10:, 0:80] == pixels[:, -10:].tobytes()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"123", "string is wrong length"),
        (bytearray(12), "must assign string"),
        ("x" * 12, "must assign"),
    ],
)
def test_only_byte_strings_of_the_right_length_are_taken(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        region(image(), dirty=True)[0:2, 0:2] = value


def test_what_is_written_reaches_the_layer_with_its_flush() -> None:
    made = image()
    before = bytes(made.layers[0].data)
    region(made, dirty=True)[0:2, 0:2] = b"x" * 12
    assert bytes(made.layers[0].data) == before
    assert region(made)[0:2, 0:2] == b"x" * 12
    made.layers[0].flush()
    assert pixels_of(made.layers[0])[0, 0].tobytes() == b"xxx"


def test_what_makes_gimp_end_a_plug_in_passes_every_handler() -> None:
    made = image()
    group = GroupLayer(made, "group")
    made.layers[0].lock_content = True
    for act in (
        lambda: region(made, dirty=True),
        lambda: made.layers[0].get_pixel_rgn(0, 0, 101, 80),
        lambda: group.get_pixel_rgn(0, 0, 1, 1, True),
    ):
        with pytest.raises(PluginKilled):
            act()
    assert not issubclass(PluginKilled, Exception)


def test_samples_before_the_request_for_exact_ones_are_not_made_up() -> None:
    made = image()
    made.is_exact = False
    with pytest.raises(NotImplementedError, match="gimp_plugin_enable_precision"):
        region(made)


LAYER = (10, 12, constants.RGB_IMAGE, "new", 100.0, constants.LAYER_MODE_NORMAL)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda p, i: p.gimp_image_insert_layer(i, 3, None, 0), TypeError, "wrong parameter type"),
        (lambda p, i: p.gimp_image_insert_layer(i, i.layers[0]), TypeError, "wrong number"),
        (lambda p, i: p.gimp_image_insert_layer(i, None, None, 0), RuntimeError, "invalid ID"),
        (
            lambda p, i: p.gimp_image_insert_layer(i, i.layers[0], None, 0),
            RuntimeError,
            "already been added",
        ),
        (
            lambda p, i: p.gimp_image_insert_layer(i, p.gimp_layer_new(i, *LAYER), i.layers[0], 0),
            RuntimeError,
            "not a group item",
        ),
        (lambda p, i: p.gimp_layer_new(i, 0, *LAYER[1:]), RuntimeError, "out of range"),
        (
            lambda p, i: p.gimp_layer_new(i, *LAYER[:4], 101, LAYER[5]),
            RuntimeError,
            "out of range",
        ),
        (lambda p, i: p.gimp_layer_new(i, *LAYER[:4], "a", LAYER[5]), TypeError, "wrong parameter"),
        (lambda p, i: p.gimp_layer_from_mask(i.selection), RuntimeError, "invalid ID"),
        (lambda p, i: p.gimp_layer_from_mask(i.layers[0]), TypeError, "wrong parameter type"),
        (lambda p, i: p.gimp_image_convert_rgb(i), RuntimeError, "must not be of type 'rgb'"),
        (lambda p, _: p.no_such_procedure, GimpError, "procedure not found"),
    ],
)
def test_a_wrong_call_of_a_procedure_fails_as_in_gimp(
    call: Callable[[Any, Image], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        call(Program().database, image())


def test_a_removed_layer_is_no_longer_valid() -> None:
    made, pdb = image(), Program().database
    layer = made.layers[0]
    made.remove_layer(layer)
    assert pdb.gimp_item_is_valid(layer) == 0
    assert made.active_layer is None
    with pytest.raises(RuntimeError, match="invalid ID"):
        pdb.gimp_item_is_group(layer)


def test_layers_lie_where_they_were_put_and_groups_are_as_large_as_what_they_hold() -> None:
    made, pdb = image(), Program().database
    group = pdb.gimp_layer_group_new(made)
    pdb.gimp_image_insert_layer(made, group, None, 0)
    assert (group.width, group.height) == (1, 1)
    for offset in ((5, 6), (-3, 40)):
        layer = pdb.gimp_layer_new(made, *LAYER)
        pdb.gimp_image_insert_layer(made, layer, group, 0)
        layer.set_offsets(*offset)
    assert names(made.layers) == [("Layer Group", ["new #1", "new"]), "photo"]
    assert (group.offsets, group.width, group.height) == ((-3, 6), 18, 46)
    assert pdb.gimp_image_get_item_position(made, group.children[1]) == 1
    assert made.active_layer is group.children[0]


def test_changes_in_a_group_are_one_undo_step_and_others_one_each() -> None:
    made = image()
    made.layers[0].visible = False
    made.undo_group_start()
    made.layers[0].opacity = 50.0
    made.layers[0].set_offsets(1, 1)
    made.undo_group_end()
    assert made.undo_steps == [["visible"], ["opacity", "offsets"]]
    with pytest.raises(RuntimeError, match="could not end undo group"):
        made.undo_group_end()


def test_a_new_mode_takes_the_blending_spaces_back() -> None:
    made, pdb = image(), Program().database
    pdb.gimp_layer_set_composite_space(made.layers[0], 2)
    made.layers[0].mode = constants.LAYER_MODE_SCREEN
    assert made.layers[0].composite_space == constants.LAYER_COLOR_SPACE_AUTO


OTHER_PLUGIN = """
from gimpfu import *

def say(image, drawable, share, choice):
    gimp.message("%s %.2f %d" % (drawable.name, share, choice))

register("plug-in-restore-old-photo", "Says", "Says", "A", "A", "2026", "Say...", "*",
    [(PF_IMAGE, "image", "Image", None), (PF_DRAWABLE, "drawable", "Layer", None),
     (PF_SLIDER, "share", "_Share", 0.5, (0, 1, 0.1)),
     (PF_OPTION, "choice", "_Choice", 1, ("first", "second", "third"))],
    [], say, menu="<Image>/Filters")
main()
"""


@pytest.mark.parametrize(
    ("settings", "words"),
    [((), "photo 0.50 1"), (("--set", "share=0.25", "--set", "choice=third"), "photo 0.25 2")],
)
@pytest.mark.parametrize("mode", ["interactive", "script"])
def test_any_plug_in_of_gimpfu_runs(
    tmp_path: Path, settings: tuple[str, ...], words: str, mode: str
) -> None:
    script = tmp_path / "say.py"
    # gimpfu hands on the name gimp as well.
    script.write_text("import gimp\n" + OTHER_PLUGIN)
    folder.save(image(), str(tmp_path / "in"))
    command = [sys.executable, "-m", "plugin.stubs", str(tmp_path / "in"), str(tmp_path / "out")]
    options = ["--plug-in", str(script), "--mode", mode, *settings]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"GIMP: {words}" in done.stderr


@given(
    st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3, 4]), st.sampled_from([8, 16])
)
def test_a_png_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, channels: int, depth: int
) -> None:
    data = np.random.default_rng(width).bytes(width * height * channels * depth // 8)
    path = str(tmp_path_factory.mktemp("png") / "picture.png")
    png.write(path, png.Png(width, height, channels, depth, data))
    picture = png.read(path)
    assert (picture.width, picture.height) == (width, height)
    assert (picture.channels, picture.depth, bytes(picture.data)) == (channels, depth, data)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_a_png_of_another_program_is_read(tmp_path: Path, mode: str) -> None:
    y, x = np.mgrid[0:40, 0:50]
    pixels = np.stack([x * 3, y * 4, x + y, 255 - x], axis=2).astype(np.uint8)
    # Pillow filters smooth pictures in all five ways.
    picture = PillowImage.fromarray(pixels).convert(mode)
    picture.save(tmp_path / "picture.png")
    got = png.read(str(tmp_path / "picture.png"))
    assert bytes(got.data) == picture.tobytes()
    assert bool(got.palette) == (mode == "P")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no picture", "is no PNG file"), (png.SIGNATURE + b"\0" * 30, "is damaged")],
)
def test_what_is_no_png_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "picture.png").write_bytes(content)
    with pytest.raises(png.PngError, match=words):
        png.read(str(tmp_path / "picture.png"))


def test_a_document_comes_out_of_its_folder_as_it_went_in(tmp_path: Path) -> None:
    made = image_of(np.full((20, 30, 2), 7, np.uint16), canvas=(40, 20), offset=(5, -2))
    select(made, np.tile(np.arange(40, dtype=np.uint8), (20, 1)))
    group = GroupLayer(made, "Öl")
    made.insert(group, None, 0)
    inner = Layer(made, "inner", 4, 3, constants.GRAY_IMAGE)
    made.insert(inner, group, 0)
    inner.set_offsets(2, 1)
    inner.add_mask(inner.create_mask(0))
    inner.attach_new_parasite("name", 1, b"{}")
    inner.mode, inner.opacity, inner.visible = constants.LAYER_MODE_SCREEN, 60.0, False
    folder.save(made, str(tmp_path))
    again = folder.load(str(tmp_path))
    assert names(again.layers) == names(made.layers)
    assert again.selection.data == made.selection.data
    assert again.active_layer is not None
    assert again.active_layer.name == "inner"
    facts = ("tattoo", "mode", "opacity", "visible", "offsets", "data", "composite_space")
    for old, new in zip(made.all_layers(), again.all_layers(), strict=True):
        assert [getattr(new, fact) for fact in facts] == [getattr(old, fact) for fact in facts]
    assert again.active_layer.mask is not None
    assert again.active_layer.parasites["name"].data == b"{}\0"
    assert again.next_number() > max(layer.tattoo for layer in made.all_layers())


def test_a_damaged_document_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "document.json").write_text('{"width": 3}')
    with pytest.raises(folder.FolderError, match="is damaged"):
        folder.load(str(tmp_path))
