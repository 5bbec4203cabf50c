"""Pixel regions: the way of GIMP 2.10's Python to samples, as byte strings."""

from __future__ import absolute_import, division, unicode_literals

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Text, Tuple  # noqa: F401

    from .items import Drawable  # noqa: F401


class PluginKilled(BaseException):
    """GIMP would end the plug-in's process here, so nothing in the plug-in may catch it."""


class PixelRgn(object):
    """A window into a drawable, read and written as ``region[x0:x1, y0:y1]``.

    What is written reaches the drawable with its flush(). GIMP has other subscripts as well; the
    stub has those that name a rectangle.

    Args:
        drawable: where the samples are.
        x, y, width, height: the window, inside the drawable.
        dirty: whether it will be written to.
        shadow: never True in the stub.
    """

    def __init__(self, drawable, x, y, width, height, dirty, shadow):
        # type: (Drawable, int, int, int, int, bool, bool) -> None
        if shadow:
            raise NotImplementedError("The stub has no shadow tiles.")
        if x < 0 or y < 0 or x + width > drawable.width or y + height > drawable.height:
            raise PluginKilled("GIMP ends plug-ins that ask for tiles outside a drawable.")
        if dirty and drawable.lock_content:
            raise PluginKilled("GIMP ends plug-ins that write to a locked drawable.")
        if not drawable.image.is_exact:
            raise NotImplementedError(
                "GIMP converts to 8 bits with a gamma before gimp_plugin_enable_precision(); the "
                "stub does not."
            )
        self.drawable = drawable
        self.x, self.y, self.w, self.h = x, y, width, height
        self.bpp = drawable.bpp
        self.dirty = dirty

    def __getitem__(self, key):
        # type: (Any) -> bytes
        x0, x1, y0, y1 = self._rectangle(key)
        drawable = self.drawable
        # The plug-in sees what it wrote, sent or not.
        source = drawable.data if drawable.unsent is None else drawable.unsent
        row = drawable.width * self.bpp
        starts = (y * row + x0 * self.bpp for y in range(y0, y1))
        return b"".join(bytes(source[s : s + (x1 - x0) * self.bpp]) for s in starts)

    def __setitem__(self, key, value):
        # type: (Any, bytes) -> None
        if not isinstance(value, bytes):
            raise TypeError("must assign string to subscript")
        x0, x1, y0, y1 = self._rectangle(key)
        span = (x1 - x0) * self.bpp
        if len(value) != span * (y1 - y0):
            raise TypeError("string is wrong length")
        if not self.dirty:
            raise ValueError("The region was made for reading.")
        drawable = self.drawable
        if drawable.unsent is None:
            drawable.unsent = bytearray(drawable.data)
        row = drawable.width * self.bpp
        for index, y in enumerate(range(y0, y1)):
            start = y * row + x0 * self.bpp
            drawable.unsent[start : start + span] = value[index * span : (index + 1) * span]

    def _rectangle(self, key):
        # type: (Any) -> Tuple[int, int, int, int]
        if not isinstance(key, tuple) or len(key) != 2:
            raise TypeError("subscript must be a 2-tuple")
        x0, x1 = self._span(key[0], self.x, self.x + self.w, "x")
        y0, y1 = self._span(key[1], self.y, self.y + self.h, "y")
        return x0, x1, y0, y1

    def _span(self, part, low, high, axis):
        # type: (Any, int, int, Text) -> Tuple[int, int]
        if not isinstance(part, slice):
            raise NotImplementedError("The stub reads and writes rectangles only.")
        ends = [0 if part.start is None else part.start, high if part.stop is None else part.stop]
        first, last = (end + high if end < 0 else end for end in ends)
        # Unlike a list's slices, these may not reach beyond the end.
        if part.step not in (None, 1) or last > high or first >= last:
            raise IndexError("invalid %s slice" % axis)
        # GIMP reads 0 as the region's own edge.
        first = first or low
        if first < low or last < low:
            raise IndexError("%s subscript out of range" % axis)
        return first, last
