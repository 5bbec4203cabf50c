"""Which GIMPs this machine has, and where they keep their profiles.

A profile is the folder with the user's settings, one for each GIMP version; plug-ins go to its
`plug-ins` folder. The installer and `doctor` both look here, and both ask here whether the plug-in
in a profile is whole. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from plugin.layout import PLUGIN_NAME, plugin_files

_VERSION_FOLDER = re.compile(r"\d+\.\d+")
# The names under which packages put GIMP on the search path. Where a version is part of the name,
# several GIMPs may be installed side by side.
_PROGRAM_NAME = re.compile(r"gimp(-console)?(-3(\.\d+)?)?(\.exe)?")
# What their names on the search path lead to when they are Snap's or Flatpak's.
_SANDBOXES = ("snap", "org.gimp.GIMP")
_VERSION = re.compile(r"\b(\d+\.\d+)(?:\.\d+)?\b")


@dataclass(frozen=True)
class Profile:
    """One profile folder.

    Attributes:
        folder: the profile; it need not exist when the user or the environment names it.
        version: GIMP's version as the folder's name gives it, "3.0"; "3" when it does not tell.
    """

    folder: Path
    version: str

    @property
    def plug_ins(self) -> Path:
        return self.folder / "plug-ins"

    @property
    def generation(self) -> int:
        """The first number of the version: each generation of GIMP has its own plug-in."""
        return _number(self.version)[0]

    @property
    def is_supported(self) -> bool:
        """GIMP 2.10, and 3 and later; 2.8 and older have no layers that fit."""
        return self.generation >= 3 or _number(self.version) == (2, 10)


@dataclass(frozen=True)
class Gimp:
    """A GIMP on the search path.

    Attributes:
        version: "3.0".
        console: its program without windows, or None.
    """

    version: str
    console: Path | None


def find_profiles(
    system: str = sys.platform,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> list[Profile]:
    """Find every GIMP profile of this user, of all versions and kinds of package.

    Args:
        system: a value of `sys.platform`.
        environment: environment variables; None takes this process's.
        home: the user's home folder; None takes this user's.

    Returns:
        Profiles sorted by version, each folder once. Where GIMP2_DIRECTORY or GIMP3_DIRECTORY is
        set, GIMP of that generation uses nothing else, and so it is the only one listed.
    """
    environment = os.environ if environment is None else environment
    home = Path.home() if home is None else home
    found = _below(configuration_folders(system, environment, home))
    for generation in (2, 3):
        named = environment.get(f"GIMP{generation}_DIRECTORY")
        if named:
            found = [profile for profile in found if profile.generation != generation]
            # GIMP, too, reads a relative path from the home folder.
            found.append(profile_of(home / named, fallback="2.10" if generation == 2 else "3"))
    return sorted(found, key=lambda profile: (_number(profile.version), str(profile.folder)))


def profile_of(folder: Path, fallback: str = "3") -> Profile:
    """The profile in a folder that somebody named; `fallback` is the version if it does not say."""
    name = folder.name
    return Profile(folder, name if _VERSION_FOLDER.fullmatch(name) else fallback)


def find_gimps(
    environment: Mapping[str, str], system: str = sys.platform, home: Path | None = None
) -> list[Gimp]:
    """The GIMPs of version 3 and later on the search path and in the usual places, one a version.

    2.10 is left out: whether it can run Python depends on its package, and only its profile says
    that somebody uses it. So are those of Snap and Flatpak, whose profiles appear at their first
    start.
    """
    consoles: dict[str, Path | None] = {}
    home = Path.home() if home is None else home
    usual = map(str, program_folders(system, environment, home))
    for program in _programs(os.pathsep.join([environment.get("PATH", ""), *usual])):
        if system == "win32" and "console" not in program.name:
            # The others open a window to answer.
            continue
        version = _version(program)
        if version is None or int(version.split(".")[0]) < 3:
            continue
        console = program if "console" in program.name else None
        consoles[version] = consoles.get(version) or console
    return [Gimp(version, console) for version, console in sorted(consoles.items())]


def plugin_fault(profile: Profile, installation: Mapping[str, str]) -> str | None:
    """What is wrong with the plug-in in a profile; None when nothing is.

    Args:
        profile: its folder for plug-ins need not exist.
        installation: what the plug-in's installation.json must say.
    """
    folder = profile.plug_ins / PLUGIN_NAME
    entry = folder / f"{PLUGIN_NAME}.py"
    try:
        if not entry.is_file():
            return "it is missing"
        if not os.access(entry, os.X_OK):
            return "it is not executable, so GIMP passes over it"
        if json.loads((folder / "installation.json").read_text(encoding="utf-8")) != installation:
            return "it belongs to another installation"
        for place, origin in plugin_files(profile.generation).items():
            if (folder / place).read_bytes() != origin.read_bytes():
                return "it is of another version"
    except (OSError, ValueError):
        return "it is damaged"
    return None


def configuration_folders(system: str, environment: Mapping[str, str], home: Path) -> list[Path]:
    """The folders that may hold profiles; GIMP's own package comes first, then the sandboxes."""
    if system == "win32":
        roaming = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
        # Windows keeps apart what a program from its Store writes there.
        packages = _local_data(environment, home) / "Packages"
        stored = sorted(packages.glob("*GIMP*/LocalCache/Roaming/GIMP"))
        return [roaming / "GIMP", *stored]
    if system == "darwin":
        return [home / "Library" / "Application Support" / "GIMP"]
    configuration = environment.get("XDG_CONFIG_HOME")
    candidates = [
        Path(configuration) / "GIMP" if configuration else home / ".config" / "GIMP",
        # The sandboxes have their own XDG_CONFIG_HOME, or none: look in the usual place as well.
        home / ".config" / "GIMP",
        home / ".var" / "app" / "org.gimp.GIMP" / "config" / "GIMP",
        home / "snap" / "gimp" / "current" / ".config" / "GIMP",
    ]
    return list(dict.fromkeys(candidates))


