"""What the inserted layers are called."""

from __future__ import absolute_import, division, unicode_literals

from .languages import N_, in_every_language

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Text, Tuple  # noqa: F401

    from .languages import Language  # noqa: F401

GROUP = N_("Restored photo")
FACES = N_("Faces")
MASK = N_("Scratch mask")
_BY_KIND = {
    "mask": MASK,
    "restored": N_("Restored"),
    "repair": N_("Scratch repair"),
    "face": N_("Face {number}"),
}


def layer_name(kind, number, language):
    # type: (Text, int, Language) -> Text
    """The name of a layer of a kind in messages.LAYER_KINDS, the `number`-th of its kind."""
    return language.say(_BY_KIND[kind], number=number)


def is_mask_name(name):
    # type: (Text) -> bool
    """Whether a layer is called a scratch mask, in any language: documents travel."""
    # GIMP adds a number to a name that is taken.
    return name.startswith(_mask_names())


def may_be_copy(name, original):
    # type: (Text, object) -> bool
    """Whether a layer's name is another's, or what GIMP makes of that for a copy.

    Args:
        name: as it is.
        original: what a document says, which may be anything.
    """
    # GIMP adds words of its language, before or behind, or a number.
    return isinstance(original, type("")) and original in name


def _mask_names():
    # type: () -> Tuple[Text, ...]
    return tuple(in_every_language(MASK))
