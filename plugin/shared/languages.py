"""The user's language: what the plug-in says is English in the code and theirs on the screen.

A text is written where it arises, with {names} for its values, and translated where it is shown.
The catalogues lie in locale/ beside this package, in the checkout as in the installed plug-in.
"""

from __future__ import absolute_import, division, unicode_literals

import gettext
import os
import string

from .compat import gettext_functions, text_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, List, Set, Text, Tuple, Union  # noqa: F401

    # A text, or what counted() gives.
    Template = Union[Text, Tuple[Text, Text]]

DOMAIN = "restore-old-photo"
FOLDER = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(text_path(__file__)))), "locale"
)


def N_(text):  # noqa: N802 - gettext's own name for it
    # type: (Text) -> Text
    """Mark a text for the catalogues; it is translated later."""
    return text


def counted(one, many):
    # type: (Text, Text) -> Tuple[Text, Text]
    """Mark a singular and its plural for the catalogues; the value `count` decides later."""
    return one, many


class Language(object):
    """One language.

    Args:
        translate: a text to its translation, or to itself where there is none.
        translate_counted: the same for a singular, a plural and the number between them.
    """

    def __init__(self, translate, translate_counted):
        # type: (Callable[[Text], Text], Callable[[Text, Text, int], Text]) -> None
        self._translate = translate
        self._translate_counted = translate_counted

    def say(self, template, **values):
        # type: (Template, **Any) -> Text
        """The text in this language, with its values.

        Raises:
            KeyError, ValueError: a value is missing, or `count` is no number.
        """
        if isinstance(template, tuple):
            text = self._translate_counted(template[0], template[1], int(values["count"]))
        else:
            # To gettext an empty text stands for the catalogue's header.
            text = self._translate(template) if template else ""
        return text.format(**values) if values else text


ENGLISH = Language(lambda text: text, lambda one, many, count: one if count == 1 else many)


def environment_language():
    # type: () -> Language
    """The language that LANGUAGE, LC_ALL, LC_MESSAGES or LANG ask for, else English."""
    return Language(*gettext_functions(gettext.translation(DOMAIN, FOLDER, fallback=True)))


def in_every_language(text):
    # type: (Text) -> List[Text]
    """A text in English and in each language that has a catalogue."""
    found = [text]
    for name in sorted(os.listdir(FOLDER)):
        # A catalogue's source lies beside its folder.
        if os.path.isdir(os.path.join(FOLDER, name)):
            translate, _ = gettext_functions(gettext.translation(DOMAIN, FOLDER, [name]))
            found.append(translate(text))
    return found


def placeholders(text):
    # type: (Text) -> Set[Text]
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
