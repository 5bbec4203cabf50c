"""A GIMP window with one photo in it, and the keys a user would press."""

from __future__ import annotations

import time
from pathlib import Path

from .document import Array, Document
from .fake_backend import FakeBackend
from .harness import GimpProcess
from .window import Screen, wait_for

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
        # Layers that still come into a closed image would be an error in the next test's window.
        wait_for(lambda: not self.gimp.has_plugin_running(), 60, "the end of the run")
        # GIMP keeps a window whose image has unsaved changes.
        if self.document.image in self.gimp.images():
            self.gimp.clean(self.document.image)
        self.gimp.close_display(self.display)

    def choose(self, entry: int, shot: str = "") -> None:
        """Open Filters > Restore Old Photo and take the entry."""
        self.open_menu(entry)
        if shot:
            self.shoot(shot)
        self.screen.press("Return")

    def open_menu(self, entry: int) -> None:
        """Open Filters > Restore Old Photo and go to the entry."""
        self.focus()
        self.screen.press("alt+r")
        time.sleep(0.4)
        self.screen.press("Up", "Right", *["Up"] * entry)
        time.sleep(0.4)

    def put_messages_away(self) -> None:
        """Close the windows with messages, which come a moment after what they speak of."""
        time.sleep(2)
        for message in self.screen.windows("Message$"):
            self.screen.focus(message)
            self.screen.press("Escape")

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
