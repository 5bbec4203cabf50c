"""Real jobs with the real pipeline, as the server does them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from backend.errors import Cancelled, OptionsError, RestorationError, WeightsError
from backend.images import Pixels
from backend.jobs import LayerData
from backend.networks import Networks
from backend.options import Options
from backend.service import Service
from models.registry import bundled_files, bundled_folder
from plugin.shared import protocol
from tests.backend.other_networks import networks_with
from tests.backend.running import (
    RunningServer,
    environment_for,
    wait_for_runtime,
    wait_until,
)

Item = protocol.Progress | protocol.Note | LayerData

needs_weights = pytest.mark.skipif(
    not all(path.is_file() for path in bundled_files().values()),
    reason="the bundled weights are not in this checkout",
)
# Small enough for a second on one core.
WIDTH, HEIGHT = 48, 40


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


def photo(channels: int, depth: int) -> Pixels:
    """A soft gradient with a bright scratch."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    gray = (rows + columns) / (HEIGHT + WIDTH)
    gray[:, 20] = 1.0
    levels = np.repeat((gray * (2**depth - 1))[..., None], channels, axis=2)
    return levels.astype(np.uint8) if depth == 8 else levels.astype(np.uint16)


def restore(
    service: Service,
    pixels: Pixels,
    mask: Pixels | None = None,
    byte_order: str = "little",
    **options: object,
) -> tuple[protocol.Done, list[Item]]:
    """What a job with these pixels hands out; samples are sent in `byte_order`."""
    header = protocol.RequestHeader(
        pixels.shape[1],
        pixels.shape[0],
        pixels.shape[2],
        8 * pixels.dtype.itemsize,
        mask is not None,
        protocol.JobOptions(**{"enhance_faces": False, **options}),  # type: ignore[arg-type]
        byte_order,
    )
    wire = pixels if byte_order == sys.byteorder else pixels.byteswap()
    items: list[Item] = []
    sent_mask = None if mask is None else memoryview(mask.tobytes())
    done = service.restore(
        header, memoryview(wire.tobytes()), sent_mask, items.append, lambda: False
    )
    return done, items


def layers_of(items: list[Item]) -> dict[str, LayerData]:
    return {item.layer.kind: item for item in items if isinstance(item, LayerData)}


def array_of(data: LayerData, byte_order: str = "little") -> Pixels:
    layer = data.layer
    shape = (layer.height, layer.width, layer.channels)
    if layer.depth == 8:
        return np.frombuffer(data.parts[0], np.uint8).reshape(shape)
    wire = np.frombuffer(data.parts[0], np.uint16).reshape(shape)
    return wire if byte_order == sys.byteorder else wire.byteswap()


@needs_weights
@pytest.mark.parametrize(("channels", "depth"), [(1, 8), (2, 16), (3, 16), (4, 8)])
def test_each_pixel_format_comes_back_as_layers(
    service: Service, channels: int, depth: int
) -> None:
    done, items = restore(service, photo(channels, depth))
    restored = layers_of(items)["restored"]
    assert restored.layer.depth == depth
    assert restored.layer.channels == (1 if channels < 3 else 3)
    assert (restored.layer.width, restored.layer.height) == (WIDTH, HEIGHT)
    for data in layers_of(items).values():
        expected = data.layer.pixel_bytes + data.layer.mask_bytes
        assert sum(part.nbytes for part in data.parts) == expected
    assert done.model == "bundled"
    assert set(done.seconds) <= set(protocol.STAGES)


@needs_weights
def test_overall_progress_only_grows_and_ends_at_one(service: Service) -> None:
    _, items = restore(service, photo(3, 8))
    overall = [item.overall for item in items if isinstance(item, protocol.Progress)]
    assert overall == sorted(overall)
    assert overall[0] < 0.1
    assert overall[-1] == 1.0


@needs_weights
def test_a_big_endian_host_gets_the_same_picture(service: Service) -> None:
    little = layers_of(restore(service, photo(3, 16))[1])["restored"]
    big = layers_of(restore(service, photo(3, 16), byte_order="big")[1])["restored"]
    assert little.parts[0] != big.parts[0]
    np.testing.assert_array_equal(array_of(little), array_of(big, "big"))


@needs_weights
def test_a_given_mask_is_what_is_repaired(service: Service) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, 20:22] = 255
    _, items = restore(service, photo(3, 8), mask, scratches="mask", whole_picture=False)
    layers = layers_of(items)
    assert "restored" not in layers
    np.testing.assert_array_equal(array_of(layers["mask"])[..., 0], mask)


@needs_weights
def test_unloaded_networks_are_loaded_again(service: Service) -> None:
    first = layers_of(restore(service, photo(1, 8))[1])["restored"]
    service.unload()
    again = layers_of(restore(service, photo(1, 8))[1])["restored"]
    np.testing.assert_array_equal(array_of(first), array_of(again))


