"""The language of GIMP's user, through GIMP's own gettext."""

from __future__ import annotations

from gi.repository import GLib
from restore_old_photo_shared.languages import DOMAIN, Language


def user_language() -> Language:
    """What GIMP's interface speaks; libgimp has bound our catalogues when a procedure is asked.

    Unlike Python's gettext it knows the preferred languages of macOS, which stand in no variable.
    """
    return Language(
        lambda text: GLib.dgettext(DOMAIN, text),
        lambda one, many, count: GLib.dngettext(DOMAIN, one, many, count),
    )
