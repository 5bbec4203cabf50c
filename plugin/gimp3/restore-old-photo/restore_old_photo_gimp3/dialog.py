"""The dialog before a run, built from the action's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gi
from restore_old_photo_shared.languages import N_
from restore_old_photo_shared.options import (
    DEVICE,
    MODEL_NAMES,
    SCRATCHES,
    STRENGTH,
    THRESHOLD,
    WEIGHTS,
    Action,
)

from .host import Gimp3Host

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gi.repository import GimpUi, Gtk
    from restore_old_photo_shared.languages import Language

DIALOG_WIDTH = 480
ADVANCED = (WEIGHTS.name, DEVICE.name)
MASK_HINT = N_(
    "This photo has a scratch mask layer: what is white in it is repaired.\n"
    "Delete that layer to have the scratches found anew."
)


def ask(
    action: Action,
    procedure: Gimp.Procedure,
    config: Gimp.ProcedureConfig,
    host: Gimp3Host,
    imported: Mapping[str, Sequence[str]],
) -> bool:
    """Show the dialog and store the choices in `config`; False means that the user cancelled.

    Args:
        imported: the user's own models by the argument that can name one.
    """
    gi.require_version("Gtk", "3.0")
    gi.require_version("GimpUi", "3.0")
    from gi.repository import GimpUi, Gtk

    GimpUi.init("restore-old-photo")
    language = host.language
    dialog = GimpUi.ProcedureDialog.new(procedure, config, language.say(action.title))
    hidden = (*ADVANCED, *(argument.name for argument in MODEL_NAMES))
    names = [argument.name for argument in action.arguments if argument.name not in hidden]
    if THRESHOLD.name in names:
        prepare_threshold(dialog, config, SCRATCHES.name in names)
    if STRENGTH.name in names:
        dialog.get_scale_entry(STRENGTH.name, 1.0).set_size_request(DIALOG_WIDTH, -1)
    if SCRATCHES in action.arguments and host.has_mask_layer():
        label = dialog.get_label("hint", language.say(MASK_HINT), False, False)
        label.set_xalign(0.0)
        names.insert(1 if SCRATCHES.name in names else 0, "hint")
    box = dialog.fill_box("advanced-box", list(ADVANCED))
    add_models(box, action, config, imported, language)
    dialog.get_label("advanced-title", language.say("Advanced"), False, False)
    dialog.fill_expander("advanced", "advanced-title", False, "advanced-box")
    dialog.fill([*names, "advanced"])
    accepted = bool(dialog.run())
    dialog.destroy()
    # The window must be gone before the long work begins.
    while Gtk.events_pending():
        Gtk.main_iteration()
    return accepted


def add_models(
    box: Gtk.Box,
    action: Action,
    config: Gimp.ProcedureConfig,
    imported: Mapping[str, Sequence[str]],
    language: Language,
) -> None:
    """Offer the user's own models, and nothing where none is there and none was chosen."""
    from gi.repository import GimpUi, Gtk

    grid = Gtk.Grid(row_spacing=6, column_spacing=12)
    for row, argument in enumerate(a for a in MODEL_NAMES if a in action.arguments):
        chosen = config.get_property(argument.name)
        # One that was removed since stays visible, so that it can be given up.
        names = sorted({*imported.get(argument.name, ()), *([chosen] if chosen else [])})
        if not names:
            continue
        store = Gtk.ListStore(str, str)
        store.append(["", language.say("The weights' own network")])
        for name in names:
            store.append([name, name])
        combo = GimpUi.prop_string_combo_box_new(config, argument.name, store, 0, 1)
        combo.set_hexpand(True)
        combo.set_tooltip_text(language.say(argument.blurb))
        label = Gtk.Label.new_with_mnemonic(language.say(argument.label))
        label.set_xalign(0.0)
        label.set_mnemonic_widget(combo)
        grid.attach(label, 0, row, 1, 1)
        grid.attach(combo, 1, row, 1, 1)
    grid.show_all()
    box.pack_start(grid, False, False, 0)


def prepare_threshold(
    dialog: GimpUi.ProcedureDialog, config: Gimp.ProcedureConfig, is_optional: bool
) -> None:
    """Make the threshold a slider of useful width, which is gray while nothing is detected."""
    slider = dialog.get_scale_entry(THRESHOLD.name, 1.0)
    slider.set_size_request(DIALOG_WIDTH, -1)
    if not is_optional:
        return

    def follow(*_: object) -> None:
        slider.set_sensitive(config.get_property(SCRATCHES.name) == "automatic")

    config.connect(f"notify::{SCRATCHES.name}", follow)
    follow()
