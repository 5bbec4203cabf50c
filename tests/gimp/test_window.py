"""The plug-in as a user meets it: menu, dialog, progress, layers, undo, cancel, error.

Each test leaves screenshots in build/screenshots, to be looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .document import Array, Document, noise
from .fake_backend import FakeBackend, composite
from .harness import GimpProcess
from .provision import Tree
from .window import Screen, is_available, private_mounts, wait_for

pytestmark = pytest.mark.gimp

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
TITLE = "^Restore Old Photo$"
# GIMP sorts the submenu: how many times Up from its first entry.
DETECT, FACES, REPAIR, RESTORE = 0, 3, 2, 1


class Desk:
    """A GIMP window with one photo in it."""

    def __init__(self, gimp: GimpProcess, screen: Screen, backend: FakeBackend) -> None:
        self.gimp, self.screen, self.backend = gimp, screen, backend
        self.document = Document(gimp, backend)
        self.display = 0

    def open(self, pixels: Array) -> None:
        """Show the photo; nothing of how it was made can be undone."""
        self.document.open(pixels)
        self.show()

    def show(self) -> None:
        self.display = self.gimp.show(self.document.image)
        self.gimp.forget_undo(self.document.image)
        time.sleep(1)

    def close(self) -> None:
        self.gimp.close_display(self.display)

    def choose(self, entry: int, shot: str = "") -> None:
        """Open Filters > Restore Old Photo and take the entry."""
        self.focus()
        self.screen.press("alt+r")
        time.sleep(0.4)
        self.screen.press("Up", "Right", *["Up"] * entry)
        time.sleep(0.4)
        if shot:
            self.shoot(shot)
        self.screen.press("Return")

    def focus(self) -> None:
        self.screen.focus(self.screen.await_window("GIMP$"))

    def accept(self, title: str, shot: str = "") -> None:
        """Press OK in the dialog."""
        window = self.screen.await_window(title)
        self.screen.move(window)
        if shot:
            self.shoot(shot)
        self.screen.press("alt+o")
        self.screen.await_no(window)

    def shoot(self, name: str) -> None:
        self.screen.shoot(SCREENSHOTS / f"gimp-{self.gimp.tree.series}-{name}.png")

    def await_progress(self) -> str:
        """The progress window, once the backend stands still."""
        window = self.screen.await_window("Restore Old Photo|Repair Scratches|Enhance Faces")
        wait_for(lambda: self.backend.jobs, 20, "the job")
        time.sleep(0.6)
        self.screen.move(window)
        return window

    def names(self) -> list[str]:
        return [layer["name"] for layer in self.document.layers()]


@pytest.fixture(scope="module")
def window(tree: Tree) -> Iterator[tuple[GimpProcess, Screen]]:
    if not is_available():
        pytest.skip("Xvfb, xdotool and ImageMagick are needed for a window")
    screen = Screen()
    gimp = GimpProcess(tree, display=screen.name, wrapper=private_mounts(tree))
    sessionrc = Path(__file__).with_name("sessionrc")
    (gimp.folder / "profile" / "sessionrc").write_text(sessionrc.read_text())
    try:
        gimp.start()
        screen.await_window("GIMP|GNU Image")
        yield gimp, screen
    finally:
        gimp.stop()
        screen.close()


@pytest.fixture
def desk(window: tuple[GimpProcess, Screen], shared_backend: FakeBackend) -> Iterator[Desk]:
    gimp, screen = window
    shared_backend.reset()
    shared_backend.publish(gimp.home)
    made = Desk(gimp, screen, shared_backend)
    yield made
    shared_backend.stall_at = None
    made.close()


def portrait() -> Array:
    """Something to see in the screenshots: a bright oval on a gradient."""
    y, x = np.mgrid[0:400, 0:320]
    shade = 60 + x / 4 + 90 * ((x - 160) ** 2 / 90**2 + (y - 190) ** 2 / 120**2 < 1)
    return np.repeat(shade[..., None], 3, axis=2).astype(np.uint8)


def test_restore_from_the_menu_and_undo_it_with_one_key(desk: Desk) -> None:
    desk.open(portrait())
    before = desk.document.layers()
    desk.backend.stall_at = "faces"
    desk.choose(RESTORE, "menu")
    desk.accept(TITLE, "dialog")
    progress = desk.await_progress()
    desk.shoot("progress")
    desk.backend.stall_at = None
    desk.screen.await_no(progress)
    wait_for(lambda: len(desk.names()) == 2, 10, "the layers")
    time.sleep(1)
    desk.shoot("layers")
    assert desk.names() == ["Restored photo", "photo"]
    seen = desk.document.visible().astype(int)
    assert np.abs(seen - np.rint(composite(desk.backend.last) * 255)).max() <= 1
    desk.focus()
    desk.screen.press("ctrl+z")
    wait_for(lambda: len(desk.names()) == 1, 10, "the undo")
    assert desk.document.layers() == before


def test_one_undo_also_brings_the_palette_back(desk: Desk) -> None:
    desk.document.open((noise(60, 50) // 64 * 64).astype(np.uint8))
    desk.gimp.convert_indexed(desk.document.image)
    desk.show()
    desk.choose(FACES)
    wait_for(lambda: len(desk.names()) == 2, 20, "the layers")
    assert desk.gimp.base_type(desk.document.image) == "rgb"
    desk.focus()
    desk.screen.press("ctrl+z")
    wait_for(lambda: len(desk.names()) == 1, 10, "the undo")
    assert desk.gimp.base_type(desk.document.image) == "indexed"


def test_cancel_stops_the_backend_within_a_second(desk: Desk) -> None:
    desk.open(portrait())
    before = desk.document.layers()
    desk.backend.stall_at = "restoration"
    desk.choose(RESTORE)
    desk.accept(TITLE)
    progress = desk.await_progress()
    desk.screen.press("alt+c")
    assert desk.backend.last.cancelled.wait(1)
    desk.screen.await_no(progress)
    assert desk.document.layers() == before


def test_repair_needs_no_dialog_and_the_last_choices_are_kept(desk: Desk) -> None:
    desk.open(portrait())
    desk.gimp.select(desk.document.image, "ellipse", 60, 60, 40, 30)
    desk.choose(REPAIR)
    wait_for(lambda: len(desk.names()) == 2, 20, "the layers")
    options = desk.backend.last.header.options
    assert (options.scratches, options.whole_picture) == ("mask", False)
    desk.focus()
    desk.screen.press("ctrl+f")
    wait_for(lambda: len(desk.names()) == 3, 20, "the repeated run")
    assert desk.backend.last.header.options == options
    desk.shoot("repair")


def test_detect_shows_the_damage_as_a_glow(desk: Desk) -> None:
    desk.open(portrait())
    desk.choose(DETECT)
    desk.accept("^Detect Scratches$", "detect-dialog")
    wait_for(lambda: len(desk.names()) == 2, 20, "the mask")
    time.sleep(0.5)
    desk.shoot("detect")
    assert desk.document.named("Scratch mask")["visible"]
    desk.choose(RESTORE)
    desk.accept(TITLE, "dialog-with-mask")
    wait_for(lambda: len(desk.names()) == 3, 20, "the layers")


def test_a_failure_is_shown_in_words(desk: Desk) -> None:
    desk.open(portrait())
    desk.backend.fail = "The graphics card has too little memory: choose the processor."
    desk.choose(FACES)
    wait_for(lambda: desk.backend.jobs, 20, "the job")
    time.sleep(1.5)
    desk.shoot("failure")
    assert desk.names() == ["photo"]
    for message in desk.screen.windows("GIMP Message"):
        desk.screen.focus(message)
        desk.screen.press("Escape")


def test_an_image_closed_during_the_run_harms_nothing(desk: Desk) -> None:
    desk.open(portrait())
    desk.backend.stall_at = "enhancement"
    desk.choose(FACES)
    progress = desk.await_progress()
    desk.gimp.clean(desk.document.image)
    desk.gimp.close_display(desk.display)
    assert desk.document.image not in desk.gimp.images()
    desk.backend.stall_at = None
    desk.screen.await_no(progress)
    time.sleep(0.5)
    desk.shoot("closed")
    for message in desk.screen.windows("GIMP Message"):
        desk.screen.focus(message)
        desk.screen.press("Escape")


def test_a_layer_deleted_during_the_run_harms_nothing(desk: Desk) -> None:
    desk.open(portrait())
    desk.gimp.add_layer(desk.document.image, "other", 5, 5, bytes(75))
    desk.gimp.activate(desk.document.image, [desk.document.photo])
    desk.backend.stall_at = "enhancement"
    desk.choose(FACES)
    progress = desk.await_progress()
    desk.gimp.remove(desk.document.photo)
    desk.backend.stall_at = None
    desk.screen.await_no(progress)
    time.sleep(0.5)
    assert desk.names() == ["other"]
    desk.shoot("deleted")
