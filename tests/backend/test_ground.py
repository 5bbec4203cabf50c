"""The plain ground that a photo lies on in a scan."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from backend.demo import age, load_portrait
from backend.geometry import Box, Size
from backend.ground import LONGEST_SIDE, find_ground
from backend.networks import Networks
from backend.stages.tone import restore_tone
from backend.tensors import to_image
from models.loading import bundled_weights
from tests.backend.restoring import CPU, listening

WHITE, BLACK, CREAM, GRAY = (250, 250, 250), (12, 12, 14), (236, 224, 198), (120, 120, 120)
Levels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(bundled_weights(), CPU)


def textured(height: int = 90, width: int = 120) -> Levels:
    """A picture without plain edges."""
    return np.random.default_rng(1).integers(40, 200, (height, width, 3)).astype(np.uint8)


def lying_on(
    photo: Levels, color: tuple[int, int, int], margin: tuple[int, int, int, int]
) -> Tensor:
    """The photo with a grainy margin (top, bottom, left, right) in pixels."""
    top, bottom, left, right = margin
    height, width = photo.shape[0] + top + bottom, photo.shape[1] + left + right
    around = np.random.default_rng(2).normal(color, 1.0, (height, width, 3)).clip(0, 255)
    around[top : height - bottom, left : width - right] = photo
    return to_image(around.astype(np.uint8))


@pytest.mark.parametrize("color", [WHITE, BLACK, CREAM, GRAY])
def test_a_margin_on_all_sides_is_ground_whatever_its_colour(color: tuple[int, int, int]) -> None:
    ground = find_ground(lying_on(textured(), color, (10, 20, 5, 2)))
    assert ground is not None
    assert ground.photo == Box(5, 10, 125, 100)
    np.testing.assert_allclose(ground.color * 255, color, atol=1)
    assert int(ground.mask.sum()) == pytest.approx(127 * 120 - 120 * 90, rel=1e-3)
    assert ground.box_in(Size(254, 240)) == Box(10, 20, 250, 200)


@pytest.mark.parametrize(
    ("color", "margin", "is_found"),
    [
        (WHITE, (0, 9, 0, 9), True),
        (BLACK, (9, 9, 0, 0), True),
        (WHITE, (9, 0, 0, 0), False),
        (GRAY, (9, 0, 9, 9), False),
        (WHITE, (0, 0, 0, 0), False),
    ],
    ids=["corner of a scanner", "black above and below", "white sky", "studio", "no margin"],
)
def test_two_edges_suffice_for_white_and_black_alone(
    color: tuple[int, int, int], margin: tuple[int, int, int, int], is_found: bool
) -> None:
    assert (find_ground(lying_on(textured(), color, margin)) is not None) == is_found


def test_a_plain_picture_and_a_dark_scene_have_no_ground() -> None:
    assert find_ground(torch.full((1, 3, 40, 60), 0.98)) is None
    night = lying_on(textured(), BLACK, (10, 10, 10, 10))
    night[..., 10:100, 20:120:2] = night[..., :1, :1]
    assert find_ground(night) is None


def test_dust_beside_the_photo_is_no_part_of_it() -> None:
    image = lying_on(textured(), WHITE, (20, 20, 20, 20))
    image[..., 4:6, 60:62] = 0.2
    image[..., 0, :3] = 0.2
    ground = find_ground(image)
    assert ground is not None
    assert ground.photo == Box(20, 20, 140, 110)


def test_of_a_large_scan_each_pixel_is_ground_or_photo() -> None:
    photo = cv2.resize(textured(), (1600, 1200), interpolation=cv2.INTER_NEAREST)
    image = lying_on(photo, WHITE, (101, 203, 307, 99))
    assert max(image.shape[2:]) > LONGEST_SIDE
    ground = find_ground(image)
    assert ground is not None
    share = ground.share_of(image[:, :, 90:120], 90, image.shape[2])[0, 0]
    assert share[:11].min() == 1
    assert share[11:, 310:1900].max() == 0
    assert share[:, :307].min() == 1


def test_what_looks_like_the_ground_within_the_photo_is_photo() -> None:
    photo = textured()
    photo[30:60, 40:80] = 250
    ground = find_ground(lying_on(photo, WHITE, (10, 10, 10, 10)))
    assert ground is not None
    assert ground.mask[40:70, 50:90].max() == 0


@pytest.mark.parametrize("color", [WHITE, BLACK, CREAM])
def test_a_faded_photo_gets_the_same_tone_with_a_margin(
    color: tuple[int, int, int], networks: Networks
) -> None:
    aged = age(load_portrait())
    alone, around = to_image(aged), lying_on(aged, color, (24, 24, 40, 40))
    before, margined = alone.clone(), around.clone()
    restore_tone(alone, networks, listening()[0])
    restore_tone(around, networks, listening()[0])
    change = float((alone - before).abs().mean())
    inner = around[..., 24:-24, 40:-40]
    assert change > 4 / 255
    assert float((inner - alone).abs().mean()) < 0.1 * change
    assert torch.equal(around[..., :20, :], margined[..., :20, :])


def test_a_page_of_writing_stays_white(networks: Networks) -> None:
    page = np.full((400, 300, 3), 252, np.uint8)
    for line in range(12):
        at = (20, 40 + 28 * line)
        cv2.putText(page, "Dear grandmother", at, cv2.FONT_HERSHEY_COMPLEX, 0.8, (30,) * 3, 1)
    image = to_image(page)
    ground = find_ground(image)
    assert ground is not None
    assert ground.is_page
    before = image.clone()
    restore_tone(image, networks, listening()[0])
    assert torch.equal(image, before)
