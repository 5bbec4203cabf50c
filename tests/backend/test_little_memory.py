"""Networks that run out of memory lead to smaller pieces and a note, whichever network it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from backend import device
from backend.alignment import Face
from backend.errors import DeviceError
from backend.geometry import Box
from backend.images import Picture, Pixels
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import Event, Note, Result
from backend.stages.enhancement import Views, enhance_face
from backend.stages.enlargement import enlarge
from models.registry import Network
from tests.backend.networks import RandomWeights
from tests.backend.other_networks import networks_with
from tests.backend.photos import noise

CPU = torch.device("cpu")
QUIET = Options(tone=False, enhance_faces=False)


@contextmanager
def room_for(pixel_count: int) -> Iterator[list[tuple[int, ...]]]:
    """No layer bears a larger input; collects the shapes of those that were refused."""
    refused: list[tuple[int, ...]] = []

    def check(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        for x in inputs:
            if isinstance(x, Tensor) and x.ndim == 4 and x.shape[2] * x.shape[3] > pixel_count:
                refused.append(tuple(x.shape))
                raise torch.OutOfMemoryError("out of memory")

    hook = register_module_forward_pre_hook(check)
    try:
        yield refused
    finally:
        hook.remove()


def run(pixels: Pixels, networks: Networks, options: Options, **given: Any) -> Result:
    mask = given.get("mask")
    return restore(Picture(pixels), mask, options, networks, lambda _: None, lambda: False)


def codes(result: Result) -> list[str]:
    return [note.code for note in result.notes]


def spots(height: int, width: int) -> Pixels:
    mask = np.zeros((height, width), np.uint8)
    mask[40:48, 10 : width - 10] = 255
    return mask


def test_the_detector_runs_in_smaller_tiles() -> None:
    networks = Networks(RandomWeights(strength=0.0), CPU)
    pixels = noise(260, 1400, 3)
    options = replace(QUIET, repair_scratches=False, whole_picture=False)
    expected = run(pixels, networks, options)
    with room_for(272 * 500) as refused:
        result = run(pixels, networks, options)
    assert refused
    assert codes(result) == ["memory-short"] * 2
    np.testing.assert_array_equal(result.layers[0].pixels, expected.layers[0].pixels)


@pytest.mark.parametrize("whole_picture", [True, False])
def test_the_bundled_weights_run_in_smaller_tiles(whole_picture: bool) -> None:
    networks = Networks(RandomWeights(strength=0.1), CPU)
    pixels, mask = noise(500, 540, 3), spots(500, 540)
    options = replace(QUIET, scratches="mask", whole_picture=whole_picture)
    expected = run(pixels, networks, options, mask=mask)
    with room_for(210 * 210) as refused:
        result = run(pixels, networks, options, mask=mask)
    assert refused
    assert set(codes(result)) == {"memory-short"}
    difference = result.final.astype(float) - expected.final.astype(float)
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize("stage", ["inpainting", "denoising"])
def test_models_of_the_users_run_in_smaller_tiles(stage: Any) -> None:
    networks = networks_with({stage: lambda x, *_: 1 - x})
    pixels, mask = noise(700, 720, 3), spots(700, 720)
    options = replace(QUIET, scratches="mask")
    expected = run(pixels, networks, options, mask=mask)
    with room_for(500 * 500) as refused:
        result = run(pixels, networks, options, mask=mask)
    assert refused
    assert "memory-short" in codes(result)
    np.testing.assert_allclose(result.final.astype(int), expected.final.astype(int), atol=1)


def test_a_model_that_enlarges_runs_in_smaller_tiles() -> None:
    networks = networks_with(
        {"enlargement": lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3)}, scale=2
    )
    seen: list[Event] = []
    picture = Picture(noise(300, 320, 3))
    with room_for(200 * 200) as refused:
        result = enlarge(picture, networks, Monitor("restoration", seen.append, lambda: False))
    assert refused
    assert [event.code for event in seen if isinstance(event, Note)] == ["memory-short"]
    np.testing.assert_array_equal(result.pixels[::2, ::2], picture.pixels)


class BothFaces(RandomWeights):
    """With a face network for large faces, too."""

    def has(self, network: Network) -> bool:
        return network == "face_512" or super().has(network)

    def spec(self, network: Network) -> Any:
        if network != "face_512":
            return super().spec(network)
        spec = super().spec("face_256")
        sizes = {**spec.hyper_parameters, "crop_size": 512}
        return replace(spec, network="face_512", hyper_parameters=sizes)


def large_face() -> Face:
    landmarks = np.zeros((68, 2))
    landmarks[[36, 39]] = [[-0.33, -0.12], [-0.13, -0.12]]
    landmarks[[42, 45]] = [[0.13, -0.12], [0.33, -0.12]]
    landmarks[[30, 48, 54]] = [[0, 0.12], [-0.14, 0.41], [0.14, 0.41]]
    return Face(Box(100, 100, 700, 700), landmarks * 500 + 400)


def test_a_large_face_is_enhanced_by_the_smaller_network() -> None:
    weights = BothFaces()
    weights._specs["face_512"] = weights.spec("face_512")
    networks = Networks(weights, CPU)
    seen: list[Event] = []
    monitor = Monitor("enhancement", seen.append, lambda: False)
    views = Views(noise(800, 800, 3), noise(800, 800, 3, seed=1), np.zeros((800, 800), np.uint8))
    assert enhance_face(views, large_face(), networks, monitor).after.shape[0] == 512
    networks.cache.clear()
    with room_for(300 * 300) as refused:
        assert enhance_face(views, large_face(), networks, monitor).after.shape[0] == 256
    assert refused
    assert [event.code for event in seen if isinstance(event, Note)] == ["memory-short"]
    with room_for(100 * 100), pytest.raises(torch.OutOfMemoryError):
        enhance_face(views, large_face(), networks, monitor)


def test_what_does_not_fit_into_an_accelerator_runs_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emptied: list[bool] = []

    class Accelerator:
        @staticmethod
        def empty_cache() -> None:
            emptied.append(True)

    monkeypatch.setattr(torch, "get_device_module", lambda _: Accelerator)

    class Full(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            if x.device.type == "meta":
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().forward(x)

    network = Full(3, 3, 1).requires_grad_(False)
    x = torch.rand(1, 3, 8, 8)
    result = device.run_at_once(network, x, torch.device("meta"))
    torch.testing.assert_close(result, network(x))
    assert emptied == [True]
    with room_for(1), pytest.raises(torch.OutOfMemoryError):
        device.run_at_once(network, x, CPU)


def test_where_nothing_fits_one_sentence_says_so() -> None:
    networks = Networks(RandomWeights(), CPU)
    with room_for(1), pytest.raises(DeviceError, match="memory is too small"):
        run(noise(64, 64, 3), networks, QUIET)
