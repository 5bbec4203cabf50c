"""Find the GIMPs of this user and put the plug-in into their profiles."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from installer.errors import InstallationError
from plugin.layout import PLUGIN_NAME, install_plugin, remove_plugin
from plugin.profiles import (
    Profile,
    configuration_folders,
    find_profiles,
    plugin_fault,
    profile_of,
)

# The names under which packages put GIMP on the search path. Where a version is part of the name,
# several GIMPs may be installed side by side.
_PROGRAM_NAME = re.compile(r"gimp(-console)?(-3(\.\d+)?)?(\.exe)?")
_VERSION = re.compile(r"\b(\d+\.\d+)(?:\.\d+)?\b")


@dataclass(frozen=True)
class Gimp:
    """A GIMP on the search path.

    Attributes:
        version: "3.0".
        console: its program without windows, or None.
    """

    version: str
    console: Path | None


@dataclass(frozen=True)
class PluginStep:
    """The plug-in in one profile.

    Attributes:
        profile: where; its folder is made when missing.
        installation: what the plug-in needs to know to start the backend: python, home, version.
        console: the GIMP that makes the profile when it has none yet, or None.
    """

    profile: Profile
    installation: Mapping[str, str]
    console: Path | None = None

    @property
    def title(self) -> str:
        return f"plug-in for GIMP {self.profile.version} in {self.profile.plug_ins}"

    def is_done(self) -> bool:
        return plugin_fault(self.profile.plug_ins, self.installation) is None

    def do(self) -> None:
        try:
            if self.console is not None and not self.profile.folder.exists():
                _let_gimp_make_its_profile(self.console)
            install_plugin(self.profile.plug_ins, self.installation)
        except OSError as error:
            raise InstallationError(
                f"The plug-in could not be written to {self.profile.plug_ins} ({error.strerror}): "
                "make that folder writable for you, then run this again."
            ) from error

    def undo(self) -> None:
        try:
            remove_plugin(self.profile.plug_ins / PLUGIN_NAME)
            # What an installation that was cut short may have left.
            for rest in self.profile.plug_ins.glob(f".{PLUGIN_NAME}.*"):
                remove_plugin(rest)
        except OSError as error:
            raise InstallationError(
                f"The plug-in could not be removed from {self.profile.plug_ins} "
                f"({error.strerror}): close GIMP, then run this again."
            ) from error


@dataclass
class Targets:
    """Where the plug-in goes.

    Attributes:
        profiles: each with the console GIMP that can make it when it is missing.
        notes: sentences for the user about what is left out, and why.
    """

    profiles: list[tuple[Profile, Path | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_targets(
    named: Sequence[Path],
    system: str,
    environment: Mapping[str, str],
    home: Path,
) -> Targets:
    """Decide which profiles receive the plug-in.

    Args:
        named: profile folders the user named; with any, nothing else is looked for.
        system: a value of `sys.platform`.
        environment: environment variables, PATH among them.
        home: the user's home folder.

    Raises:
        InstallationError: a named profile belongs to a GIMP that is not supported.
    """
    if named:
        return Targets([(_named_profile(folder), None) for folder in named])
    targets = Targets()
    found = find_profiles(system, environment, home)
    for profile in found:
        if profile.is_supported:
            targets.profiles.append((profile, None))
        else:
            targets.notes.append(
                f"GIMP {profile.version} ({profile.folder}) is not supported yet: the plug-in "
                "needs GIMP 3.0.2 or newer."
            )
    _add_unstarted_gimps(targets, found, system, environment, home)
    if not targets.profiles:
        targets.notes.append(
            "No GIMP 3 was found, so only the command line is set up: install GIMP 3, start it "
            "once and run this again, or name its profile with --gimp-profile."
        )
    return targets


def find_gimps(environment: Mapping[str, str]) -> list[Gimp]:
    """The GIMPs of version 3 and later on the search path, one for each version."""
    consoles: dict[str, Path | None] = {}
    for program in _programs(environment.get("PATH", "")):
        version = _version(program)
        if version is None or int(version.split(".")[0]) < 3:
            continue
        console = program if "console" in program.name else None
        consoles[version] = consoles.get(version) or console
    return [Gimp(version, console) for version, console in sorted(consoles.items())]


def _add_unstarted_gimps(
    targets: Targets,
    found: Sequence[Profile],
    system: str,
    environment: Mapping[str, str],
    home: Path,
) -> None:
    parent = configuration_folders(system, environment, home)[0]
    override = environment.get("GIMP3_DIRECTORY")
    if override:
        # The override is in the list already; it may not exist before GIMP's first start.
        return
    present = {profile.version for profile in found}
    for gimp in find_gimps(environment):
        if gimp.version in present:
            continue
        if gimp.console is None and found:
            # GIMP takes over the settings of an older version only while its own folder is absent.
            targets.notes.append(
                f"GIMP {gimp.version} was never started: start it once, then run this again, so "
                "that it takes over the settings of your older GIMP first."
            )
            continue
        targets.profiles.append((Profile(parent / gimp.version, gimp.version), gimp.console))


def _named_profile(folder: Path) -> Profile:
    profile = profile_of(folder.expanduser().absolute())
    if not profile.is_supported:
        raise InstallationError(
            f"{folder} is a profile of GIMP {profile.version}, which is not supported yet: "
            "name the profile of a GIMP from 3.0.2 on."
        )
    return profile


def _programs(search_path: str) -> list[Path]:
    programs: dict[Path, Path] = {}
    for folder in search_path.split(os.pathsep):
        try:
            entries = sorted(Path(folder).iterdir()) if folder else []
        except OSError:
            continue
        for entry in entries:
            if _PROGRAM_NAME.fullmatch(entry.name) and shutil.which(entry.name, path=folder):
                programs.setdefault(entry.resolve(), entry)
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


def _let_gimp_make_its_profile(console: Path) -> None:
    # GIMP fills a new profile itself and takes over older settings, but only while the folder is
    # absent. When it cannot, an empty folder with the plug-in does as well.
    try:
        subprocess.run(
            [str(console), "--no-interface", "--quit"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
    except (OSError, subprocess.SubprocessError):
        return
