"""The host contract: what the path of a photo needs from GIMP 3, GIMP 2.10 or a test.

A host is a thin leaf: it reads pixels, shows progress and inserts layers. Whatever can be decided
without an image editor is decided in run.py and masks.py.
"""

from __future__ import absolute_import, division, unicode_literals

from .errors import PluginError
from .languages import ENGLISH, N_
from .messages import RequestHeader

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, Dict, List, Optional, Text, Tuple  # noqa: F401

    from .messages import JobOptions, Layer, Note  # noqa: F401
    from .protocol import Buffer  # noqa: F401


GONE_BEFORE = N_(
    "The photo was closed or its layer deleted before it was read, so there is nothing to restore: "
    "open it and run again."
)
GONE_MEANWHILE = N_(
    "The photo was closed or its layer deleted while it was being restored, so there is no place "
    "for the result: open it and run again."
)


class Picture(object):
    """The source layer's pixels, read once.

    Args:
        width: in pixels.
        height: in pixels.
        channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha; gamma-encoded in the
            image's own colour space.
        depth: bits in a sample, 8 or 16.
        byte_order: of 16-bit samples, "little" or "big".
        pixels: rows from the top, samples interleaved, without padding.
    """

    def __init__(self, width, height, channels, depth, byte_order, pixels):
        # type: (int, int, int, int, Text, Buffer) -> None
        self.width = width
        self.height = height
        self.channels = channels
        self.depth = depth
        self.byte_order = byte_order
        self.pixels = pixels

    def check_size(self, width, height):
        # type: (int, int) -> None
        """Compare with the layer's size in pixels, which may have changed since.

        Raises:
            PluginError: the result would not fit.
        """
        if (width, height) != (self.width, self.height):
            raise PluginError(
                "The layer was cropped, scaled or turned while it was being restored, so the "
                "result does not fit it: undo that, or run again."
            )

    def is_same(self, other):
        # type: (Picture) -> bool
        """Whether another reading of the layer shows exactly this."""
        own, others = [
            (p.width, p.height, p.channels, p.depth, p.byte_order) for p in (self, other)
        ]
        return own == others and bytes(self.pixels) == bytes(other.pixels)

    def header(self, options, has_mask):
        # type: (JobOptions, bool) -> RequestHeader
        """The picture, described for the backend."""
        return RequestHeader(
            self.width,
            self.height,
            self.channels,
            self.depth,
            has_mask=has_mask,
            options=options,
            byte_order=self.byte_order,
        )


class ResultLayer(object):
    """A layer that came back: the backend's description, its pixels, its mask or None.

    Attributes:
        name: what the user reads.
    """

    def __init__(self, layer, pixels, mask):
        # type: (Layer, Buffer, Optional[Buffer]) -> None
        self.layer = layer
        self.pixels = pixels
        self.mask = mask
        self.name = layer.name


class Outcome(object):
    """All that a job gave back, in memory.

    Args:
        layers: in the order in which they lie on each other, the lowest first.
        notes: what the user should know.
        seconds: by stage.
        model: its name.
        options: what was asked for.
    """

    def __init__(self, layers, notes, seconds, model, options):
        # type: (List[ResultLayer], List[Note], Dict[Text, float], Text, JobOptions) -> None
        self.layers = layers
        self.notes = notes
        self.seconds = seconds
        self.model = model
        self.options = options


class Watcher(object):
    """How a running job shows itself and learns of a cancel; callable from any thread."""

    def show(self, stage, fraction):
        # type: (Text, Optional[float]) -> None
        """Show the stage's sentence and the share of the whole job that is done, in [0, 1].

        The sentence is in the user's language. A `fraction` of None means that nobody knows how
        long it takes.
        """
        raise NotImplementedError

    def is_cancelled(self):
        # type: () -> bool
        """Whether the user wants to stop."""
        raise NotImplementedError


class Host(object):
    """The image editor, with one source layer chosen.

    Attributes:
        language: its user's.
    """

    language = ENGLISH

    def count_on_canvas(self):
        # type: () -> int
        """How many of the source layer's pixels lie on the canvas, where they can be selected."""
        raise NotImplementedError

    def read_picture(self):
        # type: () -> Picture
        """The source layer's pixels.

        Raises:
            PluginError: the layer cannot be used; the sentence says why.
        """
        raise NotImplementedError

    def read_selection(self):
        # type: () -> Optional[bytes]
        """The selection over the source layer, a byte a pixel, 255 = selected; None without one."""
        raise NotImplementedError

    def read_mask_layer(self):
        # type: () -> Optional[bytes]
        """The "Scratch mask" layer over the source layer, a byte a pixel, 255 = repair.

        Returns:
            None when there is no such layer.
        """
        raise NotImplementedError

    def shows_restored(self):
        # type: () -> bool
        """Whether a "Restored" layer of the source is visible."""
        raise NotImplementedError

    def wait(self, work):
        # type: (Callable[[Watcher], Outcome]) -> Outcome
        """Do `work` with progress on the screen, and return or raise what it returns or raises.

        The host may call `work` in another thread: it must not touch the host.

        Raises:
            Cancelled: the user stopped it.
        """
        raise NotImplementedError

    def insert(self, picture, outcome):
        # type: (Picture, Outcome) -> Any
        """Put the layers into the document, in one undo step, and return their group.

        Args:
            picture: what was read.
            outcome: what was made of it.

        Raises:
            PluginError: the document or the source layer is gone, or has another size.
        """
        return self.with_source(lambda: self.insert_layers(picture, outcome), GONE_MEANWHILE)

    def with_source(self, work, gone):
        # type: (Callable[[], Any], Text) -> Any
        """Do `work`, which needs the source; the user may take it away before and meanwhile.

        Raises:
            PluginError: it is gone, in the words of `gone`.
        """
        if not self.has_source():
            raise PluginError(gone)
        try:
            return work()
        except Exception:
            if not self.has_source():
                raise PluginError(gone)
            raise

    def has_source(self):
        # type: () -> bool
        """Whether the image is still open and the source layer still in it."""
        raise NotImplementedError

    def insert_layers(self, picture, outcome):
        # type: (Picture, Outcome) -> Any
        """`insert` while the source is there; what fails half-way takes its layers out again.

        Raises:
            PluginError: the source layer has another size, so that the result does not fit.
        """
        raise NotImplementedError

    def tell(self, sentence):
        # type: (Text) -> None
        """Show the user something that is no failure."""
        raise NotImplementedError


def pixels_on_canvas(offsets, size, canvas):
    # type: (Tuple[int, int], Tuple[int, int], Tuple[int, int]) -> int
    """How many pixels of a layer lie on the canvas.

    Args:
        offsets: of the layer's upper left corner, x and y.
        size: of the layer, width and height.
        canvas: its width and height.
    """
    columns, rows = [
        max(0, min(offset + length, end) - max(offset, 0))
        for offset, length, end in zip(offsets, size, canvas)  # noqa: B905 - Python 2 has no strict
    ]
    return columns * rows
