"""GIMP itself, as far as a plug-in notices it: one program for one process.

GIMP runs each plug-in in a process of its own, so the stub modules share one PROGRAM.
"""

from __future__ import absolute_import, division, unicode_literals

import gettext
import os
import sys

from .procedures import Database, GimpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Text, Tuple  # noqa: F401

    from .document import Image  # noqa: F401


class Registered(object):
    """A procedure that a plug-in installed; a field is its type, name and description."""

    def __init__(self, label, image_types, params, return_vals):
        # type: (Text, Text, List[Tuple[int, Text, Text]], List[Tuple[int, Text, Text]]) -> None
        self.label = label
        self.image_types = image_types
        self.params = params
        self.return_vals = return_vals
        self.menu = ""
        self.domain = None  # type: Optional[Tuple[Text, Text]]

    def entry(self):
        # type: () -> Text
        """The menu entry with the path to it, as GIMP shows it in its user's language."""
        words = [self.menu, self.label]
        if self.domain is not None:
            name, place = self.domain
            catalogue = gettext.translation(name, place, fallback=True)  # type: Any
            translate = getattr(catalogue, str("ugettext"), catalogue.gettext)
            words = [translate(text) for text in words]
        return "/".join(words).replace("_", "")


class Program(object):
    """GIMP with its images and one plug-in.

    Attributes:
        answers: what the user enters into the dialog by field; None closes it.
        messages: what the user was shown, in order.
        progress: each stage's sentence with its last fraction, None for a pulse.
        is_in_progress: whether a progress bar is shown.
        flushes: how often the displays were drawn anew.
        on_ready: what happens once the plug-in is registered; it lives only as long as main() runs.
    """

    def __init__(self):
        # type: () -> None
        self.pid = os.getpid()
        self.images = []  # type: List[Image]
        self.registered = {}  # type: Dict[Text, Registered]
        self.answers = {}  # type: Optional[Mapping[Text, Any]]
        self.messages = []  # type: List[Text]
        self.progress = []  # type: List[Tuple[Text, Optional[float]]]
        self.is_in_progress = False
        self.flushes = 0
        self.database = Database(self)
        self._data = {}  # type: Dict[Text, Any]
        self._run = None  # type: Optional[Callable[..., Any]]
        self._domain = None  # type: Optional[Tuple[Text, Text]]
        self.on_ready = None  # type: Optional[Callable[[], None]]

    def main(self, _init, _quit, query, run):
        # type: (Any, Any, Callable[[], None], Callable[..., Any]) -> None
        """The plug-in's last line: it is asked what it offers, and then called."""
        self._run = run
        query()
        if self.on_ready is not None:
            self.on_ready()

    def run(self, name, parameters):
        # type: (Text, Tuple[Any, ...]) -> Any
        """Call the plug-in's procedure; the parameters begin with the run mode.

        Raises:
            KeyError: the plug-in has not installed it. What the plug-in raises comes out too.
        """
        if name not in self.registered or self._run is None:
            raise KeyError(name)
        return self._run(name, parameters)

    def install_procedure(
        self,
        name,
        _blurb,
        _help,
        _author,
        _copyright,
        _date,
        label,
        image_types,
        _kind,
        params,
        return_vals,
    ):
        # type: (Text, Text, Text, Text, Text, Text, Text, Text, int, List[Any], List[Any]) -> None
        made = Registered(label, image_types, params, return_vals)
        made.domain = self._domain
        self.registered[name] = made

    def domain_register(self, name, place):
        # type: (Text, Text) -> None
        """The catalogues for the menu entries of the procedures that are installed afterwards."""
        self._domain = (name, place)

    def menu_register(self, name, menu):
        # type: (Text, Text) -> None
        self.registered[name].menu = menu

    def fill_dialog(self, _name, fields, defaults):
        # type: (Text, Sequence[Tuple[Any, ...]], Sequence[Any]) -> Optional[List[Any]]
        """What the user leaves in a dialog, field by field; None when they close it.

        A choice may be answered by its number or its label.
        """
        if self.answers is None:
            return None
        entered = []
        for field, default in zip(fields, defaults):
            value = self.answers.get(field[1], default)
            if isinstance(value, type("")) and isinstance(field[3], int):
                value = field[4].index(value)
            entered.append(type(field[3])(value))
        return entered

    def message(self, words):
        # type: (Text) -> None
        self.messages.append(as_text(words))
        sys.stderr.write(str("GIMP: %s\n") % native(words))

    def progress_init(self, words):
        # type: (Text) -> None
        self.is_in_progress = True
        self.progress.append((as_text(words), 0.0))

    def progress_text(self, words):
        # type: (Text) -> None
        self.progress.append((as_text(words), None))

    def progress_update(self, fraction):
        # type: (float) -> None
        self.progress[-1] = (self.progress[-1][0], fraction)

    def progress_pulse(self):
        # type: () -> None
        self.progress[-1] = (self.progress[-1][0], None)

    def progress_end(self):
        # type: () -> None
        self.is_in_progress = False

    def displays_flush(self):
        # type: () -> None
        self.flushes += 1

    def get_data(self, name):
        # type: (Text) -> Any
        if name not in self._data:
            raise GimpError("no data for id")
        return self._data[name]

    def set_data(self, name, data):
        # type: (Text, Any) -> None
        self._data[name] = data


def as_text(words):
    # type: (Any) -> Text
    """GIMP's texts are UTF-8."""
    return words.decode("utf-8") if isinstance(words, bytes) else words


def native(words):
    # type: (Any) -> str
    """For the terminal: Python 2 wants bytes."""
    if sys.version_info >= (3,):
        return as_text(words)
    return as_text(words).encode("utf-8")


PROGRAM = Program()
