"""Make the pictures of the documents anew: `python -m tests.gimp.pictures`.

The example, aged by `restore-old-photo demo`, is restored by the bundled weights, on the command
line, on the review page and in a real GIMP window; what is seen there is cut out and saved. All of
it is public domain.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from backend.cli import main as command_line
from backend.demo import AGED_NAME, RESTORED_NAME, age, load_portrait
from tests.backend.review.browser import DONE, Page, running_browser
from tests.backend.review.serving import review_backend

from .desk import RESTORE, TITLE, Desk
from .fake_backend import FakeBackend
from .harness import GimpProcess
from .provision import TREES, install_host_programs, provide
from .real_backend import PROJECT, RealBackend
from .window import Screen, is_available, private_mounts, wait_for

GAP = 8
QUALITY = 82
# Of the screen of 1280 x 900: the menus with a part of the photo; photo, layers and undo steps.
MENUS = (195, 0, 955, 640)
DOCUMENT = (215, 25, 1280, 760)
RESTORE_SECONDS = 180


def main(argv: Sequence[str] | None = None) -> int:
    """Write all pictures; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.gimp.pictures", description="Make the pictures of the documents anew."
    )
    add = parser.add_argument
    add("-o", dest="folder", type=Path, default=PROJECT / "docs", metavar="DIR", help="for them")
    add("--without-gimp", action="store_true", help="leave those of GIMP as they are")
    chosen = parser.parse_args(argv)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    picture_the_command_line(chosen.folder)
    picture_the_review_page(chosen.folder)
    if not chosen.without_gimp:
        with photo_in_gimp() as desk:
            picture_gimp(desk, chosen.folder)
    return 0


def picture_the_command_line(folder: Path) -> None:
    """The example before and after, and beside the mask that `detect` writes."""
    with tempfile.TemporaryDirectory() as made:
        if command_line(["demo", "-o", made]) != 0:
            raise SystemExit("The example could not be restored, see above.")
        aged, restored = (Image.open(Path(made) / name) for name in (AGED_NAME, RESTORED_NAME))
        mask = Path(made) / "mask.png"
        if command_line(["detect", str(Path(made) / AGED_NAME), "-o", str(mask)]) != 0:
            raise SystemExit("No mask could be made of the example, see above.")
        save(beside(aged, restored), folder / "before-after.webp")
        save(beside(aged, Image.open(mask)), folder / "mask.webp")


def picture_the_review_page(folder: Path) -> None:
    """The page with the example, half before and half after."""
    with tempfile.TemporaryDirectory() as made:
        home, aged, shot = Path(made) / "home", Path(made) / AGED_NAME, Path(made) / "shot.png"
        Image.fromarray(age(load_portrait())).save(aged)
        serve = "from backend.cli import main; main(['serve'])"
        with review_backend(home, serve) as backend, running_browser(home) as browser:
            page = Page(browser, home)
            page.open(backend.address(aged))
            page.wait_for_status(DONE)
            time.sleep(1)  # the last layers fade in
            browser.save_screenshot(str(shot))
        save(Image.open(shot), folder / "review.webp")


@contextmanager
def photo_in_gimp() -> Iterator[Desk]:
    """The newest GIMP with the aged example in its window, and the project's own backend."""
    if not is_available():
        install_host_programs()
    tree = TREES[-1]
    provide(tree)
    screen, backend, stand_in = Screen(), RealBackend(), FakeBackend()
    gimp = GimpProcess(tree, display=screen.name, wrapper=private_mounts(tree))
    sessionrc = Path(__file__).with_name("sessionrc")
    (gimp.folder / "profile" / "sessionrc").write_text(sessionrc.read_text())
    try:
        backend.start()
        gimp.start()
        backend.publish(gimp.home)
        screen.await_window("GIMP|GNU Image")
        # A desk wants the tests' backend, which is not asked for anything here.
        desk = Desk(gimp, screen, stand_in)
        desk.open(age(load_portrait()))
        yield desk
    finally:
        gimp.stop()
        backend.stop()
        stand_in.close()
        screen.close()


def picture_gimp(desk: Desk, folder: Path) -> None:
    """Menu, dialog, and the layers with and without the restored picture."""
    with tempfile.TemporaryDirectory() as made:
        shot = Path(made) / "shot.png"
        screen = desk.screen
        desk.open_menu(RESTORE)
        save(Image.open(screen.shoot(shot)).crop(MENUS), folder / "gimp-menu.webp")
        screen.press("Return")
        dialog = screen.await_window(TITLE)
        screen.move(dialog)
        save(Image.open(screen.shoot(shot)).crop(screen.box(dialog)), folder / "gimp-dialog.webp")
        screen.press("alt+o")
        screen.await_no(dialog)
        wait_for(lambda: len(desk.names()) == 2, RESTORE_SECONDS, "the layers")
        # The plug-in selects the photo again when all is inserted.
        image, photo = desk.document.image, desk.document.photo
        wait_for(lambda: desk.gimp.selected(image) == [photo], RESTORE_SECONDS, "the last layer")
        desk.put_messages_away()
        desk.focus()
        screen.run("xdotool", "mousemove", "5", "895")  # no brush over the photo
        time.sleep(2)  # GIMP draws the thumbnails of layers after a while.
        save(Image.open(screen.shoot(shot)).crop(DOCUMENT), folder / "gimp-layers.webp")
        for name in ("Restored", "Face 1"):
            desk.gimp.hide(desk.document.named(name)["id"])
        time.sleep(2)
        save(Image.open(screen.shoot(shot)).crop(DOCUMENT), folder / "gimp-repair.webp")


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures of one height, with a white gap."""
    pictures = [np.asarray(picture.convert("RGB")) for picture in (left, right)]
    gap = np.full((left.height, GAP, 3), 255, np.uint8)
    return Image.fromarray(np.hstack([pictures[0], gap, pictures[1]]))


def save(picture: Image.Image, path: Path) -> None:
    picture.convert("RGB").save(path, quality=QUALITY, method=6)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    raise SystemExit(main())
