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


@pytest.mark.parametrize("width", [1, 4])
def test_the_card_within_a_printed_frame_is_ground_as_well(width: int, networks: Networks) -> None:
    image = lying_on(age(load_portrait()), CREAM, (60, 60, 60, 60))
    height, length = image.shape[2:]
    for at in (20, 40):
        drawn = image[0].permute(1, 2, 0).numpy().copy()
        cv2.rectangle(drawn, (at, at), (length - at - 1, height - at - 1), (0.6, 0.45, 0.2), width)
        image = torch.from_numpy(drawn).permute(2, 0, 1)[None].contiguous()
    ground = find_ground(image)
    assert ground is not None
    assert ground.photo == Box(60, 60, length - 60, height - 60)
    before = image.clone()
    restore_tone(image, networks, listening()[0])
    assert float((image - before)[..., 60:-60, 60:-60].abs().mean()) > 4 / 255
    for part in (slice(0, 16), slice(26, 36), slice(46, 56)):
        assert torch.equal(image[..., part, 60:-60], before[..., part, 60:-60])


def vignetted(photo: Levels, color: tuple[int, int, int], softness: float) -> Tensor:
    """An oval photo that shades off into the card over a share of its width."""
    height, width = photo.shape[:2]
    y, x = (np.linspace(-1.15, 1.15, length) for length in (height, width))
    share = ((1 - np.hypot(y[:, None], x)) / softness).clip(0, 1)[..., None]
    return to_image(np.round(share * photo + (1 - share) * color).astype(np.uint8))


@pytest.mark.parametrize("softness", [0.1, 0.4])
def test_a_vignette_shades_off_into_its_ground_as_before(
    softness: float, networks: Networks
) -> None:
    image = vignetted(age(load_portrait()), CREAM, softness)
    before = image.clone()
    restore_tone(image, networks, listening()[0])
    change = (image - before).mean(1)[0]
    assert float(change.abs().max()) > 20 / 255
    assert torch.equal(image[..., :10, :], before[..., :10, :])
    # Where the photo begins to be seen, its change begins as well: a step is an outline.
    y, x = (torch.linspace(-1.15, 1.15, length) for length in change.shape)
    outer = (1 - torch.hypot(y[:, None], x)) / softness < 0.5
    assert float(change.diff(dim=1)[outer[:, 1:]].abs().max()) < 8 / 255


@pytest.mark.parametrize("color", [WHITE, BLACK, CREAM])
@pytest.mark.parametrize("margin", [2, 30])
def test_a_print_and_one_with_a_thin_margin_have_sharp_edges(
    color: tuple[int, int, int], margin: int
) -> None:
    photo = age(load_portrait())
    photo[:4] = photo[-4:] = photo[:, :4] = photo[:, -4:] = (222, 214, 196)
    ground = find_ground(lying_on(photo, color, (margin,) * 4))
    assert ground is not None
    assert ground.fade == 0


def test_strips_of_a_soft_edge_leave_no_seam() -> None:
    portrait = cv2.resize(load_portrait(), (1300, 1300))
    image = vignetted(portrait, CREAM, 0.3)
    ground = find_ground(image)
    assert ground is not None
    strips = [ground.share_of(image[:, :, y : y + 256], y, 1300) for y in range(0, 1300, 256)]
    share = torch.cat(strips, dim=2)
    assert torch.equal(share, ground.share_of(image, 0, 1300))
    inside = share[0, 0, 650, 130:400]
    assert float(inside.diff().abs().max()) < 0.02


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
