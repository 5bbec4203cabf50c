"""The plug-in as a user meets it: menu, dialog, progress, layers, undo, cancel, error.

Each test leaves screenshots in build/screenshots, to be looked at.
"""

from __future__ import annotations

import json
import shutil
import time

import numpy as np
import pytest

from .desk import DETECT, FACES, REPAIR, RESTORE, TITLE, Desk
from .document import Array, facts, noise
from .fake_backend import composite
from .window import wait_for

pytestmark = pytest.mark.gimp


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
    assert desk.screen.windows("Message$") == []
    desk.focus()
    desk.screen.press("ctrl+z")
    wait_for(lambda: len(desk.names()) == 1, 10, "the undo")
    assert desk.document.layers() == before
    # GIMP says a moment later, in a window, what it cannot undo.
    time.sleep(2)
    desk.shoot("undone")
    assert desk.screen.windows("Message$") == []
    desk.screen.press("ctrl+y")
    wait_for(lambda: len(desk.names()) == 2, 10, "the redo")
    assert facts(desk.document.layers()[0])["kind"] == "group"
    assert "undo_group" not in desk.gimp.log_text()


def test_after_undo_and_redo_it_is_the_photo_that_is_restored_again(desk: Desk) -> None:
    desk.open(portrait())
    desk.choose(FACES)
    wait_for(lambda: len(desk.names()) == 2, 20, "the layers")
    desk.focus()
    desk.screen.press("ctrl+z")
    wait_for(lambda: len(desk.names()) == 1, 10, "the undo")
    desk.screen.press("ctrl+y")
    wait_for(lambda: len(desk.names()) == 2, 10, "the redo")
    assert desk.gimp.selected(desk.document.image) != [desk.document.photo]
    desk.choose(FACES)
    wait_for(lambda: len(desk.names()) == 3, 20, "the second layers")
    assert np.array_equal(desk.backend.last.pixels, portrait())


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
    time.sleep(1)
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


def test_an_imported_model_can_be_chosen_and_given_up(desk: Desk) -> None:
    folder = desk.gimp.home / "weights" / "imported"
    folder.mkdir(parents=True, exist_ok=True)
    for name, stage in (("lama", "inpainting"), ("nafnet", "denoising"), ("scunet", "denoising")):
        (folder / f"{name}.json").write_text(json.dumps({"stage": stage}))
    desk.open(portrait())
    chosen = []
    for key in ("Down", "Up"):
        desk.choose(RESTORE)
        window = desk.screen.await_window(TITLE)
        desk.screen.move(window)
        # Over "Enhance faces" and back to "Advanced", which opens; then to the list.
        desk.screen.press("alt+f", "alt+f", "Tab", "space")
        time.sleep(0.5)
        desk.screen.press("alt+n", key)
        desk.shoot(f"models-{key.lower()}")
        jobs = len(desk.backend.jobs)
        desk.screen.press("alt+o")
        desk.screen.await_no(window)
        wait_for(lambda before=jobs: len(desk.backend.jobs) > before, 20, "the job")
        wait_for(lambda: len(desk.names()) > len(chosen) + 1, 20, "the layers")
        chosen.append(desk.backend.last.header.options)
        shutil.rmtree(folder, ignore_errors=True)  # one that is gone can still be given up
    assert [options.denoising for options in chosen] == ["nafnet", None]
    assert [options.inpainting for options in chosen] == [None, None]
    assert [options.enhance_faces for options in chosen] == [True, True]


def test_a_failure_is_shown_in_words(desk: Desk) -> None:
    desk.open(portrait())
    desk.backend.fail = "The graphics card has too little memory: choose the processor."
    desk.choose(FACES)
    wait_for(lambda: desk.backend.jobs, 20, "the job")
    time.sleep(1.5)
    desk.shoot("failure")
    assert desk.names() == ["photo"]
    desk.put_messages_away()


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
    desk.put_messages_away()


def test_a_layer_deleted_while_the_dialog_is_open_is_told_in_words(desk: Desk) -> None:
    desk.open(portrait())
    desk.gimp.add_layer(desk.document.image, "other", 5, 5, bytes(75))
    desk.gimp.activate(desk.document.image, [desk.document.photo])
    earlier = len(desk.gimp.log_text())
    desk.choose(RESTORE)
    desk.screen.await_window(TITLE)
    desk.gimp.remove(desk.document.photo)
    desk.accept(TITLE)
    desk.screen.await_window("Message$")
    desk.shoot("deleted-before")
    assert "Traceback" not in desk.gimp.log_text()[earlier:]
    assert not desk.backend.jobs
    desk.put_messages_away()


def test_an_image_closed_while_layers_come_is_told_in_words(desk: Desk) -> None:
    desk.open(portrait())
    desk.backend.faces = 60
    earlier = len(desk.gimp.log_text())
    desk.choose(FACES)
    wait_for(lambda: len(desk.names()) == 2, 20, "the first of the layers")
    desk.gimp.clean(desk.document.image)
    desk.gimp.close_display(desk.display)
    assert desk.document.image not in desk.gimp.images()
    desk.screen.await_window("Message$")
    desk.shoot("closed-while-layers-come")
    # The plug-in prints a traceback where it takes a failure for a mistake in itself.
    assert "Traceback" not in desk.gimp.log_text()[earlier:]
    desk.put_messages_away()


def test_a_photo_painted_on_during_the_run_gets_its_layers_and_is_told(desk: Desk) -> None:
    desk.open(portrait())
    desk.backend.stall_at = "enhancement"
    desk.choose(FACES)
    progress = desk.await_progress()
    painted = portrait()[:, ::-1]
    desk.gimp.write(desk.document.photo, painted.tobytes(), "R'G'B'")
    desk.backend.stall_at = None
    desk.screen.await_no(progress)
    desk.screen.await_window("Message$")
    desk.shoot("painted")
    assert len(desk.names()) == 2
    assert np.array_equal(desk.document.read(desk.document.photo), painted)
    desk.put_messages_away()


def test_a_layer_deleted_during_the_run_harms_nothing(desk: Desk) -> None:
    desk.open(portrait())
    desk.gimp.add_layer(desk.document.image, "other", 5, 5, bytes(75))
    desk.gimp.activate(desk.document.image, [desk.document.photo])
    desk.backend.stall_at = "enhancement"
    desk.choose(FACES)
    progress = desk.await_progress()
    desk.shoot("faces-progress")
    desk.gimp.remove(desk.document.photo)
    desk.backend.stall_at = None
    desk.screen.await_no(progress)
    time.sleep(0.5)
    assert desk.names() == ["other"]
    desk.shoot("deleted")
