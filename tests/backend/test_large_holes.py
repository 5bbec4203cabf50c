"""Large holes get what the photo is made of; all else is left to the restoration network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from backend.damage import HOLE_GROWTH
from backend.geometry import Box
from backend.images import Mask, Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import Event, Progress
from backend.stages.filling import fill
from backend.synthesis import large_holes
from backend.synthesis.large_holes import THICK, fill_large_holes
from backend.tensors import dilate
from tests.backend.restoring import listening

QUIET = Options(enhance_faces=False, tone=False, scratches="mask")


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks.for_options(Options(device="cpu"))


def gravel(height: int = 300, width: int = 400) -> Tensor:
    """(1, 3, H, W): stones of a few pixels, gray, below a plain sky."""
    rng = np.random.default_rng(5)
    stones = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 1.5)
    image = 0.45 + 0.5 * stones
    image[: height // 3] = 0.8
    return torch.from_numpy(image.clip(0, 1)).expand(1, 3, -1, -1).clone()


def disc(radius: int, height: int = 300, width: int = 400) -> Mask:
    hole = np.zeros((height, width), np.uint8)
    cv2.circle(hole, (width // 2, 2 * height // 3), radius, 1, -1)
    return hole


def damaged(hole: Mask, white: float = 1.0) -> Tensor:
    return torch.where(torch.from_numpy(hole > 0), white, gravel())


def roughness(image: Tensor, hole: Mask) -> float:
    """Standard deviation of what is finer than the stones, deep in the hole."""
    gray = image[0, 0].numpy()
    fine = gray - cv2.GaussianBlur(gray, (0, 0), 3)
    return float(fine[cv2.erode(hole, np.ones((9, 9), np.uint8)) > 0].std())


def test_gravel_goes_on_through_a_large_hole(networks: Networks) -> None:
    hole = disc(45)
    image = damaged(hole)
    filled, left = fill_large_holes(image, hole, networks, listening()[0], tuple)
    assert not left.any()
    # Beside the edge pixels are partly damaged.
    outside = torch.from_numpy(dilate(hole, HOLE_GROWTH) == 0)
    assert torch.equal(filled[..., outside], image[..., outside])
    assert roughness(filled, hole) > 0.7 * roughness(gravel(), hole)
    assert torch.equal(image, damaged(hole))


def test_the_result_shows_gravel_where_the_networks_alone_show_a_smear(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hole = disc(45)
    pixels = (damaged(hole)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)

    def rough() -> float:
        photo = Picture(pixels)
        result = restore(photo, hole * 255, QUIET, networks, lambda _: None, lambda: False)
        return roughness(torch.from_numpy(result.final[..., :1] / 255).permute(2, 0, 1)[None], hole)

    with_patches = rough()
    monkeypatch.setattr(large_holes, "THICK", 10_000)
    assert with_patches > 2 * rough()


@pytest.mark.parametrize("options", [QUIET, Options(**{**QUIET.__dict__, "whole_picture": False})])
def test_outside_the_mask_the_repair_changes_nothing(networks: Networks, options: Options) -> None:
    hole = disc(45)
    pixels = (damaged(hole)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    result = restore(Picture(pixels), hole * 255, options, networks, print, lambda: False)
    (repair,) = [layer for layer in result.layers if layer.kind == "repair"]
    assert roughness(
        torch.from_numpy(repair.pixels[..., :1] / 255).permute(2, 0, 1)[None].float(),
        hole[repair.box.slices],
    ) > 0.3 * roughness(gravel(), hole)
    if not options.whole_picture:
        np.testing.assert_array_equal(result.final[hole == 0], pixels[hole == 0])


def test_progress_never_falls_back(networks: Networks) -> None:
    hole = disc(45)
    pixels = (damaged(hole)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    seen: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "restoration":
            seen.append(event.fraction)

    restore(Picture(pixels), hole * 255, QUIET, networks, listen, lambda: False)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_scratches_are_left_to_the_network(networks: Networks) -> None:
    hole = disc(THICK - 4)
    cv2.line(hole, (0, 10), (399, 280), 1, 9)
    image = damaged(hole)

    def asked() -> list[Box]:
        raise AssertionError("nobody is looked for where nothing large is missing")

    filled, left = fill_large_holes(image, hole, networks, listening()[0], asked)
    assert filled is image
    np.testing.assert_array_equal(left, hole)


def test_in_a_large_scan_a_wide_scratch_is_a_scratch(networks: Networks) -> None:
    hole = np.zeros((3000, 3000), np.uint8)
    hole[1000:1040, 500:2500] = 1
    filled, left = fill_large_holes(
        torch.zeros(1, 3, 3000, 3000), hole, networks, listening()[0], tuple
    )
    np.testing.assert_array_equal(left, hole)
    assert filled.shape == (1, 3, 3000, 3000)


def test_an_arm_of_the_hole_is_left(networks: Networks) -> None:
    hole = disc(40)
    cv2.line(hole, (0, 200), (399, 200), 1, 7)
    _, left = fill_large_holes(damaged(hole), hole, networks, listening()[0], tuple)
    assert left[200, :120].all()
    assert not left[200, 190:210].any()


def test_a_rough_selection_keeps_what_the_photo_shows(networks: Networks) -> None:
    """People select around the damage; what is well there is no hole."""
    image = gravel()
    hole = disc(60)
    filled, left = fill_large_holes(image, hole, networks, listening()[0], tuple)
    assert filled is image
    np.testing.assert_array_equal(left, hole)


def test_no_part_of_a_face_is_copied_elsewhere(networks: Networks) -> None:
    hole = disc(40)
    image = damaged(hole)
    face = Box(60, 150, 120, 210)
    image[0, 0, 150:210, 60:120] = 0.0
    filled, left = fill_large_holes(image, hole, networks, listening()[0], lambda: [face])
    made = filled[0][:, torch.from_numpy((hole > 0) & (left == 0))]
    assert made.numel() > 0
    torch.testing.assert_close(made[0], made[1], atol=1e-5, rtol=0)


def test_no_outline_stays_where_the_mask_ends_in_the_damage(networks: Networks) -> None:
    """Damage fades over a pixel or two; a mask has an edge."""
    hole = disc(45)
    image = gravel()
    soft = torch.from_numpy(cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 0.7))
    image = torch.lerp(image, torch.ones_like(image), soft)
    edge = torch.from_numpy((dilate(hole, 1) > 0) & (hole == 0))
    filled, _ = fill_large_holes(image, hole, networks, listening()[0], tuple)
    before, after = ((x - gravel())[..., edge].mean() for x in (image, filled))
    assert float(before) > 0.05
    assert abs(float(after)) < 0.02


def test_a_photo_of_which_little_is_left_does_not_fail(networks: Networks) -> None:
    hole = np.ones((1100, 1100), np.uint8)
    hole[0, 0] = 0
    filled, _ = fill_large_holes(
        torch.rand(1, 3, 1100, 1100), hole, networks, listening()[0], tuple
    )
    assert bool(filled.isfinite().all())


def test_a_small_copy_is_filled_where_the_surroundings_are_large(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_holes, "MOST_PIXELS", 12_000)
    hole = disc(60)
    filled, left = fill_large_holes(damaged(hole), hole, networks, listening()[0], tuple)
    assert not left.any()
    assert roughness(filled, hole) > 0.5 * roughness(gravel(), hole)


def test_a_long_hole_is_filled_piece_by_piece(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_holes, "LEAST_BLOCK", 64)
    monkeypatch.setattr(large_holes, "BLOCK_DEPTHS", 1)
    hole = np.zeros((300, 400), np.uint8)
    hole[180:222] = 1
    hole[:, :20] = hole[:, -20:] = 0
    assert len(list(large_holes._blocks(hole, THICK))) > 3
    filled, left = fill_large_holes(damaged(hole), hole, networks, listening()[0], tuple)
    # But for its sharp corners, which are scratches in size.
    assert left.sum() < 0.01 * hole.sum()
    assert roughness(filled, hole) > 0.4 * roughness(gravel(), hole)


def test_the_same_hole_is_filled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another strength or threshold need not wait for it."""
    warm = Networks.for_options(Options(device="cpu"), cache_bytes=50_000_000)
    hole = disc(30)
    first, _ = fill_large_holes(damaged(hole), hole, warm, listening()[0], tuple)

    def again(*_: object) -> tuple[Tensor, None]:
        raise AssertionError("it is known")

    monkeypatch.setattr(large_holes, "synthesize", again)
    second, left = fill_large_holes(damaged(hole), hole, warm, listening()[0], tuple)
    assert torch.equal(first, second)
    assert not left.any()


def test_a_photo_that_is_all_damage_is_left(networks: Networks) -> None:
    hole = np.ones((300, 400), np.uint8)
    filled, left = fill_large_holes(damaged(hole), hole, networks, listening()[0], tuple)
    assert left.all()
    assert filled.shape == (1, 3, 300, 400)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (40, 40), (64, 64)])
def test_small_photos_do_not_fail(networks: Networks, size: tuple[int, int]) -> None:
    damage = np.full(size, 255, np.uint8)
    damage[0, 0] = 0
    image = torch.rand(1, 3, *size)
    filled, _, left = fill(image, damage, networks, listening()[0])
    assert filled.shape == image.shape
    assert left.shape == size
    assert bool(filled.isfinite().all())
