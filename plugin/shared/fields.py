"""The fields of every JSON object in the wire contract, with a check for each.

A check takes a value and its name in a sentence; it returns the value or raises ProtocolError.
"""

from __future__ import absolute_import, division, unicode_literals

import json
import math
import numbers
import re

from .messages import LAYER_KINDS, STAGES, STATUSES, Cancelled, Done, Failed, Layer, Note, Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, Dict, Text, Tuple, Type  # noqa: F401

    Check = Callable[[Any, Text], Any]
    Record = Dict[Text, Any]
    Fields = Tuple[Tuple[Text, Check], ...]

# GIMP's own limit for the sides of a picture; the body's limit bounds their product.
MAX_SIDE = 2**19

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


class ProtocolError(ValueError):
    """Bytes or values that do not follow this contract; the message says expected and got."""


def integer(minimum, maximum):
    # type: (int, int) -> Check
    def check(value, name):
        # type: (Any, Text) -> int
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise ProtocolError("%s is %r, but it must be a whole number." % (name, value))
        result = int(value)
        if not minimum <= result <= maximum:
            raise ProtocolError(
                "%s is %d, but it must be from %d to %d." % (name, result, minimum, maximum)
            )
        return result

    return check


def number(minimum, maximum):
    # type: (float, float) -> Check
    def check(value, name):
        # type: (Any, Text) -> float
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise ProtocolError("%s is %r, but it must be a number." % (name, value))
        try:
            result = float(value)
        except OverflowError:
            result = float("inf")
        if not minimum <= result <= maximum or math.isinf(result):
            raise ProtocolError(
                "%s is %r, but it must be from %g to %g." % (name, result, minimum, maximum)
            )
        return result

    return check


def choice(*choices):
    # type: (*Any) -> Check
    def check(value, name):
        # type: (Any, Text) -> Any
        # True equals 1, but it is no number of channels.
        if isinstance(value, bool) or value not in choices:
            words = ", ".join("%s" % choice for choice in choices)
            raise ProtocolError("%s is %r, but it must be one of %s." % (name, value, words))
        # 8.0 equals 8, but sizes computed from it would not be whole numbers.
        return choices[choices.index(value)]

    return check


def optional(check):
    # type: (Check) -> Check
    return lambda value, name: None if value is None else check(value, name)


def flag(value, name):
    # type: (Any, Text) -> bool
    if not isinstance(value, bool):
        raise ProtocolError("%s is %r, but it must be true or false." % (name, value))
    return value


def text(value, name):
    # type: (Any, Text) -> Text
    if not isinstance(value, type("")):
        raise ProtocolError("%s is %r, but it must be text." % (name, value))
    return value


def is_model_name(value):
    # type: (Text) -> bool
    """Whether a model can have that name: it is a file's, and never a path."""
    return bool(_MODEL_NAME.match(value))


def model_name(value, name):
    # type: (Any, Text) -> Text
    # A plain word: it becomes part of a path.
    if not is_model_name(text(value, name)):
        raise ProtocolError("%s is %r, but it must be the name of a model." % (name, value))
    return text(value, name)


def record(value, name):
    # type: (Any, Text) -> Record
    if not isinstance(value, dict):
        raise ProtocolError("%s is %r, but it must be an object." % (name, value))
    return value


def seconds(value, name):
    # type: (Any, Text) -> Dict[Text, float]
    check = number(0, float("inf"))
    return {text(k, name): check(v, name) for k, v in record(value, name).items()}


def parameters(value, name):
    # type: (Any, Text) -> Record
    for key, each in record(value, name).items():
        if not isinstance(each, (type(""), numbers.Real)):
            raise ProtocolError("%s %s is %r, but it must be text or a number." % (name, key, each))
    return record(value, name)


def checked(values, fields, what):
    # type: (Record, Fields, Text) -> Record
    missing = [name for name, _ in fields if name not in values]
    if missing:
        raise ProtocolError("The %s lacks %s." % (what, ", ".join(missing)))
    return {
        name: check(values[name], "The %s's %s" % (what, name.replace("_", " ")))
        for name, check in fields
    }


def dump(record):
    # type: (Record) -> bytes
    try:
        return json.dumps(record, allow_nan=False, sort_keys=True).encode("ascii")
    except (TypeError, ValueError) as error:
        raise ProtocolError("This cannot be sent: %s." % error)


def load(data, what):
    # type: (bytes, Text) -> Record
    try:
        return record(json.loads(data.decode("utf-8")), "The " + what)
    except ProtocolError:
        raise
    # RuntimeError: objects nested too deep.
    except (ValueError, RuntimeError) as error:
        raise ProtocolError("The %s is not UTF-8 JSON: %s." % (what, error))


_side = integer(1, MAX_SIDE)
_channels = choice(1, 2, 3, 4)
_depth = choice(8, 16)
_share = number(0, 1)
_any_integer = integer(0, 2**53)

OPTIONS = (
    ("scratches", choice("automatic", "mask", "none")),
    ("threshold", optional(_share)),
    ("repair_scratches", flag),
    ("whole_picture", flag),
    ("cleaning", flag),
    ("tone", flag),
    ("strength", _share),
    ("enhance_faces", flag),
    ("weights", text),
    ("device", choice("auto", "cpu", "cuda")),
    ("inpainting", optional(model_name)),
    ("denoising", optional(model_name)),
    ("faces", optional(model_name)),
)  # type: Fields
HEADER = (
    ("width", _side),
    ("height", _side),
    ("channels", _channels),
    ("depth", _depth),
    ("byte_order", choice("little", "big")),
    ("mask", flag),
    ("options", record),
)  # type: Fields
HEALTH = (
    ("status", choice(*STATUSES)),
    ("version", text),
    ("protocol", _any_integer),
    ("pid", _any_integer),
    ("detail", text),
)  # type: Fields
RUNTIME = (
    ("pid", integer(1, 2**53)),
    ("started", number(0, 2**53)),
    ("port", integer(1, 65535)),
    ("token", text),
    ("protocol", _any_integer),
    ("version", text),
)  # type: Fields
EVENTS = (
    (
        "progress",
        Progress,
        (("stage", choice(*STAGES)), ("fraction", _share), ("overall", _share)),
    ),
    (
        "layer",
        Layer,
        (
            ("index", _any_integer),
            ("kind", choice(*LAYER_KINDS)),
            ("name", text),
            ("x", integer(0, MAX_SIDE)),
            ("y", integer(0, MAX_SIDE)),
            ("width", _side),
            ("height", _side),
            ("channels", _channels),
            ("depth", _depth),
            ("has_mask", flag),
        ),
    ),
    ("note", Note, (("code", text), ("message", text), ("parameters", parameters))),
    ("done", Done, (("seconds", seconds), ("model", text))),
    ("failed", Failed, (("code", text), ("message", text), ("parameters", parameters))),
    ("cancelled", Cancelled, ()),
)  # type: Tuple[Tuple[Text, Type[Any], Fields], ...]
