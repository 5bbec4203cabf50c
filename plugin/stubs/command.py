"""Run the plug-in for GIMP 2.10 on a picture without GIMP.

    python -m plugin.stubs PHOTO.png OUT                       as Restore... with its defaults
    python -m plugin.stubs PHOTO.png OUT --action repair --selection MASK.png
    python -m plugin.stubs OUT AGAIN --set whole-picture=0     go on with what is in OUT

The plug-in is the real one, and it starts the installed restoration program; only GIMP is played by
plain Python objects. Runs in Python 2.7, which GIMP 2.10 has, and in Python 3.
"""

from __future__ import absolute_import, division, print_function, unicode_literals

import argparse
import importlib
import os
import runpy
import sys
import traceback
import types

from . import constants, folder, png
from .program import PROGRAM, as_text, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Dict, List, Optional, Text, Tuple  # noqa: F401

    from .document import Image  # noqa: F401
    from .items import Layer  # noqa: F401

STUBS = os.path.dirname(os.path.abspath(as_text(__file__)))
PLUGIN = os.path.dirname(STUBS)
ENTRY = os.path.join(PLUGIN, "gimp2", "restore-old-photo", "restore-old-photo.py")
PROCEDURE = "plug-in-restore-old-photo"
SHARED_NAME = "restore_old_photo_shared"
MODES = {
    "interactive": constants.RUN_INTERACTIVE,
    "script": constants.RUN_NONINTERACTIVE,
    "again": constants.RUN_WITH_LAST_VALS,
}


def main(arguments=None):
    # type: (Optional[List[str]]) -> int
    """Run the command; returns the exit status."""
    options = _parse(arguments)
    try:
        image = _open(as_text(options.photo))
        if options.selection:
            _select(image, as_text(options.selection))
        answers = dict(_answer(as_text(words)) for words in options.set)
    except (EnvironmentError, ValueError) as error:
        print("Error: %s" % native(as_text(str(error))), file=sys.stderr)
        return 2
    status = 0
    try:
        PROGRAM.on_ready = lambda: call(image, options.action, options.mode, answers)
        run_script(as_text(options.plug_in))
    except Exception as error:
        # The plug-in has said the sentence already, unless it has a bug.
        if not PROGRAM.messages:
            traceback.print_exc()
        print("The procedure failed: %s." % type(error).__name__, file=sys.stderr)
        status = 1
    folder.save(image, as_text(options.out))
    for line in tree(image.layers):
        print(native(line))
    print(native("The layers lie in %s." % as_text(options.out)))
    return status


def run_script(entry):
    # type: (Text) -> None
    """Run the plug-in's script as GIMP does, with the stubs as its modules."""
    if sys.version_info < (3,):
        # So does GIMP's module.
        reload(sys)  # type: ignore[name-defined]  # noqa: F821
        sys.setdefaultencoding(str("utf-8"))
    here = os.path.dirname(os.path.abspath(entry))
    for path in (os.path.dirname(PLUGIN), os.path.join(STUBS, "modules"), here):
        sys.path.insert(0, native(path))
    if not os.path.isdir(os.path.join(here, SHARED_NAME)):
        # An installed plug-in has it beside its script; the checkout has it elsewhere.
        shared = types.ModuleType(str(SHARED_NAME))
        shared.__path__ = [native(os.path.join(PLUGIN, "shared"))]
        sys.modules[str(SHARED_NAME)] = shared
    runpy.run_path(native(entry), run_name=str("__main__"))


def call(image, action, mode, answers):
    # type: (Image, Text, Text, Dict[Text, Any]) -> None
    """Choose a menu entry, and say which, for what is active in the image."""
    name = PROCEDURE if action == "restore" else "%s-%s" % (PROCEDURE, action)
    print(native(PROGRAM.registered[name].entry()))
    PROGRAM.images.append(image)
    PROGRAM.answers = answers
    drawable = image.active_channel or image.active_layer
    start = (MODES[mode], image, drawable)
    if mode != "script":
        PROGRAM.run(name, start)
        return
    gimpfu = importlib.import_module(str("gimpfu"))
    fields = gimpfu._registered[name].params[2:]
    given = PROGRAM.fill_dialog(name, fields, [field[3] for field in fields])
    PROGRAM.run(name, start + tuple(given or ()))


def tree(layers, indent=""):
    # type: (List[Layer], Text) -> List[Text]
    """The layers panel, a line each, from the top."""
    lines = []
    for layer in layers:
        facts = "%d x %d at %d, %d" % ((layer.width, layer.height) + tuple(layer.offsets))
        marks = "" if layer.visible else ", hidden"
        marks += ", with mask" if layer.mask is not None else ""
        lines.append("%s%s (%s%s)" % (indent, layer.name, facts, marks))
        lines += tree(layer.children, indent + "    ")
    return lines


def _open(path):
    # type: (Text) -> Image
    if os.path.isdir(path):
        return folder.load(path)
    return folder.image_of(png.read(path))


def _select(image, path):
    # type: (Image, Text) -> None
    mask = png.read(path)
    if (mask.width, mask.height) != (image.width, image.height) or mask.channels != 1:
        raise ValueError(
            "%s is not a gray picture of %d x %d pixels: make the selection as large as the image."
            % (path, image.width, image.height)
        )
    values = mask.data if mask.depth == 8 else mask.data[sys.byteorder == "little" :: 2]
    image.selection.data = bytearray(len(image.selection.data))
    for byte in range(image.sample_bytes):
        image.selection.data[byte :: image.sample_bytes] = values


def _answer(words):
    # type: (Text) -> Tuple[Text, Any]
    name, separator, value = words.partition("=")
    if not separator:
        raise ValueError("--set %s has no value: write --set NAME=VALUE." % words)
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _parse(arguments):
    # type: (Optional[List[str]]) -> argparse.Namespace
    parser = argparse.ArgumentParser(
        prog="python -m plugin.stubs",
        description="Run the plug-in for GIMP 2.10 on a picture, without GIMP.",
    )
    parser.add_argument("photo", metavar="PHOTO", help="a PNG file, or an earlier OUT")
    parser.add_argument("out", metavar="OUT", help="the folder for the layers")
    parser.add_argument(
        "--action", default="restore", choices=["restore", "detect", "repair", "faces"]
    )
    parser.add_argument("--selection", metavar="MASK", help="a gray PNG: what is selected")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fill a field of the dialog: a number, or the label of a choice",
    )
    parser.add_argument(
        "--mode",
        default="interactive",
        choices=sorted(MODES),
        help="call it from the menu, from a script, or once more with the last values",
    )
    parser.add_argument("--plug-in", default=ENTRY, metavar="SCRIPT", help="another copy of it")
    return parser.parse_args(arguments)
