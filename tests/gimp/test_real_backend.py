"""Real GIMP, real backend, real networks, real photos."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.images import Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore

from .desk import FACES as FACES_ENTRY
from .desk import RESTORE as RESTORE_ENTRY
from .desk import TITLE, Desk
from .document import DETECT, REPAIR, RESTORE, Array, Document, facts
from .harness import GimpProcess
from .provision import Tree
from .real_backend import RealBackend, self_starting_gimp, wait_until_gone
from .window import wait_for

pytestmark = pytest.mark.gimp

OLD_PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "val" / "old"
WIDTH = 480


def old_photo(name: str) -> Array:
    """A real old photo, small enough for a test's time."""
    path = OLD_PHOTOS / f"test_images_{name}.webp"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine")
    picture = Image.open(path).convert("RGB")
    return np.asarray(picture.resize((WIDTH, round(picture.height * WIDTH / picture.width))))


def scratched(pixels: Array) -> Array:
    """The photo with a white scratch drawn from top to bottom at a third of its width."""
    damaged = pixels.copy()
    x = damaged.shape[1] // 3
    damaged[:, x : x + 3] = 245
    return damaged


@pytest.fixture
def real(console: GimpProcess, real_backend: RealBackend) -> Iterator[Document]:
    real_backend.publish(console.home)
    document = Document(console)
    yield document
    document.close()


OPTIONS = Options(device="cpu")


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks.for_options(OPTIONS)


@pytest.fixture(scope="session")
def finals() -> dict[bytes, Array]:
    """Pictures that were computed already: both GIMPs must show the same."""
    return {}


@pytest.fixture
def final_of(networks: Networks, finals: dict[bytes, Array]) -> Callable[..., Array]:
    """The pipeline's picture, computed in this process."""

    def compute(pixels: Array, mask: Array | None) -> Array:
        key = pixels.tobytes() + (b"" if mask is None else mask.tobytes())
        if key not in finals:
            photo = Picture(pixels)
            result = restore(photo, mask, OPTIONS, networks, lambda _: None, lambda: False)
            finals[key] = result.final
        return finals[key]

    return compute


def test_a_scratched_photo_with_a_hand_made_selection(
    real: Document, final_of: Callable[..., Array]
) -> None:
    pixels = scratched(old_photo("marktwain"))
    height, width = pixels.shape[:2]
    real.open(pixels)
    real.gimp.select(real.image, "rectangle", width // 3 - 2, 0, 7, height)
    real.gimp.feather(real.image, 3)
    selection = real.selection()
    group = real.run(RESTORE, device="cpu")
    names = [layer["name"] for layer in group["children"]]
    assert names == ["Faces", "Restored", "Scratch repair", "Scratch mask"]
    assert len(group["children"][0]["children"]) == 1
    record = facts(group)
    assert record["model"]
    assert set(record["seconds"]) >= {"scratches", "restoration", "faces"}
    final = final_of(pixels, selection)
    assert np.abs(real.visible().astype(int) - final).max() <= 1
    assert np.array_equal(real.read(real.photo), pixels)


def test_a_gray_16_bit_photo_stays_gray_and_exact(
    real: Document, final_of: Callable[..., Array]
) -> None:
    pixels = scratched(old_photo("civil_war"))[..., :1].astype(np.uint16) * 257
    real.open(pixels, precision="u16-non-linear")
    real.run(RESTORE, device="cpu")
    assert real.gimp.base_type(real.image) == "gray"
    final = final_of(pixels, None)
    off = np.abs(real.visible(1, 16).astype(int) - final.reshape(pixels.shape)).max()
    assert off <= 257


def test_detect_then_repair_changes_nothing_but_the_damage(real: Document) -> None:
    pixels = scratched(old_photo("Lisbon1919"))
    real.open(pixels)
    detected = real.run(DETECT, device="cpu")
    mask = real.read(detected["children"][0]["id"], 1)[..., 0]
    x = pixels.shape[1] // 3 + 1
    assert (mask[:, x] > 0).mean() > 0.5
    real.run(REPAIR, device="cpu")
    seen = real.visible()
    repair = real.named("Scratch repair")
    x0, y0, x1, y1 = repair["box"]
    touched = np.zeros(mask.shape, bool)
    touched[y0:y1, x0:x1] = real.read_mask(repair) > 0
    assert np.array_equal(seen[~touched], pixels[~touched])
    assert np.abs(seen[:, x].astype(int) - pixels[:, x]).mean() > 20


def test_a_made_photo_with_alpha_works_without_any_download(
    real: Document, final_of: Callable[..., Array]
) -> None:
    y, x = np.mgrid[0:160, 0:200]
    shade = 90 + 60 * np.sin(x / 23.0) + 40 * np.cos(y / 17.0)
    pixels = np.clip(np.stack([shade, shade * 0.9, shade * 0.7], axis=2), 0, 255)
    pixels = np.dstack([scratched(pixels.astype(np.uint8)), np.full((160, 200), 255, np.uint8)])
    pixels[:40, :50, 3] = 0
    real.open(pixels)
    real.run(RESTORE, device="cpu")
    seen, final = real.visible(4), final_of(pixels, None)
    opaque = pixels[..., 3] == 255
    assert np.array_equal(seen[..., 3], pixels[..., 3])
    assert np.abs(seen[opaque].astype(int) - final[opaque]).max() <= 1


def test_a_killed_backend_is_started_anew_by_the_plug_in(tree: Tree) -> None:
    missing = RealBackend.what_is_missing()
    if missing:
        pytest.skip(missing)
    gimp = self_starting_gimp(tree)
    runtime = gimp.home / "run" / "runtime.json"
    try:
        gimp.start()
        document = Document(gimp)
        document.open(scratched(np.full((96, 128, 3), 120, np.uint8)))
        document.run(RESTORE, device="cpu")
        first = json.loads(runtime.read_text())["pid"]
        os.kill(first, signal.SIGKILL)
        assert wait_until_gone(first, 5)
        document.run(RESTORE, device="cpu")
        second = json.loads(runtime.read_text())["pid"]
        assert second != first
        assert gimp.process is not None
        gimp.process.kill()
        assert wait_until_gone(second, 20), "the backend outlives its GIMP"
    finally:
        gimp.stop()


def test_a_real_photo_in_a_real_window(desk: Desk, real_backend: RealBackend) -> None:
    real_backend.publish(desk.gimp.home)
    desk.open(scratched(old_photo("marktwain")))
    height, width = desk.document.visible().shape[:2]
    desk.gimp.select(desk.document.image, "rectangle", width // 3 - 2, 0, 7, height)
    desk.choose(RESTORE_ENTRY)
    desk.accept(TITLE, "real-dialog")
    progress = desk.screen.await_window(TITLE)
    desk.screen.move(progress)
    time.sleep(1)
    desk.shoot("real-progress")
    desk.screen.await_no(progress, 120)
    wait_for(lambda: len(desk.names()) == 2, 10, "the layers")
    time.sleep(1.5)
    desk.shoot("real-layers")
    desk.focus()
    desk.screen.press("ctrl+z")
    wait_for(lambda: len(desk.names()) == 1, 10, "the undo")
    desk.choose(FACES_ENTRY)
    wait_for(lambda: len(desk.names()) == 2, 60, "the faces")
