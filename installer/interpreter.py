"""Whether the Python that runs the installer can hold the environment."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path, PurePath

from installer.errors import InstallationError

# GIMP's folder on Windows ("GIMP 3") and macOS ("GIMP.app", "GIMP-2.10.app").
_GIMP_FOLDER = re.compile(r"gimp([ -]?\d[\d.]*)?(\.app)?", re.IGNORECASE)
_RUN_AGAIN = 'run "python3 -m installer" with the system\'s Python 3.10 or newer'


def check_interpreter(
    environment: Mapping[str, str],
    base_prefix: str = sys.base_prefix,
    flatpak_info: Path = Path("/.flatpak-info"),
) -> None:
    """Refuse a Python whose environment would be of no use to GIMP and to terminals.

    Args:
        environment: environment variables.
        base_prefix: as in `sys`.
        flatpak_info: a file that exists inside Flatpak only.

    Raises:
        InstallationError: it belongs to a GIMP, lies in a sandbox, or cannot hold torch.
    """
    if is_gimps_own(base_prefix, environment):
        raise InstallationError(
            f"{sys.executable} is GIMP's own Python, which cannot hold other packages: "
            f"open a terminal and {_RUN_AGAIN}."
        )
    if flatpak_info.exists():
        name = environment.get("FLATPAK_ID", "another program")
        raise InstallationError(
            f"This Python runs inside the Flatpak {name}, and what it installs would work nowhere "
            f"else: open a terminal of the system and {_RUN_AGAIN}."
        )
    if "WindowsApps" in PurePath(base_prefix.replace("\\", "/")).parts:
        raise InstallationError(
            "This Python comes from the Microsoft Store, which hides from GIMP what it installs: "
            "get Python from its makers' site, then run this again with it."
        )
    if sys.maxsize <= 2**32:
        raise InstallationError(
            "This Python is a 32-bit program, for which there is no torch: install a 64-bit Python "
            "from 3.10 on, then run this again with it."
        )


def is_gimps_own(base_prefix: str, environment: Mapping[str, str]) -> bool:
    """Whether a Python belongs to a GIMP's bundle: Windows, macOS, AppImage or Snap."""
    parts = PurePath(base_prefix.replace("\\", "/")).parts
    for number, part in enumerate(parts):
        if not _GIMP_FOLDER.fullmatch(part):
            continue
        # A folder of the user's may have that name, too; GIMP's own has its programs beside.
        folder = Path(*parts[: number + 1])
        if part.lower().endswith(".app") or any(folder.glob("bin/gimp*")) or "snap" in parts:
            return True
    mounted = environment.get("APPDIR")
    return bool(
        mounted
        and "gimp" in environment.get("APPIMAGE", mounted).lower()
        and PurePath(base_prefix).is_relative_to(mounted)
    )


def check_user(environment: Mapping[str, str]) -> None:
    """Refuse root in place of the user; somebody who logged in as root is the user.

    Raises:
        InstallationError: this was called with sudo.
    """
    user = environment.get("SUDO_USER")
    if is_root() and user and user != "root":
        raise InstallationError(
            f"With sudo this would be installed for root and not for {user}, whose GIMP would not "
            "find it: run the same command again without sudo."
        )


def is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def has_ensurepip() -> bool:
    """Whether this Python brings a pip for its environments; Debian's package leaves it out."""
    return all(importlib.util.find_spec(name) is not None for name in ("ensurepip", "venv"))


def has_pip() -> bool:
    """Whether this Python has a pip of its own, which can install into other environments."""
    return importlib.util.find_spec("pip") is not None


def no_pip_error() -> InstallationError:
    """The sentence for a Python that cannot make a whole environment."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    command = f"apt install {package}" if is_root() else f"sudo apt install {package}"
    return InstallationError(
        "This Python cannot make environments because its venv package is missing: "
        f'run "{command}" (Debian, Ubuntu and their kin), then run this again.'
    )
