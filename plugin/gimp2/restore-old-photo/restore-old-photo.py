#!/usr/bin/env python2
"""Restore Old Photo in GIMP 2.10: the procedures, their menu entries, and the edge for errors.

gimpfu draws the dialog from the parameters. Unlike the one in GIMP 3 it cannot gray an entry out or
say something about the document. It would also stay open, without a way to cancel, for as long as
the registered function runs; so that function only hands the choices over, and the work is done
after the dialog has closed, where GIMP's own progress bar with its Cancel button shows it.
"""

from __future__ import absolute_import, division, unicode_literals

import os
import traceback

import gimp
import gimpfu
from restore_old_photo_gimp2.host import Gimp2Host
from restore_old_photo_shared import launcher
from restore_old_photo_shared import options as choices
from restore_old_photo_shared.compat import describe
from restore_old_photo_shared.errors import Cancelled, PluginError
from restore_old_photo_shared.languages import DOMAIN, FOLDER, environment_language
from restore_old_photo_shared.run import MISTAKE, stop_if_cancelled
from restore_old_photo_shared.run import run as restore

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Optional, Sequence, Text, Tuple  # noqa: F401

    from restore_old_photo_shared.client import Client  # noqa: F401
    from restore_old_photo_shared.host import Watcher  # noqa: F401

AUTHORS = "The Restore Old Photo developers"
ACTIONS = {action.name: action for action in choices.ACTIONS}
# The image and the drawable come before the choices.
CHOICES_FROM = 2
SLIDER_STEP = 0.01
LANGUAGE = environment_language()


def register(action):
    # type: (choices.Action) -> None
    """Tell gimpfu of one procedure; it tells GIMP when GIMP asks."""
    parameters = [
        (gimpfu.PF_IMAGE, "image", "The image", None),
        (gimpfu.PF_DRAWABLE, "drawable", "The photo's layer", None),
    ]
    gimpfu.register(
        action.name,
        action.blurb,
        help_text(action),
        AUTHORS,
        AUTHORS,
        "2026",
        action.menu_label,
        "*",
        parameters + [parameter(argument) for argument in action.arguments],
        [(gimpfu.PF_LAYER, "group", "The inserted layer group; -1 if nothing was found")],
        hand_over,
        menu=choices.MENU_PATH,
        # Menu, label and blurb stay English here: GIMP itself translates them from our catalogues,
        # so that they follow its language without being registered anew.
        domain=(DOMAIN, FOLDER),
    )


def parameter(argument):
    # type: (choices.Argument) -> Tuple[Any, ...]
    """An argument as gimpfu describes it; gimpfu knows a choice by its number."""
    named = (argument.name, LANGUAGE.say(argument.label))
    if isinstance(argument, choices.Flag):
        return (gimpfu.PF_TOGGLE,) + named + (argument.default,)
    if isinstance(argument, choices.Share):
        scale = (argument.minimum, argument.maximum, SLIDER_STEP)
        return (gimpfu.PF_SLIDER,) + named + (argument.default, scale)
    if isinstance(argument, choices.ModelName):
        return (gimpfu.PF_STRING,) + named + (str(argument.default),)
    words = [word for word, _, _ in argument.values]
    labels = tuple(LANGUAGE.say(label) for _, label, _ in argument.values)
    return (gimpfu.PF_OPTION,) + named + (words.index(argument.default), labels)


def help_text(action):
    # type: (choices.Action) -> Text
    """What the procedure browser says: the blurb, and what the numbers of each choice mean."""
    lines = [action.blurb + "."]
    for argument in action.arguments:
        if isinstance(argument, choices.Choice):
            words = ["%d: %s" % (n, word) for n, (word, _, _) in enumerate(argument.values)]
            lines.append("%s: %s (%s)." % (argument.name, argument.blurb, ", ".join(words)))
        else:
            lines.append("%s: %s." % (argument.name, argument.blurb))
    return "\n".join(lines)


def hand_over(_image, _drawable, *chosen):
    # type: (Any, Any, *Any) -> Tuple[Any, ...]
    return chosen


def run(name, parameters):
    # type: (str, Tuple[Any, ...]) -> Optional[gimp.GroupLayer]
    """One call of a procedure; whatever goes wrong is said in a sentence.

    A procedure in Python cannot return a sentence with its failure, so it goes through
    gimp.message(): a window for the user, a line on the terminal for a script. The exception that
    follows becomes the status.
    """
    try:
        return run_action(ACTIONS[name], *parameters)
    except (Cancelled, gimpfu.CancelError):
        return None
    except PluginError as error:
        gimp.message(error.sentence(LANGUAGE))
        raise
    except Exception as error:
        traceback.print_exc()
        gimp.message(LANGUAGE.say(MISTAKE, error=describe(error)))
        raise


def run_action(action, run_mode, image, drawable, *given):
    # type: (choices.Action, int, gimp.Image, gimp.Drawable, *Any) -> Optional[gimp.GroupLayer]
    """Ask where there is something to ask, restore, and return the group.

    Raises:
        PluginError: one sentence for the user.
        gimpfu.CancelError: in the dialog.
    """
    host = Gimp2Host(image, drawable, LANGUAGE)
    if run_mode == gimpfu.RUN_NONINTERACTIVE:
        chosen = given
    elif run_mode == gimpfu.RUN_INTERACTIVE and action.has_dialog:
        # gimpfu has no public name for its dialog alone, and it will not change any more.
        chosen = gimpfu._interact(action.name, (image, drawable))
    else:
        chosen = gimpfu._get_defaults(action.name)[CHOICES_FROM:]
    return restore(host, action, values_of(action, chosen), connect)


def values_of(action, chosen):
    # type: (choices.Action, Sequence[Any]) -> choices.Values
    """The arguments' values by name.

    Raises:
        PluginError: a number stands for no choice or share.
    """
    values = {}
    for argument, value in zip(action.arguments, chosen):
        if isinstance(argument, choices.Choice):
            check_number(argument.name, value, len(argument.values) - 1)
            values[argument.name] = argument.values[value][0]
        elif isinstance(argument, choices.Flag):
            values[argument.name] = bool(value)
        elif isinstance(argument, choices.ModelName):
            # gimpfu gives None for an empty text, and bytes in Python 2.
            name = value or ""
            values[argument.name] = name.decode("utf-8") if isinstance(name, bytes) else name
        else:
            check_number(argument.name, value, argument.maximum)
            values[argument.name] = value
    return values


def check_number(name, value, largest):
    # type: (Text, float, float) -> None
    """GIMP 2.10 hands on whatever a script gives.

    Raises:
        PluginError: it is not from 0 to `largest`.
    """
    if not 0 <= value <= largest:
        raise PluginError(
            "The argument {name} is {value}, but it must be from 0 to {largest}: see the "
            "procedure's help.",
            name=name,
            value=value,
            largest=int(largest),
        )


def connect(watcher):
    # type: (Watcher) -> Client
    """The backend of this installation; it ends with this GIMP."""
    folder = os.path.dirname(os.path.abspath(__file__))
    pid = gimp.pdb.gimp_getpid()
    return launcher.connect(folder, pid, lambda _: stop_if_cancelled(watcher))


if __name__ == "__main__":
    for each in choices.ACTIONS:
        register(each)
    # gimpfu.main() would run the work inside the dialog.
    gimp.main(None, None, gimpfu._query, run)
