"""The procedural database: GIMP 2.10's procedures that the plug-in calls, with its checks.

Names, and the types of arguments and results, are those of GIMP 2.10.34; a test asks a real one.
"""

from __future__ import absolute_import, division, unicode_literals

from . import constants as c
from .document import Image
from .items import Channel, Drawable, GroupLayer, Item, Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, Dict, Optional, Text, Tuple, Type  # noqa: F401

    from .program import Program  # noqa: F401

    Parameter = Tuple[int, Text]

_CLASSES = {
    c.PDB_IMAGE: Image,
    c.PDB_ITEM: Item,
    c.PDB_LAYER: Layer,
    c.PDB_CHANNEL: Channel,
    c.PDB_DRAWABLE: Drawable,
}  # type: Dict[int, Type[Any]]
_IMAGE, _LAYER, _ITEM = (c.PDB_IMAGE, "image"), (c.PDB_LAYER, "layer"), (c.PDB_ITEM, "item")


class GimpError(RuntimeError):
    """``gimp.error``: what GIMP's module raises where no built-in exception fits."""


class Procedure(object):
    """One procedure: ``pdb.name(...)``.

    Args:
        name: with hyphens.
        params: type and name of each argument.
        return_vals: type and name of each result.
        work: what it does; its first argument is the program.
        is_lenient: whether it takes what is deleted, and None.
    """

    def __init__(self, name, params, return_vals, work, is_lenient=False):
        # type: (Text, Tuple[Parameter, ...], Tuple[Parameter, ...], Callable[..., Any], bool) -> None
        self.proc_name = name
        self.params = params
        self.return_vals = return_vals
        self._work = work
        self._is_lenient = is_lenient

    def bound(self, program):
        # type: (Program) -> Callable[..., Any]
        def call(*arguments):
            # type: (*Any) -> Any
            if len(arguments) != len(self.params):
                raise TypeError("wrong number of parameters")
            taken = [
                self._taken(kind, name, argument)
                for (kind, name), argument in zip(self.params, arguments)
            ]
            return self._work(program, *taken)

        return call

    def _taken(self, kind, name, argument):
        # type: (int, Text, Any) -> Any
        if kind not in _CLASSES:
            return _plain(kind, argument)
        if argument is not None and not isinstance(argument, _CLASSES[kind]):
            raise TypeError("wrong parameter type")
        may_be_none = self._is_lenient or name == "parent"
        is_gone = argument is not None and _is_gone(argument)
        if (argument is None and not may_be_none) or (is_gone and not self._is_lenient):
            raise RuntimeError(
                "Procedure '%s' has been called with an invalid ID for argument '%s'."
                % (self.proc_name, name)
            )
        return argument


def _plain(kind, argument):
    # type: (int, Any) -> Any
    try:
        if kind == c.PDB_STRING:
            return argument if argument is None else type("")(argument)
        return float(argument) if kind == c.PDB_FLOAT else int(argument)
    except (TypeError, ValueError):
        raise TypeError("wrong parameter type")


def _is_gone(thing):
    # type: (Any) -> bool
    return bool(thing.is_deleted if isinstance(thing, Image) else thing.is_removed)


class Database(object):
    """``pdb``: procedures as attributes, or by name."""

    def __init__(self, program):
        # type: (Program) -> None
        self._program = program

    def __getattr__(self, name):
        # type: (Text) -> Callable[..., Any]
        procedure = PROCEDURES.get(name.replace("_", "-"))
        if procedure is None:
            raise GimpError("procedure not found")
        return procedure.bound(self._program)


def _enable_precision(program):
    # type: (Program) -> None
    for image in program.images:
        image.is_exact = True


def _layer_from_mask(_program, mask):
    # type: (Program, Channel) -> Layer
    if mask.layer is None:
        raise RuntimeError(
            "Procedure 'gimp-layer-from-mask' has been called with an invalid ID for argument "
            "'mask'."
        )
    return mask.layer


def _position(_program, image, item):
    # type: (Program, Image, Layer) -> int
    if not item.is_attached:
        raise RuntimeError(
            "Item '%s' (%d) cannot be used because it has not been added to an image"
            % (item.name, item.ID)
        )
    return image.siblings(item.parent).index(item)


def _insert_layer(_program, image, layer, parent, position):
    # type: (Program, Image, Layer, Optional[Layer], int) -> None
    if layer.is_attached:
        raise RuntimeError(
            "Item '%s' (%d) has already been added to an image" % (layer.name, layer.ID)
        )
    if parent is not None and not isinstance(parent, GroupLayer):
        raise RuntimeError(
            "Item '%s' (%d) cannot be used because it is not a group item"
            % (parent.name, parent.ID)
        )
    image.insert(layer, parent, position)


