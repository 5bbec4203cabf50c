"""Parts of the stages by themselves."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.composition import composite
from backend.device import choose_device, memory_errors_explained
from backend.errors import DeviceError
from backend.geometry import Box, Size
from backend.holes import hole_groups
from backend.images import as_depth, bounding_box
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import DeviceChoice
from backend.results import Event, Note, ResultLayer
from backend.stages.restoration import fill_holes
from backend.stages.scratches import (
    claim_damage,
    cover_edges,
    damage_probability,
    find_scratches,
    large_areas,
    with_continuations,
    without_features,
    working_size,
)
from backend.tensors import to_image, to_pixels
from backend.tone import match_tone
from models.registry import ModelSpec, Network
from tests.backend.networks import RandomWeights, random_networks
from tests.backend.photos import noise, portrait, scratched


def silent() -> Monitor:
    return Monitor("restoration", lambda _: None, lambda: False)


@pytest.mark.parametrize("depth", [8, 16])
def test_every_level_survives_the_way_through_tensors(depth: int) -> None:
    like = noise(1, 1, 1, depth)
    pixels = as_depth(np.arange(2**depth).reshape(-1, 256, 1), like)
    np.testing.assert_array_equal(to_pixels(to_image(pixels), pixels, gray=True), pixels)
    color = as_depth(np.repeat(pixels, 3, axis=2), like)
    np.testing.assert_array_equal(to_pixels(to_image(color), color, gray=False), color)


@given(
    mask_value=st.integers(0, 255),
    below=st.integers(0, 65535),
    above=st.integers(0, 65535),
)
def test_compositing_is_the_rounded_mean(mask_value: int, below: int, above: int) -> None:
    color = np.full((2, 3, 1), below, dtype=np.uint16)
    layer = ResultLayer(
        "repair",
        "Scratch repair",
        Box(1, 0, 3, 2),
        np.full((2, 2, 1), above, dtype=np.uint16),
        np.full((2, 2), mask_value, dtype=np.uint8),
        0,
    )
    result = composite(color, [layer])
    assert abs(int(result[0, 1, 0]) - (below + (above - below) * mask_value / 255)) <= 0.5
    assert result[0, 0, 0] == below
    assert color[0, 1, 0] == below


def test_the_detector_works_reduced_but_never_enlarged() -> None:
    assert working_size(Size(3000, 2000), 500) == Size(750, 500)
    assert working_size(Size(300, 200), 500) == Size(300, 200)
    assert working_size(Size(100000, 10), 5) == Size(50000, 5)


def test_scratches_in_a_large_photo_are_found_and_covered_with_their_edges() -> None:
    small, drawn = scratched(portrait())
    large = cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    damage = drawn.repeat(4, axis=0).repeat(4, axis=1)
    networks = random_networks()
    nothing = np.zeros_like(damage)
    image = to_image(np.asarray(large, np.uint8))
    found = find_scratches(image, networks, silent(), features=nothing)
    # Outlines may be softened, and ends on the border be missed.
    assert (found[damage > 0] >= 128).mean() > 0.97
    assert np.count_nonzero(found) < 5 * np.count_nonzero(damage)


class AtTwoScales(RandomWeights):
    """The detector that finds white pixels sees the photo at half the size as well."""

    def spec(self, network: Network) -> ModelSpec:
        spec = super().spec(network)
        return replace(spec, inference={**spec.inference, "scales": [[1.0, 1.0], [0.5, 2.0]]})


def test_what_is_damage_at_one_scale_only_is_none() -> None:
    photo = np.zeros((60, 90), np.float32)
    photo[9, 11] = photo[30:40, 50:70] = 1
    working = Size(90, 60)
    seen_once, seen_twice = (
        damage_probability(photo, working, Networks(weights, torch.device("cpu")), silent())
        for weights in (RandomWeights(), AtTwoScales())
    )
    assert seen_once[9, 11] > 0.9
    assert seen_twice[9, 11] < 0.1
    for probability in (seen_once, seen_twice):
        assert probability.shape == working.shape
        assert probability[35, 60] > 0.9
        assert probability[20, 20] < 0.1


def test_findings_inside_an_eye_are_left_out_but_scratches_across_it_stay() -> None:
    features = np.zeros((60, 60), dtype=np.uint8)
    features[20:40, 20:40] = 255
    glint, scratch, dust = (np.zeros_like(features) for _ in range(3))
    glint[29:32, 29:32] = scratch[:, 25:27] = dust[5:8, 5:8] = 255
    found = np.maximum(glint, np.maximum(scratch, dust))
    np.testing.assert_array_equal(without_features(found, features), np.maximum(scratch, dust))


def test_the_mask_grows_with_the_photo() -> None:
    point = np.zeros((101, 101), dtype=np.uint8)
    point[50, 50] = 255
    widths = [np.count_nonzero(cover_edges(point, scale)[50] >= 128) for scale in (1, 2, 4)]
    assert widths[0] >= 3
    assert widths == sorted(set(widths))
    assert not cover_edges(np.zeros_like(point), 1).any()


def test_filling_changes_the_holes_alone_and_continues_the_surroundings_of_each() -> None:
    image = torch.full((1, 3, 80, 160), 0.25)
    image[..., 80:] = 0.75
    hole = np.zeros((80, 160), dtype=np.uint8)
    hole[10:14, 10:50] = hole[60:64, 110:150] = 1
    damaged = torch.from_numpy(hole)[None, None] > 0
    filled = fill_holes(torch.where(damaged, 1.0, image), hole, silent())
    torch.testing.assert_close(filled, image, rtol=0, atol=2 / 255)
    assert torch.equal(filled[~damaged.expand_as(image)], image[~damaged.expand_as(image)])


@settings(deadline=None)
@given(seed=st.integers(0, 999), height=st.integers(1, 80), width=st.integers(1, 80))
def test_groups_of_holes_are_all_holes_once(seed: int, height: int, width: int) -> None:
    hole = (np.random.default_rng(seed).random((height, width)) < 0.01).astype(np.uint8)
    counted = np.zeros_like(hole)
    for box, own in hole_groups(hole):
        counted[box.slices] += own
    np.testing.assert_array_equal(counted, hole)


def test_a_repair_in_another_tone_is_brought_into_the_tone_around_it() -> None:
    source = np.asarray(portrait() / 255, dtype=np.float32)
    repaired = np.asarray(source * np.array([0.7, 0.9, 1.0]) + 0.1, dtype=np.float32)
    known = np.ones(source.shape[:2], dtype=np.float32)
    known[100:108, 20:200] = 0
    matched = match_tone(repaired, source, known)
    error = np.abs(matched - source)[known == 0].mean()
    before = np.abs(repaired - source)[known == 0].mean()
    assert error < 0.2 * before


def test_tone_needs_known_pixels_and_reaches_the_middle_of_large_holes() -> None:
    source = np.full((300, 300, 3), 0.5, dtype=np.float32)
    repaired = np.full((300, 300, 3), 0.2, dtype=np.float32)
    known = np.zeros((300, 300), dtype=np.float32)
    np.testing.assert_array_equal(match_tone(repaired, source, known), repaired)
    known[:, :20] = 1
    np.testing.assert_allclose(match_tone(repaired, source, known), source, atol=1e-3)


def test_the_bounding_box_is_the_smallest() -> None:
    mask = np.zeros((9, 12), dtype=np.uint8)
    mask[2, 3] = mask[5, 10] = 1
    assert bounding_box(mask) == Box(3, 2, 11, 6)


def test_the_absence_of_cuda_is_said_clearly() -> None:
    if torch.cuda.is_available():
        assert choose_device("cuda").type == "cuda"
        return
    assert choose_device("auto").type == "cpu"
    with pytest.raises(DeviceError, match="choose auto or cpu"):
        choose_device("cuda")


def test_too_little_memory_is_said_clearly_and_other_errors_pass() -> None:
    messages = (
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    )
    for error in messages:
        with pytest.raises(DeviceError, match="memory is too small"), memory_errors_explained():
            raise error
    with pytest.raises(RuntimeError, match="shapes"), memory_errors_explained():
        raise RuntimeError("shapes differ")


def test_a_found_scratch_is_followed_where_it_is_fainter_and_nothing_else_is_added() -> None:
    probability = np.zeros((9, 20), dtype=np.float32)
    probability[2, 3:15] = 0.6  # a faint scratch
    probability[2, 5] = 0.95  # with one sure place
    probability[6, 3:15] = 0.6  # as faint, but nowhere sure
    found = with_continuations(probability, 0.9, 0.5)
    assert (found[2, 3:15] == 255).all()
    assert found.sum() == 12 * 255
    alone = with_continuations(probability, 0.9, 0.9)
    assert alone.sum() == 255


@pytest.mark.parametrize("choice", ["mps", "xpu"])
def test_the_absence_of_other_accelerators_is_said_clearly(choice: DeviceChoice) -> None:
    if torch.accelerator.is_available():
        pytest.skip("this computer has an accelerator")
    with pytest.raises(DeviceError, match=f"{choice} cannot be used.*choose auto or cpu"):
        choose_device(choice)


def test_a_threshold_of_0_does_not_take_back_what_was_given_up() -> None:
    networks = random_networks("official")
    assert not networks.has("places")
    probability = np.full((400, 400), 1e-7, dtype=np.float32)
    probability[100:160, 100:170] = 0.99  # a hat
    probability[200:204, 10:390] = 0.99
    claim = claim_damage(probability, np.zeros_like(probability), networks, 0.0)
    assert claim.is_some_too_large
    found = with_continuations(claim.probability, claim.sure, claim.likely)
    assert found[200:204, 10:390].all()
    assert np.count_nonzero(found) == 4 * 380


def test_a_hat_is_too_large_to_be_filled_and_the_scratch_beside_it_is_not() -> None:
    probability = np.zeros((400, 400), dtype=np.float32)
    probability[100:160, 100:170] = 0.99  # much wider than a scratch in both directions
    probability[130:133, 170:390] = 0.99  # a scratch that ends there
    probability[200:210] = 0.99  # a fold through the whole picture
    large = large_areas(with_continuations(probability, 0.9, 0.6))
    assert large[100:160, 100:170].all()
    assert not large[130:133, 190:].any()
    assert not large[200:210].any()


def test_what_is_too_large_is_left_and_said() -> None:
    picture = torch.full((1, 3, 256, 256), 0.4)
    picture[..., 50:150, 60:160] = 1
    picture[..., 200:203, :] = 1
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.code)

    monitor = Monitor("scratches", listen, lambda: False)
    nothing = np.zeros((256, 256), np.uint8)
    found = find_scratches(picture, random_networks(), monitor, features=nothing)
    assert (found[201] == 255).all()
    assert not found[60:140].any()
    assert notes == ["damage-too-large"]
