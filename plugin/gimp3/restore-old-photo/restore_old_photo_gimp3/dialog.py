"""The dialog before a run, built from the action's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gi
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

TITLES = {
    "plug-in-restore-old-photo": "Restore Old Photo",
    "plug-in-restore-old-photo-detect": "Detect Scratches",
    "plug-in-restore-old-photo-repair": "Repair Scratches",
    "plug-in-restore-old-photo-faces": "Enhance Faces",
}
DIALOG_WIDTH = 480
ADVANCED = (WEIGHTS.name, DEVICE.name)
OWN_NETWORK = "The weights' own network"
MASK_HINT = (
    "This photo has a scratch mask layer: what is white in it is repaired.\n"
    "Delete that layer to have the scratches found anew."
)


def ask(
    action: Action,
    procedure: Gimp.Procedure,
    config: Gimp.ProcedureConfig,
    hint: str,
    imported: Mapping[str, Sequence[str]],
) -> bool:
    """Show the dialog and store the choices in `config`; False means that the user cancelled.

    Args:
        hint: what the document already says about scratches, or an empty text.
        imported: the user's own models by the argument that can name one.
    """
    gi.require_version("Gtk", "3.0")
    gi.require_version("GimpUi", "3.0")
    from gi.repository import GimpUi, Gtk

    GimpUi.init("restore-old-photo")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, TITLES[action.name])
    hidden = (*ADVANCED, *(argument.name for argument in MODEL_NAMES))
    names = [argument.name for argument in action.arguments if argument.name not in hidden]
    if THRESHOLD.name in names:
        prepare_threshold(dialog, config, SCRATCHES.name in names)
    if STRENGTH.name in names:
        dialog.get_scale_entry(STRENGTH.name, 1.0).set_size_request(DIALOG_WIDTH, -1)
    if hint:
        label = dialog.get_label("hint", hint, False, False)
        label.set_xalign(0.0)
        names.insert(1 if SCRATCHES.name in names else 0, "hint")
    box = dialog.fill_box("advanced-box", list(ADVANCED))
    add_models(box, action, config, imported)
    dialog.get_label("advanced-title", "Advanced", False, False)
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
        for name, shown in [("", OWN_NETWORK), *((name, name) for name in names)]:
            store.append([name, shown])
        combo = GimpUi.prop_string_combo_box_new(config, argument.name, store, 0, 1)
        combo.set_hexpand(True)
        combo.set_tooltip_text(argument.blurb)
        label = Gtk.Label.new_with_mnemonic(argument.label)
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


def hint_for(action: Action, host: Gimp3Host) -> str:
    """What the user should know about the document before choosing."""
    if SCRATCHES in action.arguments and host.has_mask_layer():
        return MASK_HINT
    return ""
