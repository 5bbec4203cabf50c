"""An image: its layer tree, its selection, its undo steps."""

from __future__ import absolute_import, division, unicode_literals

from .constants import (
    INDEXED,
    INDEXEDA_IMAGE,
    PRECISION_U8_GAMMA,
    PRECISION_U16_GAMMA,
    RGB,
    RGB_IMAGE,
    RGBA_IMAGE,
)
from .items import CHANNELS, Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Iterator, List, Optional, Text  # noqa: F401

    from .items import GroupLayer, Layer  # noqa: F401

SAMPLE_BYTES = {PRECISION_U8_GAMMA: 1, PRECISION_U16_GAMMA: 2}


class Image(object):
    """An image.

    Args:
        width: of the canvas.
        height: of the canvas.
        base_type: RGB, GRAY or INDEXED.
        precision: one of GIMP's numbers; samples can be read where it is 8 or 16 bits with gamma.

    Attributes:
        undo_steps: what each step consists of, the oldest first.
        is_exact: whether the plug-in asked for samples as the image holds them.
    """

    def __init__(self, width, height, base_type=RGB, precision=PRECISION_U8_GAMMA):
        # type: (int, int, int, int) -> None
        self._last_number = 0
        self.ID = 1
        self.is_deleted = False
        self.is_exact = False
        self.width = width
        self.height = height
        self.base_type = base_type
        self.precision = precision
        self.sample_bytes = SAMPLE_BYTES.get(precision, 4)
        self.colormap = b""
        self.layers = []  # type: List[Layer]
        self.channels = []  # type: List[Channel]
        self._active_layer = None  # type: Optional[Layer]
        self._active_channel = None  # type: Optional[Channel]
        self.floating_selection = None  # type: Optional[Layer]
        self.undo_steps = []  # type: List[List[Text]]
        self._group_depth = 0
        self.selection = Channel(self, "Selection Mask", width, height)

    def next_number(self):
        # type: () -> int
        self._last_number += 1
        return self._last_number

    @property
    def active_layer(self):
        # type: () -> Optional[Layer]
        return self._active_layer

    @active_layer.setter
    def active_layer(self, layer):
        # type: (Optional[Layer]) -> None
        self._active_layer, self._active_channel = layer, None

    @property
    def active_channel(self):
        # type: () -> Optional[Channel]
        return self._active_channel

    @active_channel.setter
    def active_channel(self, channel):
        # type: (Optional[Channel]) -> None
        self._active_layer, self._active_channel = None, channel

    def undo_group_start(self):
        # type: () -> None
        if self._group_depth == 0:
            self.undo_steps.append([])
        self._group_depth += 1

    def undo_group_end(self):
        # type: () -> None
        if self._group_depth == 0:
            raise RuntimeError("could not end undo group on image (ID %d)" % self.ID)
        self._group_depth -= 1

    @property
    def has_open_undo_group(self):
        # type: () -> bool
        return self._group_depth > 0

    def record(self, change):
        # type: (Text) -> None
        """Note a change; outside a group it is a step of its own."""
        if self._group_depth == 0:
            self.undo_steps.append([])
        self.undo_steps[-1].append(change)

    def siblings(self, parent):
        # type: (Optional[GroupLayer]) -> List[Layer]
        return self.layers if parent is None else parent.children

    def insert(self, layer, parent, position):
        # type: (Layer, Optional[GroupLayer], int) -> None
        """Put a layer into the tree; GIMP makes it the active one and its name unique."""
        self.record("insert")
        names = [other.name for other in self.all_layers()]
        base, number = layer.name, 0
        while layer.name in names:
            number += 1
            layer.name = "%s #%d" % (base, number)
        self.siblings(parent).insert(position, layer)
        layer.parent, layer.is_attached = parent, True
        if parent is not None:
            parent.fit()
        self.active_layer = layer

    def remove_layer(self, layer):
        # type: (Layer) -> None
        self.record("remove")
        self.siblings(layer.parent).remove(layer)
        for gone in [layer] + list(_inside(layer)):
            gone.is_attached, gone.is_removed = False, True
        if self._active_layer is not None and self._active_layer.is_removed:
            self._active_layer = next(iter(self.layers), None)

    def all_layers(self):
        # type: () -> Iterator[Layer]
        for layer in self.layers:
            yield layer
            for inner in _inside(layer):
                yield inner

    def get_layer_by_tattoo(self, tattoo):
        # type: (int) -> Optional[Layer]
        return next((layer for layer in self.all_layers() if layer.tattoo == tattoo), None)

    def convert_rgb(self):
        # type: () -> None
        """Give every layer its colours; in the stub this is for indexed images."""
        if self.base_type != INDEXED:
            raise NotImplementedError("The stub converts indexed images only.")
        self.record("convert")
        table = [bytes(self.colormap[index : index + 3]) for index in range(0, 768, 3)]
        for layer in self.all_layers():
            step = CHANNELS[layer.type]
            has_alpha = layer.type == INDEXEDA_IMAGE
            pixels = (layer.data[start : start + step] for start in range(0, len(layer.data), step))
            layer.data = bytearray().join(table[p[0]] + bytes(p[1:]) for p in pixels)
            layer.type = RGBA_IMAGE if has_alpha else RGB_IMAGE
            layer.bpp = CHANNELS[layer.type]
        self.base_type = RGB


def _inside(layer):
    # type: (Layer) -> Iterator[Layer]
    for inner in layer.children:
        yield inner
        for deeper in _inside(inner):
            yield deeper
