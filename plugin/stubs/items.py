"""Layers, groups, channels and what hangs on them, as plain Python objects."""

from __future__ import absolute_import, division, unicode_literals

from .constants import (
    ADD_WHITE_MASK,
    GRAY_IMAGE,
    GRAYA_IMAGE,
    INDEXED_IMAGE,
    INDEXEDA_IMAGE,
    LAYER_COLOR_SPACE_AUTO,
    LAYER_MODE_NORMAL,
    RGB_IMAGE,
    RGBA_IMAGE,
)
from .regions import PixelRgn, PluginKilled

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Dict, List, Optional, Text, Tuple  # noqa: F401

    from .document import Image  # noqa: F401

CHANNELS = {
    RGB_IMAGE: 3,
    RGBA_IMAGE: 4,
    GRAY_IMAGE: 1,
    GRAYA_IMAGE: 2,
    INDEXED_IMAGE: 1,
    INDEXEDA_IMAGE: 2,
}
WITH_ALPHA = (RGBA_IMAGE, GRAYA_IMAGE, INDEXEDA_IMAGE)


class Parasite(object):
    """A named piece of data on an item; 1 among the flags means that it is saved with the image."""

    def __init__(self, name, flags, data):
        # type: (Text, int, bytes) -> None
        self.name = name
        self.flags = flags
        self.data = data


class Item(object):
    """What has a place in an image."""

    # A change to one of these in an image is something to undo.
    undoable = ("name", "visible", "opacity", "mode", "blend_space", "composite_space")

    def __init__(self, image, name):
        # type: (Image, Text) -> None
        self.is_attached = False
        self.is_removed = False
        self.image = image
        self.ID = self.tattoo = image.next_number()
        self.name = name
        self.visible = True
        self.lock_content = False
        self.parent = None  # type: Optional[GroupLayer]
        self.children = []  # type: List[Layer]

    def __setattr__(self, name, value):
        # type: (str, Any) -> None
        if name in self.undoable and getattr(self, "is_attached", False):
            self.image.record(name)
        object.__setattr__(self, name, value)


class Drawable(Item):
    """An item with samples, held as GIMP holds them: rows from the top, interleaved."""

    is_layer_mask = False

    def __init__(self, image, name, width, height, kind):
        # type: (Image, Text, int, int, int) -> None
        Item.__init__(self, image, name)
        self.type = kind
        self.has_alpha = kind in WITH_ALPHA
        self.is_gray = kind in (GRAY_IMAGE, GRAYA_IMAGE)
        self.bpp = CHANNELS[kind] * image.sample_bytes
        self.width = width
        self.height = height
        self.offsets = (0, 0)
        self.data = bytearray(width * height * self.bpp)
        self.unsent = None  # type: Optional[bytearray]
        self.parasites = {}  # type: Dict[Text, Parasite]

    def get_pixel_rgn(self, x, y, width, height, dirty=True, shadow=False):
        # type: (int, int, int, int, bool, bool) -> PixelRgn
        return PixelRgn(self, x, y, width, height, dirty, shadow)

    def flush(self):
        # type: () -> None
        """Send the written tiles to GIMP, which has nothing of them before."""
        if self.unsent is not None:
            self.data = self.unsent
            self.unsent = None

    def update(self, x, y, width, height):
        # type: (int, int, int, int) -> None
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            raise ValueError("The updated area lies outside the drawable.")

    def parasite_find(self, name):
        # type: (Text) -> Optional[Parasite]
        return self.parasites.get(name)

    def attach_new_parasite(self, name, flags, data):
        # type: (Text, int, bytes) -> None
        if not isinstance(data, bytes):
            raise TypeError("A parasite's data are bytes.")
        if self.is_attached:
            self.image.record("parasite")
        # GIMP's Python counts the zero behind the bytes as one of them.
        self.parasites[name] = Parasite(name, flags, data + b"\0")


class Channel(Drawable):
    """A selection, a layer's mask, or the user's own channel: values without a gamma."""

    def __init__(self, image, name, width, height):
        # type: (Image, Text, int, int) -> None
        Drawable.__init__(self, image, name, width, height, GRAY_IMAGE)
        self.layer = None  # type: Optional[Layer]

    @property
    def is_layer_mask(self):  # type: ignore[override]
        # type: () -> bool
        return self.layer is not None


class Layer(Drawable):
    """A layer."""

    def __init__(
        self, image, name, width, height, kind=RGB_IMAGE, opacity=100.0, mode=LAYER_MODE_NORMAL
    ):
        # type: (Image, Text, int, int, int, float, int) -> None
        Drawable.__init__(self, image, name, width, height, kind)
        self.opacity = opacity
        self.mode = mode
        self.mask = None  # type: Optional[Channel]
        self.apply_mask = False
        self.edit_mask = False

    def __setattr__(self, name, value):
        # type: (str, Any) -> None
        Drawable.__setattr__(self, name, value)
        if name == "mode":
            # GIMP takes both back with every new mode.
            self.blend_space = self.composite_space = LAYER_COLOR_SPACE_AUTO

    def set_offsets(self, x, y):
        # type: (int, int) -> None
        if self.is_attached:
            self.image.record("offsets")
        self.offsets = (x, y)
        if self.parent is not None:
            self.parent.fit()

    def create_mask(self, kind):
        # type: (int) -> Channel
        if kind != ADD_WHITE_MASK:
            raise NotImplementedError("The stub makes white masks only.")
        mask = Channel(self.image, "%s mask" % self.name, self.width, self.height)
        mask.data = bytearray(b"\xff" * len(mask.data))
        # Already before it is added.
        mask.layer = self
        return mask

    def add_mask(self, mask):
        # type: (Channel) -> None
        if self.mask is not None or (mask.width, mask.height) != (self.width, self.height):
            raise RuntimeError("could not add mask (ID %d) to layer (ID %d)" % (mask.ID, self.ID))
        if self.is_attached:
            self.image.record("mask")
        self.mask = mask
        mask.offsets = self.offsets
        self.apply_mask = self.edit_mask = True


class GroupLayer(Layer):
    """A group of layers, which is as large as what is inside it."""

    def __init__(self, image, name="Layer Group"):
        # type: (Image, Text) -> None
        # A placeholder of one pixel with alpha, until something is inside.
        kind = GRAYA_IMAGE if image.base_type == 1 else RGBA_IMAGE
        Layer.__init__(self, image, name, 1, 1, kind)

    def fit(self):
        # type: () -> None
        """Take on the size of what is inside."""
        boxes = [layer.offsets + (layer.width, layer.height) for layer in self.children]
        if boxes:
            x, y = min(box[0] for box in boxes), min(box[1] for box in boxes)
            self.width = max(box[0] + box[2] for box in boxes) - x
            self.height = max(box[1] + box[3] for box in boxes) - y
            self.offsets = (x, y)
        if self.parent is not None:
            self.parent.fit()

    def get_pixel_rgn(self, x, y, width, height, dirty=True, shadow=False):
        # type: (int, int, int, int, bool, bool) -> PixelRgn
        if dirty:
            raise PluginKilled("GIMP ends plug-ins that write into a layer group.")
        raise NotImplementedError("The stub does not draw groups.")
