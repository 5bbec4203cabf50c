"""Photos with transparent parts: what is hidden there neither shows nor disturbs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from backend.demo import load_portrait
from backend.images import Mask, Picture, Pixels
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import Result
from backend.transparency import visible_color
from tests.backend.photos import noise, portrait

HIDDEN = 220
"""Columns of the portrait from here on are transparent."""


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks.for_options(Options(device="cpu"))


def run(pixels: Pixels, mask: Mask | None, options: Options, networks: Networks) -> Result:
    return restore(Picture(pixels), mask, options, networks, lambda _: None, lambda: False)


def cut_out(color: Pixels, visible: Mask) -> Pixels:
    """(H, W, 4), black where it is transparent, as programs leave it."""
    return np.dstack([np.where(visible[..., None] > 0, color, 0), visible]).astype(np.uint8)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
def test_visible_colours_stay_and_hidden_ones_lie_between_them(channels: int, depth: int) -> None:
    pixels = noise(40, 50, channels, depth)
    pixels[..., -1] = np.iinfo(pixels.dtype).max
    pixels[5:30, 20:, -1] = 0
    pixels[5:30, 20:, :-1] = np.iinfo(pixels.dtype).max
    shown = visible_color(Picture(pixels))
    visible = pixels[..., -1] > 0
    assert shown.dtype == pixels.dtype
    np.testing.assert_array_equal(shown[visible], pixels[visible][:, :-1])
    assert shown[~visible].max() <= shown[visible].max()
    assert shown[~visible].min() >= shown[visible].min()


def test_nothing_is_filled_from_damage() -> None:
    pixels = np.full((60, 60, 4), 100, dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:, 30:] = 0
    damage = np.zeros((60, 60), dtype=np.uint8)
    damage[:, 25:30] = 255
    pixels[:, 25:30, :3] = 255
    shown = visible_color(Picture(pixels), damage)
    assert (shown[:, 30:] == 100).all()


def test_damage_up_to_a_transparent_edge_is_repaired_from_the_picture(networks: Networks) -> None:
    visible = np.full(portrait().shape[:2], 255, dtype=np.uint8)
    visible[:, HIDDEN:] = 0
    damage = np.zeros_like(visible)
    damage[100:112, HIDDEN - 40 :] = 255
    color = portrait().copy()
    color[damage > 0] = 255
    options = Options(scratches="mask", whole_picture=False, enhance_faces=False)
    final = run(cut_out(color, visible), damage, options, networks).final[..., :3]
    wrong = np.abs(final.astype(float) - portrait())[100:112, HIDDEN - 20 : HIDDEN]
    # Continued from damage beyond the edge as well, the last columns would be 59 levels off.
    assert wrong.mean(axis=(0, 2)).max() < 10


def test_hidden_colours_do_not_show_where_all_that_is_visible_is_damaged(
    networks: Networks,
) -> None:
    options = Options(scratches="mask", tone=False, enhance_faces=False)
    visible = np.full((60, 70), 255, dtype=np.uint8)
    visible[:, :30] = 0
    results = []
    for hidden in (0, 255):
        pixels = cut_out(portrait()[:60, :70], visible)
        pixels[:, :30, :3] = hidden
        results.append(run(pixels, visible, options, networks))
    np.testing.assert_array_equal(*(result.final[:, 30:] for result in results))
    assert all("mask-covers-all" in [n.code for n in result.notes] for result in results)


def test_the_shape_of_a_cut_out_is_no_scratch(networks: Networks) -> None:
    photo = load_portrait()
    visible = np.zeros(photo.shape[:2], dtype=np.uint8)
    cv2.ellipse(visible, (177, 302), (195, 200), 0, 0, 360, 255, -1)
    options = Options(repair_scratches=False, whole_picture=False, enhance_faces=False)
    found = run(cut_out(photo, visible), None, options, networks).layers[0].pixels[..., 0]
    # A highlight on the helmet, which the outline cuts, is taken for dust.
    outline = cv2.morphologyEx(visible, cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8))
    assert np.count_nonzero(found[outline > 0]) < 0.01 * np.count_nonzero(outline)


@pytest.mark.parametrize("value", [20, 90, 127])
def test_a_place_that_is_selected_in_part_is_repaired_in_part(
    value: int, networks: Networks
) -> None:
    color = portrait().copy()
    mask = np.zeros(color.shape[:2], dtype=np.uint8)
    mask[100:112, 60:120] = value
    color[100:112, 60:120] = 255
    options = Options(scratches="mask", whole_picture=False, enhance_faces=False)
    final = run(color, mask, options, networks).final.astype(float)
    before = np.abs(color.astype(float) - portrait())[mask > 0].mean()
    after = np.abs(final - portrait())[mask > 0].mean()
    # A perfect repair would take away the share that is selected.
    assert after < before * (1 - 0.7 * value / 255)


def test_a_faint_place_is_judged_as_one_however_large_the_picture_is(networks: Networks) -> None:
    color = np.full((64, 2400, 3), 90, np.uint8)
    color[28:34, 100:2300] = 255
    mask = np.zeros(color.shape[:2], dtype=np.uint8)
    mask[26:36, 100:2300] = np.linspace(100, 20, 2200).astype(np.uint8)
    options = Options(scratches="mask", whole_picture=False, enhance_faces=False)
    final = run(color, mask, options, networks).final
    # More than half of the strongest on the left side, less than that throughout on the right.
    assert (final[30, 200:1300, 0] < 250).all()
    assert (np.abs(final[30, 1800:2250, 0].astype(int) - 255) <= 2).all()


@pytest.mark.parametrize("value", [25, 90, 128, 255])
def test_a_soft_mask_means_the_same_however_the_picture_is_restored(
    value: int, networks: Networks
) -> None:
    color = np.full((128, 128, 3), 120, np.uint8)
    color[60:66, 20:100] = 250
    mask = np.zeros((128, 128), np.uint8)
    mask[58:68, 18:102] = value
    ways: list[dict[str, bool | float]] = [
        {"whole_picture": False},
        {},
        {"cleaning": False},
        {"strength": 0.5},
    ]
    finals, layers = [], []
    for way in ways:
        tone = {} if "whole_picture" in way else {"tone": False}
        options = Options(scratches="mask", enhance_faces=False, **way, **tone)  # type: ignore[arg-type]
        result = run(color, mask, options, networks)
        layers.append(next(layer for layer in result.layers if layer.kind == "repair"))
        finals.append(result.final[63, 30:90].astype(int))
    for layer in layers[1:]:
        # The mask fades the repair; the layer's own pixels are all of it.
        np.testing.assert_allclose(layer.pixels.mean(), layers[0].pixels.mean(), atol=1)
        np.testing.assert_array_equal(layer.mask, layers[0].mask)
    for way, final in zip(ways, finals, strict=True):
        is_whole = value >= 128 and way == {}
        expected = 120 if is_whole else 250 - 130 * value / 255
        np.testing.assert_allclose(final, expected, atol=4)
