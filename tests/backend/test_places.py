"""Places that may be damaged: what describes them, and what a judge's word does."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from backend.monitor import Monitor
from backend.networks import Networks
from backend.places import FEATURES, Floats, Places, find_places
from backend.stages.scratches import claim_damage, find_scratches
from models.place_judge import PlaceJudge
from models.registry import ModelSpec, Network
from tests.backend.networks import RandomWeights, random_networks

GRAY = np.full((120, 160), 0.5, np.float32)


def described(places: Places, number: int) -> dict[str, float]:
    return dict(zip(FEATURES, places.features[number - 1].tolist(), strict=True))


def blank() -> Floats:
    return np.full((120, 160), 0.01, np.float32)


def test_a_picture_without_likely_pixels_has_no_places() -> None:
    places = find_places(blank(), GRAY, 0.4)
    assert places.features.shape == (0, len(FEATURES))
    assert not places.areas.any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (1, 160), (120, 160)])
def test_a_picture_that_is_one_place_is_described(shape: tuple[int, int]) -> None:
    height, width = shape
    places = find_places(np.full(shape, 0.9, np.float32), GRAY[:height, :width], 0.4)
    one = described(places, 1)
    assert np.isfinite(list(one.values())).all()
    assert one["radius"] <= np.log(max(shape) + 0.5) + 1e-6
    assert places.highest_probabilities.tolist() == pytest.approx([0.9], abs=1e-3)
    assert places.limits(0.4).tolist() == pytest.approx([0.6 if width == 160 else 0.4])


def test_tens_of_thousands_of_places_fit_into_the_memory() -> None:
    probability = np.full((900, 900), 0.01, np.float32)
    probability[::5, ::5] = np.random.default_rng(1).uniform(0.5, 0.9, (180, 180))
    tracemalloc.start()
    try:
        places = find_places(probability, np.full(probability.shape, 0.5, np.float32), 0.4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(places.features) == 180**2
    # All pairs with the likeliest 2000 would take half a gigabyte.
    assert peak < 200e6


def test_a_place_is_measured() -> None:
    probability, gray = blank(), GRAY.copy()
    probability[40:44, 30:70] = 0.7
    probability[41, 50] = 0.9
    gray[40:44, 30:70] = 0.8
    one = described(find_places(probability, gray, 0.4), 1)
    assert one["highest logit"] == pytest.approx(np.log(9), abs=1e-3)
    assert one["area"] == pytest.approx(np.log(160), abs=1e-3)
    assert one["length"] == pytest.approx(np.log(40), abs=1e-3)
    assert one["width"] == pytest.approx(np.log(4), abs=1e-3)
    assert one["fullness"] == pytest.approx(0, abs=1e-3)
    assert one["contrast"] == pytest.approx(5 * 0.3, abs=1e-3)
    assert one["absolute contrast"] == one["contrast"]
    assert one["level around"] == pytest.approx(0.5, abs=1e-3)
    assert one["spread inside"] == pytest.approx(0, abs=1e-2)
    assert one["distance from the frame"] == pytest.approx(np.log1p(30), abs=1e-3)
    assert one["other places above 0.5"] == one["places like this"] == 0


def test_a_slanted_scratch_is_as_long_and_thin_as_a_straight_one() -> None:
    probability = blank()
    cv2.line(probability, (20, 20), (100, 80), 0.9, 3)
    one = described(find_places(probability, GRAY, 0.4), 1)
    assert np.exp(one["length"]) == pytest.approx(100, rel=0.05)
    # OpenCV's slanted lines are thicker than their number says.
    thickness = np.count_nonzero(probability > 0.5) / 100
    assert np.exp(one["width"]) == pytest.approx(thickness, rel=0.1)


def test_a_place_is_seen_among_the_others() -> None:
    """Of five alike spots each has four of its kind; a sixth, large and dark, has none."""
    probability, gray = blank(), GRAY.copy()
    spots = [(10, 10 + 25 * n, 4) for n in range(5)] + [(60, 40, 30)]
    for row, column, side in spots:
        where = (slice(row, row + side), slice(column, column + side))
        probability[where] = 0.96
        gray[where] = 0.9 if side == 4 else 0.1
    places = find_places(probability, gray, 0.4)
    small, large = described(places, 1), described(places, 6)
    for one in (small, large):
        assert one["other places above 0.95"] == pytest.approx(np.log1p(5))
    assert small["other area above 0.8"] > large["other area above 0.8"]
    assert small["places like this"] > 5 * large["places like this"]
    # The small ones are 0.4 lighter than the rest, the large one 0.4 darker.
    assert small["contrast of the others"] == pytest.approx(5 * (4 * 0.4 - 0.4) / 5, abs=0.01)
    assert large["contrast of the others"] == pytest.approx(5 * 0.4, abs=0.01)
    alone = probability.copy()
    alone[:30] = 0.01
    assert described(find_places(alone, gray, 0.4), 1)["other places above 0.5"] == 0


def test_neighbours_do_not_share_their_surroundings() -> None:
    probability, gray = blank(), GRAY.copy()
    gray[:, 80:] = 0.9
    probability[50:60, 50:60] = probability[50:60, 100:110] = 0.9
    left, right = (described(find_places(probability, gray, 0.4), n) for n in (1, 2))
    assert left["level around"] == pytest.approx(0.5, abs=1e-3)
    assert right["level around"] == pytest.approx(0.9, abs=1e-3)


def test_many_places_are_described_too() -> None:
    probability = np.full((600, 600), 0.01, np.float32)
    probability[::8, ::8] = 0.9
    places = find_places(probability, np.full((600, 600), 0.5, np.float32), 0.4)
    assert len(places.features) == 75 * 75
    assert np.isfinite(places.features).all()


class BelievesIn(nn.Module):
    """Stands in for the judge: believes in places by one of their features."""

    def __init__(self, feature: str, limit: float) -> None:
        super().__init__()
        self.index, self.limit = FEATURES.index(feature), limit

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, self.index] - self.limit


class Judged(RandomWeights):
    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        inference: dict[str, Any] = {"least": 0.4, "threshold": 0.5}
        self._specs["places"] = ModelSpec("places", "place_judge", {}, inference)
        self._judge = judge

    def load(self, network: Network, device: torch.device | str = "cpu") -> nn.Module:
        return self._judge if network == "places" else super().load(network, device)


def judged_by(judge: nn.Module) -> Networks:
    return Networks(Judged(judge), torch.device("cpu"))


def spots() -> npt.NDArray[np.float32]:
    probability = blank()
    probability[20:26, 20:26] = 0.6
    probability[60, 30:130] = 0.5
    return probability


def test_a_judge_decides_about_whole_places() -> None:
    long = claim_damage(spots(), GRAY, judged_by(BelievesIn("length", np.log(20)))).mask
    assert (long[60, 30:130] == 255).all()
    assert np.count_nonzero(long) == 100
    # Without a judge the weights' own threshold decides about each pixel.
    alone = claim_damage(spots(), GRAY, random_networks()).mask
    assert np.count_nonzero(alone) == 100 + 36


def test_a_lower_threshold_claims_more_places() -> None:
    networks = judged_by(BelievesIn("length", np.log(20)))
    counts = [
        np.count_nonzero(claim_damage(spots(), GRAY, networks, threshold).mask)
        for threshold in (0.1, 0.5, 0.99)
    ]
    assert counts == [136, 100, 0]


def test_scratches_are_found_by_way_of_the_judge() -> None:
    photo = torch.full((1, 3, 200, 200), 0.4)
    photo[..., 50:52, 20:180] = photo[..., 120:123, 90:93] = 1
    nothing = np.zeros((200, 200), np.uint8)
    monitor = Monitor("scratches", lambda _: None, lambda: False)
    networks = judged_by(BelievesIn("length", np.log(20)))
    found = find_scratches(photo, networks, monitor, features=nothing)
    assert (found[50:52, 30:170] == 255).all()
    assert not found[110:130].any()


def test_a_judge_is_the_mean_of_its_members() -> None:
    torch.manual_seed(0)
    judge = PlaceJudge(features=5, width=4, members=3)
    judge.get_buffer("mean").fill_(2.0)
    judge.get_buffer("spread").fill_(0.5)
    x = torch.randn(7, 5)
    votes = judge.votes(x)
    assert votes.shape == (3, 7)
    torch.testing.assert_close(judge(x), votes.mean(dim=0))
    # Nothing is made of a value that no example came near.
    far, farther = (judge(torch.full((1, 5), value)) for value in (10.0, 1000.0))
    torch.testing.assert_close(far, farther)
    assert judge(torch.zeros(0, 5)).shape == (0,)


def test_a_wide_place_must_be_surer_than_a_thin_one() -> None:
    probability = np.zeros((100, 200), np.float32)
    probability[40:60, 20:60] = 0.9
    probability[50, 100:180] = 0.9
    places = find_places(probability, np.full((100, 200), 0.5, np.float32), 0.4)
    np.testing.assert_allclose(places.limits(0.4), [0.6, 0.4])
    np.testing.assert_array_equal(places.limits(0.0), [0, 0])
    np.testing.assert_array_equal(places.limits(1.0), [1, 1])


def test_one_line_through_the_picture_is_damage_whatever_the_judge_says() -> None:
    doubts = judged_by(BelievesIn("length", 100.0))
    probability = blank()
    probability[:, 50:53] = 0.97  # from top to bottom
    probability[20:26, 80:86] = probability[40:43, 100:130] = 0.97
    probability[:, 140:142] = 0.88  # a joint
    mask = claim_damage(probability, GRAY, doubts).mask
    assert (mask[:, 50:53] == 255).all()
    assert np.count_nonzero(mask) == 120 * 3
    assert not claim_damage(probability, GRAY, doubts, 0.98).mask.any()


def test_lines_that_cross_count_as_one_line_does() -> None:
    doubts = judged_by(BelievesIn("length", 100.0))
    probability = blank()
    height, width = probability.shape
    cv2.line(probability, (30, 0), (60, height), 0.97, 3)
    cv2.line(probability, (0, 90), (width, 60), 0.97, 3)
    cv2.circle(probability, (48, 80), 8, 0.97, -1)
    places = find_places(probability, GRAY, 0.4)
    assert len(places.features) == 1
    # What is wide is the crossing alone.
    np.testing.assert_allclose(places.limits(0.4), [0.4])
    lines = probability > 0.9
    # The middle of the crossing is too large to be filled.
    lines[68:92, 36:60] = False
    assert claim_damage(probability, GRAY, doubts).mask[lines].all()
