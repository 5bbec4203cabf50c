"""Which pixels are repaired: the selection, the mask layer of an earlier run, or both.

Masks are bytes, one a pixel in rows from the top: 255 = repair, 0 = keep, soft values between.
"""

from __future__ import absolute_import, division, unicode_literals

from .errors import PluginError

PIECE = 1 << 16

HALF_SELECTED = b"\x00" * 128 + b"\xff" * 128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional, Sequence, Text, Tuple  # noqa: F401 - named in type comments

    from .host import Host  # noqa: F401
    from .messages import JobOptions  # noqa: F401
    from .options import Action  # noqa: F401


def choose_mask(host, options, is_detection):
    # type: (Host, JobOptions, bool) -> Tuple[Optional[bytes], Text]
    """The mask to send, and where scratches are looked for.

    A mask layer takes the place of detection: whoever corrects it wants just that repaired. With
    "mask", a selection is the more immediate word and wins over the layer.

    Args:
        host: asked for the selection and the mask layer.
        options: the user's choices.
        is_detection: the mask is the result, so an earlier one is ignored.

    Returns:
        The mask or None, and the job's value of `scratches`.

    Raises:
        PluginError: the selection misses the layer or covers all of it, or there is no mask.
    """
    if options.scratches == "none":
        return None, "none"
    selection = host.read_selection()
    if selection is not None:
        check_selection(selection, host.count_on_canvas())
    if options.scratches == "mask" and selection is not None:
        return selection, "mask"
    painted = None if is_detection else host.read_mask_layer()
    if painted is not None:
        check_painted(painted, options)
        return join(painted, selection), "mask"
    if options.scratches == "mask":
        raise PluginError(
            "There is nothing to repair, because nothing is selected and there is no scratch mask "
            "layer: select the damage, or run Detect Scratches first."
        )
    return selection, "automatic"


def check_selection(selection, on_canvas):
    # type: (bytes, int) -> None
    """Refuse a selection that cannot mean damage.

    Args:
        selection: over the layer; nothing beyond the canvas can be selected.
        on_canvas: how many of the layer's pixels lie on it.

    Raises:
        PluginError: it misses the layer or covers all of it.
    """
    kept = selection.count(b"\x00")
    if kept == len(selection):
        raise PluginError(
            "The selection lies outside the layer, so it marks no damage in it: select the damage "
            "inside the layer, or select nothing."
        )
    # A wide feather touches everything, and means what it half selects at least.
    if len(selection) - selection.translate(HALF_SELECTED).count(b"\x00") >= on_canvas:
        raise PluginError(
            "The selection covers the whole layer, so it does not show what is damaged: select "
            "only the damage, or select nothing to have it found."
        )


def check_painted(painted, options):
    # type: (bytes, JobOptions) -> None
    """Refuse a mask layer without damage when damage is all that is asked for.

    Raises:
        PluginError: the layer is black.
    """
    if options.scratches == "mask" and painted.count(b"\x00") == len(painted):
        raise PluginError(
            "There is nothing to repair, because the scratch mask layer is black: paint the damage "
            "white in it, or select the damage."
        )


def join(mask, other):
    # type: (bytes, Optional[bytes]) -> bytes
    """The larger value of both at each pixel."""
    if other is None:
        return mask
    return by_pieces(larger, mask, other)


def brightest(channels):
    # type: (Sequence[bytes]) -> bytes
    """The largest channel at each pixel: many paint in red, which is much darker than white."""
    values = channels[0]
    for other in channels[1:]:
        if other != values:
            values = join(values, other)
    return values


def without_erased(values, alpha):
    # type: (bytes, bytes) -> bytes
    """A mask times its alpha channel: an erased pixel is no damage."""
    return by_pieces(multiplied, values, alpha)


def by_pieces(combine, one, two):
    # type: (Callable[[bytes, bytes], bytes], bytes, bytes) -> bytes
    """Combine two masks of one length piece by piece; most pieces are all black or all white."""
    starts = range(0, len(one), PIECE)
    return b"".join([combine(one[at : at + PIECE], two[at : at + PIECE]) for at in starts])


def larger(one, two):
    # type: (bytes, bytes) -> bytes
    if is_all(two, b"\x00"):
        return one
    if is_all(one, b"\x00"):
        return two
    return bytes(bytearray(map(max, bytearray(one), bytearray(two))))


def multiplied(values, alpha):
    # type: (bytes, bytes) -> bytes
    if is_all(alpha, b"\xff"):
        return values
    if is_all(alpha, b"\x00"):
        return alpha
    pairs = zip(bytearray(values), bytearray(alpha))  # noqa: B905 - Python 2 has no strict
    return bytes(bytearray([value * share // 255 for value, share in pairs]))


def is_all(piece, value):
    # type: (bytes, bytes) -> bool
    return piece.count(value) == len(piece)
