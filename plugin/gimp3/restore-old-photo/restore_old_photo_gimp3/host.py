"""GIMP 3 as a host of the shared path."""

from __future__ import annotations

from collections.abc import Callable

import gi
from restore_old_photo_shared.host import Host, Outcome, Picture, Watcher, pixels_on_canvas
from restore_old_photo_shared.languages import Language

from . import insertion, progress, source

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402


class Gimp3Host(Host):
    """One image and its source layer.

    Args:
        image: the user's image.
        drawables: what is selected in it, or what the caller passed.
        window_title: names the progress window; None shows no window.
        language: the user's.

    Raises:
        PluginError: what is selected cannot be restored.
    """

    def __init__(
        self,
        image: Gimp.Image,
        drawables: list[Gimp.Drawable],
        window_title: str | None,
        language: Language,
    ) -> None:
        self.image = image
        self.source = source.find_source(image, drawables)
        self.window_title = window_title
        self.language = language

    def read_picture(self) -> Picture:
        return source.read_picture(self.source)

    def read_selection(self) -> bytes | None:
        return source.read_selection(self.source)

    def count_on_canvas(self) -> int:
        source = self.source
        _, x, y = source.get_offsets()
        canvas = self.image.get_width(), self.image.get_height()
        return pixels_on_canvas((x, y), (source.get_width(), source.get_height()), canvas)

    def read_mask_layer(self) -> bytes | None:
        return source.read_mask_layer(self.source)

    def has_mask_layer(self) -> bool:
        return source.find_mask_layer(self.source) is not None

    def shows_restored(self) -> bool:
        return source.shows_restored(self.source)

    def wait(self, work: Callable[[Watcher], Outcome]) -> Outcome:
        if self.window_title is None:
            return progress.wait_quietly(work, self.language)
        return progress.ProgressWindow(self.window_title, self.language).wait(work)

    def has_source(self) -> bool:
        return bool(self.image.is_valid() and self.source.is_valid())

    def insert_layers(self, picture: Picture, outcome: Outcome) -> Gimp.GroupLayer:
        source.check_place(self.source)
        picture.check_size(self.source.get_width(), self.source.get_height())
        return insertion.insert(insertion.Job(self.source, picture, outcome, self.language))

    def tell(self, sentence: str) -> None:
        Gimp.message(sentence)