def _new_layer(_program, image, width, height, kind, name, opacity, mode):
    # type: (Program, Image, int, int, int, Text, float, int) -> Layer
    in_range = width > 0 and height > 0 and 0 <= opacity <= 100
    if not in_range or kind // 2 != image.base_type:
        # GIMP itself turns another base type silently into its own, which no plug-in can want.
        raise RuntimeError(
            "Procedure 'gimp-layer-new' has been called with a value that is out of range."
        )
    return Layer(image, name, width, height, kind, opacity, mode)


def _set_blend_space(_program, layer, space):
    # type: (Program, Layer, int) -> None
    # NORMAL and PASS_THROUGH have none, and GIMP says nothing.
    if layer.mode == c.LAYER_MODE_SCREEN:
        layer.blend_space = space


def _set_composite_space(_program, layer, space):
    # type: (Program, Layer, int) -> None
    layer.composite_space = space


def _convert_rgb(_program, image):
    # type: (Program, Image) -> None
    if image.base_type == c.RGB:
        raise RuntimeError("Image '[Untitled]' (%d) must not be of type 'rgb'" % image.ID)
    image.convert_rgb()


def _all():
    # type: () -> Tuple[Procedure, ...]
    number = c.PDB_INT32
    space = (number, "blend-space"), (number, "composite-space")
    new_layer = (
        _IMAGE,
        (number, "width"),
        (number, "height"),
        (number, "type"),
        (c.PDB_STRING, "name"),
        (c.PDB_FLOAT, "opacity"),
        (number, "mode"),
    )
    insert = (_IMAGE, _LAYER, (c.PDB_LAYER, "parent"), (number, "position"))
    lock = (number, "lock-content")
    valid = ((number, "valid"),)
    return (
        Procedure("gimp-plugin-enable-precision", (), (), _enable_precision),
        Procedure("gimp-getpid", (), ((number, "pid"),), lambda p: p.pid),
        Procedure("gimp-image-is-valid", (_IMAGE,), valid, lambda _, i: int(not _is_gone(i)), True),
        Procedure("gimp-item-is-valid", (_ITEM,), valid, lambda _, i: int(not _is_gone(i)), True),
        Procedure(
            "gimp-item-is-group",
            (_ITEM,),
            ((number, "group"),),
            lambda _, item: int(isinstance(item, GroupLayer)),
        ),
        Procedure(
            "gimp-item-get-lock-content", (_ITEM,), (lock,), lambda _, i: int(i.lock_content)
        ),
        Procedure("gimp-layer-from-mask", ((c.PDB_CHANNEL, "mask"),), (_LAYER,), _layer_from_mask),
        Procedure(
            "gimp-image-get-item-position", (_IMAGE, _ITEM), ((number, "position"),), _position
        ),
        Procedure(
            "gimp-image-get-channel-by-name",
            (_IMAGE, (c.PDB_STRING, "name")),
            ((c.PDB_CHANNEL, "channel"),),
            lambda _, image, name: next((x for x in image.channels if x.name == name), None),
        ),
        Procedure("gimp-image-insert-layer", insert, (), _insert_layer),
        Procedure("gimp-image-convert-rgb", (_IMAGE,), (), _convert_rgb),
        Procedure(
            "gimp-layer-group-new",
            (_IMAGE,),
            ((c.PDB_LAYER, "layer-group"),),
            lambda _, image: GroupLayer(image),
        ),
        Procedure("gimp-layer-new", new_layer, (_LAYER,), _new_layer),
        Procedure("gimp-layer-set-blend-space", (_LAYER, space[0]), (), _set_blend_space),
        Procedure("gimp-layer-set-composite-space", (_LAYER, space[1]), (), _set_composite_space),
        Procedure(
            "gimp-selection-is-empty",
            (_IMAGE,),
            ((number, "is-empty"),),
            lambda _, image: int(not any(image.selection.data)),
        ),
        Procedure(
            "gimp-progress-set-text",
            ((c.PDB_STRING, "message"),),
            (),
            lambda p, words: p.progress_text(words),
        ),
        Procedure("gimp-progress-pulse", (), (), lambda p: p.progress_pulse()),
        Procedure("gimp-progress-end", (), (), lambda p: p.progress_end()),
    )


PROCEDURES = {procedure.proc_name: procedure for procedure in _all()}
