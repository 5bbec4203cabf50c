"""The networks that come with the program make a real portrait better, or leave it alone."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from backend.demo import load_portrait
from backend.images import Picture, Pixels
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import Result
from tests.backend.photos import portrait, scratched


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks.for_options(Options(device="cpu"))


def run(pixels: Pixels, networks: Networks, options: Options) -> Result:
    return restore(Picture(pixels), None, options, networks, lambda _: None, lambda: False)


def test_a_clean_portrait_comes_back_nearly_as_it_was(networks: Networks) -> None:
    final = run(portrait(), networks, Options()).final
    # Below this a viewer who flips between the two sees the change.
    assert peak_signal_noise_ratio(portrait(), final) > 30


def test_a_grainy_portrait_comes_closer_to_the_clean_one(networks: Networks) -> None:
    grain = np.random.default_rng(3).normal(0, 14, portrait().shape[:2])[..., None]
    grainy = np.clip(portrait() + grain, 0, 255).astype(np.uint8)
    final = run(grainy, networks, Options(scratches="none")).final
    before, after = (peak_signal_noise_ratio(portrait(), p) for p in (grainy, final))
    assert after > before + 1


def test_white_scratches_are_found_and_filled(networks: Networks) -> None:
    damaged, drawn = scratched(portrait())
    result = run(damaged, networks, Options())
    before, after = (
        np.abs(p.astype(float) - portrait())[drawn > 0].mean() for p in (damaged, result.final)
    )
    assert after < before / 2


@pytest.mark.parametrize(("margin", "ground"), [(4, 20), (5, 12), (8, 40)])
def test_the_margin_of_a_print_on_a_dark_ground_is_no_scratch(
    networks: Networks, margin: int, ground: int
) -> None:
    print_ = np.pad(
        load_portrait(), ((margin, margin), (margin, margin), (0, 0)), constant_values=228
    )
    scan = np.pad(print_, ((ground, ground), (ground, ground), (0, 0)), constant_values=35)
    mask = run(scan, networks, Options(whole_picture=False, enhance_faces=False)).layers[0].pixels
    assert (mask >= 128).mean() < 0.001
