"""GIMP 2.10 as a host of the shared path."""

from __future__ import absolute_import, division, unicode_literals

import gimp
from restore_old_photo_shared.compat import process_exists
from restore_old_photo_shared.host import Host, Watcher, pixels_on_canvas

from . import insertion, source

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Callable, Optional, Text  # noqa: F401

    from restore_old_photo_shared.host import Outcome, Picture  # noqa: F401
    from restore_old_photo_shared.languages import Language  # noqa: F401

pdb = gimp.pdb


class Gimp2Host(Host):
    """One image and its source layer.

    Args:
        image: the user's image.
        drawable: what is active in it, or what the caller passed.
        language: the user's.

    Raises:
        PluginError: what is active cannot be restored.
    """

    def __init__(self, image, drawable, language):
        # type: (gimp.Image, Optional[gimp.Drawable], Language) -> None
        # Without it, GIMP converts every sample to 8 bits with a gamma, selections included, which
        # have none. It has to come before the first pixel is read.
        pdb.gimp_plugin_enable_precision()
        self.image = image
        self.source = source.find_source(image, drawable)
        self.language = language

    def read_picture(self):
        # type: () -> Picture
        return source.read_picture(self.source)

    def read_selection(self):
        # type: () -> Optional[bytes]
        return source.read_selection(self.source)

    def count_on_canvas(self):
        # type: () -> int
        size = (self.source.width, self.source.height)
        return pixels_on_canvas(self.source.offsets, size, (self.image.width, self.image.height))

    def read_mask_layer(self):
        # type: () -> Optional[bytes]
        return source.read_mask_layer(self.source)

    def shows_restored(self):
        # type: () -> bool
        return source.shows_restored(self.source)

    def wait(self, work):
        # type: (Callable[[Watcher], Outcome]) -> Outcome
        try:
            return work(ProgressBar(self.language))
        finally:
            pdb.gimp_progress_end()

    def has_source(self):
        # type: () -> bool
        return bool(pdb.gimp_image_is_valid(self.image) and pdb.gimp_item_is_valid(self.source))

    def insert_layers(self, picture, outcome):
        # type: (Picture, Outcome) -> gimp.GroupLayer
        source.check_place(self.source)
        picture.check_size(self.source.width, self.source.height)
        return insertion.insert(insertion.Job(self.source, picture, outcome, self.language))

    def tell(self, sentence):
        # type: (Text) -> None
        gimp.message(sentence)


class ProgressBar(Watcher):
    """GIMP's own progress bar below the image.

    Its Cancel button ends this process, and the backend takes the closed connection for a cancel.
    """

    def __init__(self, language):
        # type: (Language) -> None
        self.gimp_pid = pdb.gimp_getpid()
        self.sentence = ""
        gimp.progress_init(language.say("Restore Old Photo"))

    def show(self, stage, fraction):
        # type: (Text, Optional[float]) -> None
        if stage != self.sentence:
            self.sentence = stage
            pdb.gimp_progress_set_text(stage)
        if fraction is None:
            pdb.gimp_progress_pulse()
        else:
            gimp.progress_update(fraction)

    def is_cancelled(self):
        # type: () -> bool
        # Nobody tells a plug-in that waits when GIMP is killed.
        return not process_exists(self.gimp_pid)
