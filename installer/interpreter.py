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
        raise InstallationError("error.python-of-gimp", python=sys.executable)
    if flatpak_info.exists():
        raise InstallationError(
            "error.python-of-flatpak", name=environment.get("FLATPAK_ID", "org.gimp.GIMP")
        )
    if "WindowsApps" in PurePath(base_prefix.replace("\\", "/")).parts:
        raise InstallationError("error.python-of-store")
    if sys.maxsize <= 2**32:
        raise InstallationError("error.python-32-bit")


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
        raise InstallationError("error.sudo", user=user)


def find_home() -> Path:
    """The user's home folder.

    Raises:
        InstallationError: neither HOME nor the system's list of users names one.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise InstallationError("error.no-home") from error


def is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def has_ensurepip() -> bool:
    """Whether this Python brings a pip for its environments; Debian's package leaves it out."""
    return all(importlib.util.find_spec(name) is not None for name in ("ensurepip", "venv"))


def has_pip() -> bool:
    """Whether this Python has a pip of its own, which can install into other environments."""
    return importlib.util.find_spec("pip") is not None


def no_pip_error() -> InstallationError:
    """The error of a Python that cannot make a whole environment."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    command = f"apt install {package}" if is_root() else f"sudo apt install {package}"
    return InstallationError("error.no-venv", command=command)
