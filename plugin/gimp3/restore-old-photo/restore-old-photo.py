#!/usr/bin/env python3
"""Restore Old Photo in GIMP 3: the procedures, their menu entries, and the edge for errors."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GLib, GObject  # noqa: E402
from restore_old_photo_gimp3.host import Gimp3Host  # noqa: E402
from restore_old_photo_gimp3.language import user_language  # noqa: E402
from restore_old_photo_shared import imported, launcher  # noqa: E402
from restore_old_photo_shared import options as choices  # noqa: E402
from restore_old_photo_shared.client import Client  # noqa: E402
from restore_old_photo_shared.errors import Cancelled, PluginError  # noqa: E402
from restore_old_photo_shared.host import Watcher  # noqa: E402
from restore_old_photo_shared.installation import find_installation  # noqa: E402
from restore_old_photo_shared.languages import DOMAIN  # noqa: E402
from restore_old_photo_shared.run import MISTAKE, stop_if_cancelled  # noqa: E402
from restore_old_photo_shared.run import run as restore  # noqa: E402

AUTHORS = "The Restore Old Photo developers"
ACTIONS = {action.name: action for action in choices.ACTIONS}
LANGUAGE = user_language()


class RestoreOldPhoto(Gimp.PlugIn):
    """Answers GIMP's questions about the procedures."""

    def do_query_procedures(self) -> list[str]:
        return list(ACTIONS)

    def do_set_i18n(self, procedure_name: str) -> tuple[bool, str, None]:  # noqa: ARG002
        # None: the catalogues lie where GIMP looks for them, in locale/.
        return True, DOMAIN, None

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        action = ACTIONS[name]
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("*")
        # All are accepted, so that a click explains what is wrong where a gray entry would not.
        mask = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES | mask.NO_DRAWABLES)
        # Without a help page there is no Help button that leads nowhere.
        blurb = LANGUAGE.say(action.blurb)
        procedure.set_documentation(blurb, blurb, None)
        # GIMP asks anew when its user chooses another language.
        procedure.set_menu_label(LANGUAGE.say(action.menu_label))
        procedure.add_menu_path(LANGUAGE.say(choices.MENU_PATH))
        procedure.set_attribution(AUTHORS, AUTHORS, "2026")
        for argument in action.arguments:
            add_argument(procedure, argument)
        procedure.add_layer_return_value(
            "group",
            "Group",
            "The inserted layer group; none if nothing was found",
            True,
            GObject.ParamFlags.READWRITE,
        )
        return procedure


def add_argument(procedure: Gimp.Procedure, argument: choices.Argument) -> None:
    flags = GObject.ParamFlags.READWRITE
    named = (argument.name, LANGUAGE.say(argument.label), LANGUAGE.say(argument.blurb))
    if isinstance(argument, choices.Flag):
        procedure.add_boolean_argument(*named, argument.default, flags)
    elif isinstance(argument, choices.Share):
        procedure.add_double_argument(
            *named, argument.minimum, argument.maximum, argument.default, flags
        )
    elif isinstance(argument, choices.ModelName):
        procedure.add_string_argument(*named, argument.default, flags)
    else:
        words = Gimp.Choice.new()
        for number, (word, label, blurb) in enumerate(argument.values):
            words.add(word, number, LANGUAGE.say(label), LANGUAGE.say(blurb))
        procedure.add_choice_argument(*named, words, argument.default, flags)


def run(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    _data: None,
) -> Gimp.ValueArray:
    """One call of a procedure; whatever goes wrong leaves as a sentence."""
    try:
        return run_action(procedure, run_mode, image, drawables, config)
    except Cancelled:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, GLib.Error())
    except PluginError as error:
        sentence = error.sentence(LANGUAGE)
    except Exception as error:  # GIMP shows an uncaught exception as an error without text.
        traceback.print_exc()
        sentence = LANGUAGE.say(MISTAKE, error=repr(error))
    return procedure.new_return_values(
        Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(sentence, "restore-old-photo", 1)
    )


def run_action(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
) -> Gimp.ValueArray:
    """Ask where there is something to ask, restore, and return the group.

    Raises:
        PluginError: one sentence for the user.
        Cancelled: in the progress window.
    """
    action = ACTIONS[procedure.get_name()]
    title = None
    if run_mode != Gimp.RunMode.NONINTERACTIVE:
        from restore_old_photo_gimp3 import dialog, progress

        if progress.has_screen():
            title = LANGUAGE.say(action.title)
    host = Gimp3Host(image, drawables, title, LANGUAGE)
    asks = run_mode == Gimp.RunMode.INTERACTIVE and action.has_dialog and title is not None
    if asks and not dialog.ask(action, procedure, config, host, imported_names()):
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, GLib.Error())
    values = {argument.name: config.get_property(argument.name) for argument in action.arguments}
    group = restore(host, action, values, connect)
    result = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, GLib.Error())
    # Index 0 is the status, index 1 the group.
    result.remove(1)
    result.insert(1, GObject.Value(Gimp.Layer, group))
    return result


def imported_names() -> dict[str, list[str]]:
    """The imported models that the dialog can offer, by the argument that names one."""
    try:
        folder = str(Path(__file__).resolve().parent)
        home = find_installation(folder, os.environ).home
    except PluginError:  # the run itself says so, with what to do about it
        return {}
    return {argument.name: imported.names(home, argument.name) for argument in choices.MODEL_NAMES}


def connect(watcher: Watcher) -> Client:
    """The backend of this installation; it ends with this GIMP, which is our parent process."""
    folder = Path(__file__).resolve().parent
    return launcher.connect(str(folder), os.getppid(), lambda _: stop_if_cancelled(watcher))


if __name__ == "__main__":
    Gimp.main(RestoreOldPhoto.__gtype__, sys.argv)
