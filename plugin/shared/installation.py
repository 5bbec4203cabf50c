"""What is installed where, and the surroundings in which the backend is started."""

from __future__ import absolute_import, division, unicode_literals

import io
import json
import os
import sys

from .compat import native_text, replace_file, text_path
from .errors import NotInstalledError
from .start_errors import folder_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Mapping, Text  # noqa: F401 - named in type comments

INSTALLATION_FILE = "installation.json"
HOME_VARIABLE = "RESTORE_OLD_PHOTO_HOME"
# About a year of normal use; one older log is kept.
MAX_LOG_BYTES = 1024 * 1024

# GIMP's own Python and libraries, which must not leak into another Python.
_FOREIGN_NAMES = (
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "GI_TYPELIB_PATH",
    "FONTCONFIG_PATH",
    "SSL_CERT_FILE",
    "APPDIR",
    "APPIMAGE",
)
_FOREIGN_BEGINNINGS = ("PYTHON", "DYLD_", "GIO_", "GDK_PIXBUF_", "GTK_")


class Installation(object):
    """What installation.json says.

    Args:
        python: the interpreter of the backend's environment.
        home: the data folder.
    """

    def __init__(self, python, home):
        # type: (Text, Text) -> None
        self.python = python
        self.home = home

    @property
    def run_folder(self):
        # type: () -> Text
        return os.path.join(self.home, "run")

    @property
    def log(self):
        # type: () -> Text
        return os.path.join(self.run_folder, "backend.log")


def find_installation(script_folder, environment):
    # type: (Text, Mapping[str, str]) -> Installation
    """Read installation.json beside the script or in the data folder.

    Raises:
        NotInstalledError: there is none, or what it names is gone.
    """
    for folder in (text_path(script_folder), data_folder(environment)):
        try:
            with io.open(os.path.join(folder, INSTALLATION_FILE), encoding="utf-8") as file:
                facts = json.load(file)
            installation = Installation(
                os.path.normpath(facts["python"]), os.path.normpath(facts["home"])
            )
        except (EnvironmentError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if is_sandboxed(environment) or os.path.exists(installation.python):
            return installation
    raise NotInstalledError(
        "The restoration program is not installed on this computer, or not completely: open a "
        "terminal in the folder of Restore Old Photo and run: python3 -m installer"
    )


def data_folder(environment):
    # type: (Mapping[str, str]) -> Text
    """This user's data folder, chosen as the backend chooses it."""
    chosen = environment.get(str(HOME_VARIABLE))
    if chosen:
        return text_path(os.path.expanduser(chosen))
    user = text_path(os.path.expanduser(str("~")))
    if sys.platform == "win32":
        local = environment.get(str("LOCALAPPDATA"))
        base = text_path(local) if local else os.path.join(user, "AppData", "Local")
        return os.path.join(base, "restore-old-photo")
    if sys.platform == "darwin":
        return os.path.join(user, "Library", "Application Support", "restore-old-photo")
    return os.path.join(user, ".local", "share", "restore-old-photo")


def is_sandboxed(environment):
    # type: (Mapping[str, str]) -> bool
    """Whether this GIMP comes as Flatpak or Snap, which start no programs outside."""
    # A program outside inherits these names from a sandboxed terminal, but not GIMP's values.
    return (
        os.path.exists("/.flatpak-info")
        or environment.get(str("FLATPAK_ID")) == "org.gimp.GIMP"
        or environment.get(str("SNAP_NAME")) == "gimp"
    )


def open_log(path):
    # type: (Text) -> io.BufferedWriter
    """The log, ready to be added to by its owner alone; a long one is set aside first."""
    if os.path.exists(path) and os.path.getsize(path) > MAX_LOG_BYTES:
        replace_file(path, path + ".1")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return io.open(descriptor, "ab")


def clean_environment(environment, home):
    # type: (Mapping[str, str], Text) -> Dict[str, str]
    """The environment without what GIMP's bundle needs for itself."""
    clean = {
        name: value
        for name, value in environment.items()
        if name not in _FOREIGN_NAMES and not name.startswith(_FOREIGN_BEGINNINGS)
    }
    # Without user packages, which may be built for another Python.
    additions = {HOME_VARIABLE: home, "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}
    clean.update({native_text(name): native_text(value) for name, value in additions.items()})
    return clean


def make_private_folder(path):
    # type: (Text) -> None
    """Make a folder that only its owner can enter.

    Raises:
        StartError: it cannot be made.
    """
    try:
        try:
            os.makedirs(path, 0o700)
        except EnvironmentError:
            # It exists mostly; another plug-in may also make it at this moment.
            if not os.path.isdir(path):
                raise
        os.chmod(path, 0o700)
    except EnvironmentError as error:
        raise folder_error(path, error)