@needs_weights
@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no reminder")
def test_unloading_gives_memory_back_to_the_system(service: Service) -> None:
    pixels = np.zeros((160, 192, 1), np.uint8)
    restore(service, pixels, scratches="none")
    before = psutil.Process().memory_info().rss
    service.unload()
    assert psutil.Process().memory_info().rss < before - 10 * 2**20


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/tmp", "../official", "a/b", "a\\b", "C:x", "~", "bundled\n", "\0"]
)
def test_the_wire_cannot_name_a_path_as_weights(service: Service, name: str) -> None:
    with pytest.raises(OptionsError, match="bundled, official or the name"):
        restore(service, photo(1, 8), weights=name)


def test_weights_that_are_not_installed_are_one_sentence(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    with pytest.raises(RestorationError) as caught:
        restore(service, photo(1, 8), weights="elsewhere")
    assert str(tmp_path / "weights" / "elsewhere") in str(caught.value)


@needs_weights
def test_it_is_ready_once_the_pipeline_is_there(service: Service) -> None:
    service.prepare()
    wait_until(lambda: service.status() == ("ready", ""))


def test_missing_weights_are_told_before_any_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.registry.bundled_folder", lambda: Path("nowhere"))
    monkeypatch.setattr("models.loading.bundled_folder", lambda: Path("nowhere"))
    service = Service()
    service.prepare()
    wait_until(lambda: service.status()[0] == "missing weights")
    assert "nowhere" in service.status()[1]


def test_a_job_can_be_cancelled_while_libraries_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "_load", lambda _: time.sleep(2))
    service = Service()
    header = protocol.RequestHeader(1, 1, 1, 8)
    start = time.monotonic()
    with pytest.raises(Cancelled):
        service.restore(header, memoryview(b"x"), None, lambda _: None, lambda: True)
    assert time.monotonic() - start < 1


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("home")
    process = subprocess.Popen(
        [sys.executable, "-m", "backend", "serve", "--watch-pid", str(os.getpid())],
        env=environment_for(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield RunningServer(process, home, wait_for_runtime(home, process))
    finally:
        process.kill()
        process.communicate()


@needs_weights
def test_the_real_server_restores_a_photo(real_server: RunningServer) -> None:
    client = real_server.client
    assert client.health().status in ("loading", "ready")
    pixels = photo(3, 8)
    job = client.submit(protocol.RequestHeader(WIDTH, HEIGHT, 3, 8), pixels.tobytes())
    events = [event for event in client.events(job) if event is not None]
    assert isinstance(events[-1], protocol.Done), events[-1]
    layers = [event for event in events if isinstance(event, protocol.Layer)]
    assert [layer.kind for layer in layers][:2] == ["mask", "repair"]
    for layer in layers:
        protocol.split_pixels(layer, client.layer(job, layer.index))


@needs_weights
def test_the_real_server_stops_within_a_second(real_server: RunningServer) -> None:
    client = real_server.client
    header = protocol.RequestHeader(700, 600, 1, 8)
    job = client.submit(header, bytes(header.pixel_bytes))
    events = client.events(job)
    wait_until(lambda: isinstance(next(events), protocol.Progress))
    start = time.monotonic()
    client.cancel(job)
    assert [event for event in events if event is not None][-1] == protocol.Cancelled()
    # A second on a computer of its own; test machines are shared.
    assert time.monotonic() - start < 3


@needs_weights
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_the_real_server_ends_when_it_is_told(real_server: RunningServer) -> None:
    real_server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: real_server.process.poll() is not None)
    assert not real_server.runtime_file.exists()


def test_a_model_that_was_not_imported_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="'scunet' was not imported: import it"):
        restore(service, photo(3, 8), denoising="scunet")


def test_a_set_that_was_replaced_on_the_disk_is_loaded_anew(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    own = tmp_path / "weights" / "own"
    shutil.copytree(bundled_folder(), own, ignore=shutil.ignore_patterns("*.md"))
    options = Options(weights=str(own))
    first = service._networks_for(options)
    assert service._networks_for(options) is first
    os.utime(own / "tone.safetensors", (1, 1))
    assert service._networks_for(options) is not first


def test_the_models_and_their_files_choose_the_networks(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Options] = []

    def for_options(options: Options, *, cache_bytes: int) -> Networks:
        assert cache_bytes > 0
        asked.append(options)
        return networks_with({"denoising": lambda x: 1 - x})

    monkeypatch.setattr(Networks, "for_options", for_options)
    sums = iter("aabaa")
    monkeypatch.setattr(
        "backend.service.imported_models",
        lambda: [
            SimpleNamespace(name="scunet", sha256=next(sums)),
            SimpleNamespace(name="nafnet", sha256="c"),
        ],
    )
    for name in ("scunet", "scunet", "scunet", "nafnet"):
        done, items = restore(service, photo(3, 8), scratches="none", denoising=name)
        restored = array_of(layers_of(items)["restored"])
        np.testing.assert_allclose(restored, 255 - photo(3, 8), atol=1)
    restore(service, photo(3, 8), scratches="none", denoising="nafnet", device="cpu")
    # The networks stay warm while the names, the files and the device stay the same.
    assert [options.denoising for options in asked] == ["scunet", "scunet", "nafnet", "nafnet"]
    assert [options.device for options in asked] == ["auto", "auto", "auto", "cpu"]
    assert done.model == "random, my-denoising"
