"""What a restoration promises, whatever its networks do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.composition import composite
from backend.errors import Cancelled, InputError, WeightsError
from backend.images import Mask, Picture, Pixels, as_depth, is_gray, to_eight_bit
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import Event, LayerReady, Progress, Result
from tests.backend.networks import random_networks
from tests.backend.photos import noise, portrait, scratched

WITHOUT_FACES = Options(enhance_faces=False)
ONLY_SCRATCHES = Options(whole_picture=False, enhance_faces=False)
ONLY_MASK = replace(ONLY_SCRATCHES, scratches="mask")
DETECT = Options(repair_scratches=False, whole_picture=False, enhance_faces=False)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return random_networks("bundled", strength=0.1)


@pytest.fixture(scope="module")
def idle_networks() -> Networks:
    """Residual networks whose last layers are 0."""
    return random_networks(strength=0)


@pytest.fixture(scope="module")
def original_networks() -> Networks:
    """Like the official ones: statistics over the whole picture, the output is the picture."""
    return random_networks("official")


def run(pixels: Pixels, networks: Networks, options: Options, mask: Mask | None = None) -> Result:
    return restore(Picture(pixels), mask, options, networks, lambda _: None, lambda: False)


def kinds(result: Result) -> list[str]:
    return [layer.kind for layer in result.layers]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (37, 53), (130, 18)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_result_has_the_exact_size_and_type_of_the_photo(
    networks: Networks, size: tuple[int, int], channels: int, depth: int
) -> None:
    pixels = noise(*size, channels, depth)
    result = run(pixels, networks, WITHOUT_FACES)
    assert result.final.shape == pixels.shape
    assert result.final.dtype == pixels.dtype
    for layer in result.layers:
        assert layer.pixels.shape[:2] == layer.box.size.shape
        assert layer.box == layer.box.clipped(Picture(pixels).size)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (37, 53), (90, 130)])
@pytest.mark.parametrize("options", [WITHOUT_FACES, ONLY_SCRATCHES])
def test_networks_with_statistics_take_every_size_too(
    original_networks: Networks, size: tuple[int, int], options: Options
) -> None:
    pixels, mask = scratched(noise(*size, 3))
    assert run(pixels, original_networks, options, mask).final.shape == pixels.shape
    assert run(pixels, original_networks, replace(options, scratches="none")).final.shape


@pytest.mark.parametrize("depth", [8, 16])
def test_networks_that_do_nothing_change_nothing(idle_networks: Networks, depth: int) -> None:
    wide = portrait().astype(np.uint16) * 200
    pixels: Pixels = portrait() if depth == 8 else wide
    result = run(pixels, idle_networks, Options())
    assert kinds(result) == ["mask", "restored", "face"]
    np.testing.assert_array_equal(result.final, pixels)


@pytest.mark.parametrize("options", [Options(), Options(whole_picture=False), ONLY_SCRATCHES])
def test_the_layers_seen_together_are_the_result(networks: Networks, options: Options) -> None:
    pixels, _ = scratched(portrait())
    result = run(pixels, networks, options)
    expected = {"mask"} | ({"restored"} if options.whole_picture else set()) | {"repair"}
    assert set(kinds(result)) == expected | ({"face"} if options.enhance_faces else set())
    assert [layer.index for layer in result.layers] == list(range(len(result.layers)))
    np.testing.assert_array_equal(composite(pixels, result.layers), result.final)
    assert (result.final != pixels).any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", [Options(), Options(whole_picture=False)])
def test_a_gray_photo_stays_gray_in_all_layers(
    networks: Networks, channels: int, options: Options
) -> None:
    gray = portrait()[..., 1:2].repeat(channels, axis=2)
    pixels, _ = scratched(as_depth(gray, portrait()))
    result = run(pixels, networks, options)
    assert "face" in kinds(result)
    assert is_gray(result.final)
    for layer in result.layers:
        assert (layer.pixels == layer.pixels[..., :1]).all()
    assert (result.final != pixels).any()


def test_a_colour_that_nobody_sees_does_not_make_a_photo_colourful(networks: Networks) -> None:
    pixels = np.repeat(noise(40, 30, 1), 4, axis=2)
    pixels[..., 3] = 255
    pixels[0, 0] = (255, 0, 0, 0)
    result = run(pixels, networks, Options())
    for layer in result.layers:
        assert is_gray(layer.pixels), layer.name


def test_missing_face_models_are_told_before_the_work(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise WeightsError("They are missing.")

    monkeypatch.setattr(networks, "face_finder", missing)
    events: list[Event] = []
    with pytest.raises(WeightsError):
        restore(Picture(noise(40, 30, 3)), None, Options(), networks, events.append, lambda: False)
    assert not events


@pytest.mark.parametrize("networks_like", ["bundled", "official"])
@settings(max_examples=8)
@given(seed=st.integers(0, 99), height=st.integers(20, 90), width=st.integers(20, 90))
def test_outside_the_mask_nothing_changes_when_only_scratches_are_repaired(
    networks_like: str, seed: int, height: int, width: int
) -> None:
    pixels = noise(height, width, 3, 16, seed)
    generator = np.random.default_rng(seed)
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[height // 3 : height // 3 + 4, 5:15] = generator.integers(0, 256, (4, 10))
    mask[height // 3, 5] = 255
    result = run(pixels, random_networks(networks_like), ONLY_MASK, mask)
    assert kinds(result) == ["mask", "repair"]
    np.testing.assert_array_equal(result.final[mask == 0], pixels[mask == 0])
    assert (result.final[mask == 255] != pixels[mask == 255]).any()


def test_a_half_masked_pixel_lies_between_photo_and_repair(networks: Networks) -> None:
    pixels = noise(64, 64, 3)
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[20:30, 20:30] = 100
    result = run(pixels, networks, ONLY_MASK, mask)
    repair = result.layers[1]
    below = pixels[repair.box.slices].astype(float)
    expected = below + (repair.pixels - below) * 100 / 255
    np.testing.assert_allclose(result.final[repair.box.slices], expected, atol=0.51)


def test_alpha_is_kept_and_hidden_colours_influence_nothing(networks: Networks) -> None:
    pixels, _ = scratched(portrait())
    alpha = np.full(pixels.shape[:2], 255, dtype=np.uint8)
    alpha[:60, :80], alpha[100:120] = 0, 77
    first = np.dstack([pixels, alpha])
    second = first.copy()
    second[:60, :80, :3] = noise(60, 80, 3, seed=5)
    second[10:20, 10:20, :3] = 255  # would be found as damage
    results = [run(as_depth(photo, alpha), networks, Options()) for photo in (first, second)]
    for result in results:
        np.testing.assert_array_equal(result.final[..., 3], alpha)
    visible = alpha > 0
    np.testing.assert_array_equal(results[0].final[visible], results[1].final[visible])


def test_a_photo_that_is_transparent_everywhere_is_no_error(networks: Networks) -> None:
    pixels = noise(40, 40, 4)
    pixels[..., 3] = 0
    assert run(pixels, networks, Options()).final.shape == pixels.shape


@pytest.mark.parametrize("options", [Options(), ONLY_SCRATCHES])
@pytest.mark.parametrize("networks_like", ["bundled", "official"])
def test_a_mask_over_everything_is_no_error(networks_like: str, options: Options) -> None:
    pixels = noise(70, 90, 3)
    everything = np.full((70, 90), 255, dtype=np.uint8)
    result = run(pixels, random_networks(networks_like), options, everything)
    assert result.final.shape == pixels.shape
    assert "mask-covers-all" in [note.code for note in result.notes]


@pytest.mark.parametrize(("rows", "is_noted"), [(2, False), (3, True)])
def test_much_that_is_taken_for_damage_is_noted(
    idle_networks: Networks, monkeypatch: pytest.MonkeyPatch, rows: int, *, is_noted: bool
) -> None:
    found = np.zeros((100, 80), np.uint8)
    found[:rows] = 255
    monkeypatch.setattr("backend.pipeline.find_scratches", lambda *_, **__: found)
    result = run(noise(100, 80, 3, 8), idle_networks, WITHOUT_FACES)
    noted = [note for note in result.notes if note.code == "damage-widespread"]
    assert len(noted) == is_noted
    assert all(note.parameters == {"percent": rows} for note in noted)
    # What people paint, they want repaired.
    painted = run(noise(100, 80, 3, 8), idle_networks, ONLY_MASK, found)
    assert "damage-widespread" not in [note.code for note in painted.notes]


def test_without_damage_only_scratches_mode_gives_the_photo(networks: Networks) -> None:
    pixels = noise(70, 90, 3)
    nothing = np.zeros((70, 90), dtype=np.uint8)
    result = run(pixels, networks, ONLY_MASK, nothing)
    assert kinds(result) == ["mask"]
    np.testing.assert_array_equal(result.final, pixels)


def test_what_is_found_is_joined_with_the_mask(networks: Networks) -> None:
    pixels, drawn = scratched(portrait())
    given_mask = np.zeros_like(drawn)
    given_mask[200:210, 100:130] = 90
    mask = run(pixels, networks, DETECT, given_mask).layers[0].pixels[..., 0]
    assert (mask[drawn > 0] == 255).all()
    assert (mask[200:210, 100:130] >= 90).all()
    assert np.count_nonzero(mask) < 0.25 * mask.size


def test_detecting_gives_the_mask_alone_and_repairing_with_it_is_the_automatic_way(
    networks: Networks,
) -> None:
    pixels, _ = scratched(portrait())
    detected = run(pixels, networks, DETECT)
    assert kinds(detected) == ["mask"]
    np.testing.assert_array_equal(detected.final, pixels)
    mask = to_eight_bit(detected.layers[0].pixels[..., 0])
    by_mask = run(pixels, networks, ONLY_MASK, mask)
    np.testing.assert_array_equal(by_mask.final, run(pixels, networks, ONLY_SCRATCHES).final)


def test_the_threshold_decides_what_is_found(networks: Networks) -> None:
    pixels = np.full((64, 64, 3), 128, dtype=np.uint8)
    pixels[30:34] = 249  # the test detector gives a probability of about 0.57
    found = [
        run(pixels, networks, replace(DETECT, threshold=threshold)).layers[0].pixels.any()
        for threshold in (0.1, None, 0.9)
    ]
    assert found == [True, True, False]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_each_face_becomes_a_layer(networks: Networks, count: int) -> None:
    background = np.full((240, 240, 3), 90, dtype=np.uint8)
    pixels = np.concatenate([portrait()] * count + [background], axis=1)
    result = run(
        as_depth(pixels, background), networks, Options(scratches="none", whole_picture=False)
    )
    assert [layer.name for layer in result.layers] == [f"Face {n + 1}" for n in range(count)]
    for number, layer in enumerate(result.layers):
        assert layer.mask is not None
        middle = (layer.box.x0 + layer.box.x1) / 2
        assert abs(middle - 240 * number - 125) < 20
        assert layer.mask.max() == 255
        assert layer.mask.min() == 0


@pytest.mark.parametrize("cut", [50, 60])
def test_a_face_at_the_border_is_enhanced_up_to_the_border(networks: Networks, cut: int) -> None:
    pixels = portrait()[cut:, 70:]
    result = run(pixels, networks, Options(scratches="none", whole_picture=False))
    (face,) = result.layers
    assert face.box.y0 == 0
    assert face.mask is not None
    assert face.mask[0].max() > 200
    assert (result.final[0] != pixels[0]).any()


def test_a_face_larger_than_its_crop_keeps_its_detail(idle_networks: Networks) -> None:
    large = portrait().repeat(4, axis=0).repeat(4, axis=1)
    large = np.clip(large.astype(int) + noise(960, 960, 1, seed=3) // 16, 0, 255).astype(np.uint8)
    options = Options(scratches="none", whole_picture=False)
    result = run(large, idle_networks, options)
    assert kinds(result) == ["face"]
    np.testing.assert_array_equal(result.final, large)


def test_a_mask_that_is_missing_or_of_another_size_is_refused(networks: Networks) -> None:
    with pytest.raises(InputError, match="no mask"):
        run(noise(9, 9, 3), networks, ONLY_MASK)
    with pytest.raises(InputError, match="8 x 9 pixels and the photo 9 x 9"):
        run(noise(9, 9, 3), networks, ONLY_MASK, np.zeros((9, 8), dtype=np.uint8))


def record(networks: Networks, stop_at: int | None = None) -> list[Event]:
    """Run with all stages; be cancelled at the event with that number."""
    pixels, _ = scratched(portrait())
    events: list[Event] = []
    restore(
        Picture(pixels),
        None,
        Options(),
        networks,
        events.append,
        lambda: stop_at is not None and len(events) > stop_at,
    )
    return events


def test_a_cancellation_at_any_event_stops_the_restoration(networks: Networks) -> None:
    count = len(record(networks))
    assert count > 100
    for number in (0, 1, count // 3, 2 * count // 3, count - 1):
        with pytest.raises(Cancelled):
            record(networks, stop_at=number)
    # The warm networks are as before.
    assert len(record(networks)) == count
    layers = list(networks.detection().modules()) + list(networks.restoration().modules())
    assert not any(layer._forward_pre_hooks for layer in layers)


def test_progress_runs_forwards_through_the_stages_to_their_ends(networks: Networks) -> None:
    events = record(networks)
    stages = ["scratches", "restoration", "faces", "enhancement", "blending"]
    progress = [event for event in events if isinstance(event, Progress)]
    places = [(stages.index(event.stage), event.fraction) for event in progress]
    assert places == sorted(places)
    for index in range(5):
        assert [fraction for stage, fraction in places if stage == index][-1] == 1.0
    ready = [event.layer.kind for event in events if isinstance(event, LayerReady)]
    assert ready == ["mask", "repair", "restored", "face"]


def test_layers_come_as_soon_as_they_exist(networks: Networks) -> None:
    events = record(networks)
    first_layer = next(i for i, event in enumerate(events) if isinstance(event, LayerReady))
    later = {event.stage for event in events[first_layer:] if isinstance(event, Progress)}
    assert "restoration" in later


def test_times_and_model_are_told(networks: Networks) -> None:
    result = run(portrait(), networks, Options())
    assert list(result.seconds) == ["scratches", "restoration", "faces", "enhancement", "blending"]
    assert all(seconds > 0 for seconds in result.seconds.values())
    assert result.model == "random"


def test_networks_unloaded_are_loaded_again(networks: Networks) -> None:
    before = run(noise(40, 40, 3), networks, WITHOUT_FACES)
    networks.unload()
    after = run(noise(40, 40, 3), networks, WITHOUT_FACES)
    np.testing.assert_array_equal(before.final, after.final)
