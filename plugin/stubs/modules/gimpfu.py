"""Stands in for GIMP 2.10's module gimpfu: registering, and a dialog that PROGRAM answers."""

from __future__ import absolute_import, division, unicode_literals

import json
import string

from plugin.stubs.constants import *  # noqa: F403
from plugin.stubs.constants import (
    PDB_CHANNEL,
    PDB_DRAWABLE,
    PDB_FLOAT,
    PDB_IMAGE,
    PDB_INT32,
    PDB_LAYER,
    PDB_STRING,
    PLUGIN,
    RUN_INTERACTIVE,
    RUN_NONINTERACTIVE,
)
from plugin.stubs.procedures import GimpError
from plugin.stubs.program import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, Dict, List, Optional, Sequence, Text, Tuple  # noqa: F401

    Field = Tuple[Any, ...]

PF_INT32 = PF_INT = PDB_INT32
PF_FLOAT = PDB_FLOAT
PF_STRING = PDB_STRING
PF_IMAGE = PDB_IMAGE
PF_LAYER = PDB_LAYER
PF_CHANNEL = PDB_CHANNEL
PF_DRAWABLE = PDB_DRAWABLE
PF_TOGGLE = PF_BOOL = 1000
PF_SLIDER = 1001
PF_OPTION = 1013

pdb = PROGRAM.database

_ALLOWED = string.ascii_letters + string.digits + "_-"
_TYPES = {
    PF_TOGGLE: PDB_INT32,
    PF_SLIDER: PDB_FLOAT,
    PF_OPTION: PDB_INT32,
}  # type: Dict[int, int]
_registered = {}  # type: Dict[Text, _Plugin]


class GimpfuError(RuntimeError):
    """``gimpfu.error``: register() was called with something wrong."""


error = GimpfuError


class CancelError(RuntimeError):
    """The user closed the dialog."""


class _Plugin(object):
    """What one call of register() said."""

    def __init__(self, texts, params, results, function, menu, domain):
        # type: (Tuple[Text, ...], List[Field], List[Field], Callable[..., Any], Optional[Text], Optional[Tuple[Text, Text]]) -> None
        self.texts = texts
        self.params = params
        self.results = results
        self.function = function
        self.menu = menu
        self.domain = domain


def register(
    proc_name,
    blurb,
    help,
    author,
    copyright,
    date,
    label,
    imagetypes,
    params,
    results,
    function,
    menu=None,
    domain=None,
):
    # type: (Text, Text, Text, Text, Text, Text, Text, Text, List[Field], List[Field], Callable[..., Any], Optional[Text], Optional[Tuple[Text, Text]]) -> None
    """Note a procedure, after the checks that gimpfu makes."""
    _check_letters(proc_name, "procedure name")
    for field in params:
        if len(field) < 4:
            raise GimpfuError("parameter definition must contain at least 4 elements")
        _check_field(field, "parameter")
    for field in results:
        if len(field) < 3:
            raise GimpfuError("result definition must contain at least 3 elements")
        _check_field(field, "result")
    texts = (blurb, help, author, copyright, date, label, imagetypes)
    _registered[proc_name] = _Plugin(texts, params, results, function, menu, domain)


def _check_field(field, word):
    # type: (Field, Text) -> None
    if type(field[0]) is not int:
        raise GimpfuError("%s types must be integers" % word)
    _check_letters(field[1], "%s name" % word)


def _check_letters(name, word):
    # type: (Text, Text) -> None
    if any(letter not in _ALLOWED for letter in name):
        raise GimpfuError("%s contains illegal characters" % word)


def _query():
    # type: () -> None
    for name, plugin in _registered.items():
        mode = [(PDB_INT32, "run-mode", "The run mode")]
        params = mode + _described(plugin.params)
        results = _described(plugin.results)
        if plugin.domain:
            PROGRAM.domain_register(*plugin.domain)
        arguments = plugin.texts + (PLUGIN, params, results)  # type: Tuple[Any, ...]
        PROGRAM.install_procedure(name, *arguments)
        if plugin.menu:
            PROGRAM.menu_register(name, plugin.menu)


def _described(fields):
    # type: (Sequence[Field]) -> List[Tuple[int, Text, Text]]
    return [(_TYPES[f[0]] if f[0] in _TYPES else f[0], f[1], f[2].replace("_", "")) for f in fields]


def _get_defaults(proc_name):
    # type: (Text) -> Sequence[Any]
    """The last values, the image and the drawable among them; at first the registered ones."""
    try:
        kept = PROGRAM.get_data("python-fu-save--" + proc_name)
    except GimpError:
        return [field[3] for field in _registered[proc_name].params]
    return tuple(json.loads(kept))


def _interact(proc_name, start_params):
    # type: (Text, Tuple[Any, ...]) -> Any
    """The dialog, as PROGRAM's user fills it; what the function returns.

    Raises:
        CancelError: the user closed it.
    """
    plugin = _registered[proc_name]
    skipped = len(start_params)
    fields, defaults = plugin.params[skipped:], _get_defaults(proc_name)[skipped:]
    entered = () if not fields else PROGRAM.fill_dialog(proc_name, fields, defaults)
    if entered is None:
        raise CancelError
    # GIMP keeps images and drawables by their ids; a number stands for them as well.
    kept = [0] * skipped + list(entered)
    PROGRAM.set_data("python-fu-save--" + proc_name, json.dumps(kept))
    return plugin.function(*(tuple(start_params) + tuple(entered)))


def _run(proc_name, params):
    # type: (Text, Tuple[Any, ...]) -> Any
    function, given = _registered[proc_name].function, params[1:]
    if params[0] == RUN_NONINTERACTIVE:
        return function(*given)
    try:
        if params[0] == RUN_INTERACTIVE:
            result = _interact(proc_name, given)
        else:
            result = function(*(tuple(given) + tuple(_get_defaults(proc_name)[len(given) :])))
    except CancelError:
        return None
    PROGRAM.displays_flush()
    return result


def main():
    # type: () -> None
    PROGRAM.main(None, None, _query, _run)