def program_folders(system: str, environment: Mapping[str, str], home: Path) -> list[Path]:
    """Where GIMP's own installers put its programs, apart from the search path."""
    if system == "win32":
        programs = Path(environment.get("ProgramFiles") or "C:/Program Files")
        parents = [programs, _local_data(environment, home) / "Programs"]
        return [folder for parent in parents for folder in sorted(parent.glob("GIMP*/bin"))]
    if system == "darwin":
        parents = [Path("/Applications"), home / "Applications"]
        pattern = "GIMP*.app/Contents/MacOS"
        return [folder for parent in parents for folder in sorted(parent.glob(pattern))]
    return []


def unstarted_package(system: str, home: Path, root: Path = Path("/")) -> str | None:
    """A GIMP that is installed as "Flatpak", "Snap", or the AppImage at a path; None without any.

    Only their profiles tell the version, and those appear at the first start.
    """
    if not system.startswith("linux"):
        return None
    flatpak = "flatpak/app/org.gimp.GIMP"
    if any((folder / flatpak).exists() for folder in (root / "var/lib", home / ".local/share")):
        return "Flatpak"
    if (root / "snap" / "gimp").exists():
        return "Snap"
    folders = (home / "Applications", home / "Downloads", home / "Desktop", home / "bin", home)
    images = (image for folder in folders for image in sorted(folder.glob("*.AppImage")))
    return next((str(image) for image in images if image.name.lower().startswith("gimp")), None)


def _local_data(environment: Mapping[str, str], home: Path) -> Path:
    return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")


def _below(folders: Iterable[Path]) -> list[Profile]:
    profiles: dict[Path, Profile] = {}
    for parent in folders:
        try:
            names = sorted(entry.name for entry in parent.iterdir() if entry.is_dir())
        except OSError:
            continue
        for name in names:
            if _VERSION_FOLDER.fullmatch(name):
                folder = parent / name
                profiles.setdefault(folder.resolve(), Profile(folder, name))
    return list(profiles.values())


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _programs(search_path: str) -> list[Path]:
    programs: dict[Path, Path] = {}
    for folder in search_path.split(os.pathsep):
        try:
            entries = sorted(Path(folder).iterdir()) if folder else []
        except OSError:
            continue
        for entry in entries:
            if _PROGRAM_NAME.fullmatch(entry.name) and shutil.which(entry.name, path=folder):
                program = entry.resolve()
                if program.name not in _SANDBOXES:
                    programs.setdefault(program, entry)
    return list(programs.values())


def _version(program: Path) -> str | None:
    try:
        answer = subprocess.run(
            [str(program), "--version"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(answer.stdout)
    return found.group(1) if found else None
