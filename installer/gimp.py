"""Find the GIMPs of this user and put the plug-in into their profiles."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from installer.errors import InstallationError
from installer.messages import Message, message, reason_of
from installer.steps import Condition, Cost
from plugin.layout import PLUGIN_NAME, install_plugin, remove_plugin
from plugin.profiles import (
    Profile,
    configuration_folders,
    find_gimps,
    find_profiles,
    plugin_fault,
    profile_of,
    unstarted_package,
)


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

    cost = Cost()

    @property
    def key(self) -> str:
        return f"plug-in {self.profile.folder}"

    @property
    def title(self) -> Message:
        return message("step.plug-in", version=self.profile.version)

    @property
    def place(self) -> Path:
        return self.profile.plug_ins

    def condition(self) -> Condition:
        if not (self.profile.plug_ins / PLUGIN_NAME).exists():
            return "absent"
        if plugin_fault(self.profile, self.installation) is None:
            return "done"
        return "outdated" if self._is_of_another_version() else "damaged"

    def _is_of_another_version(self) -> bool:
        record = self.profile.plug_ins / PLUGIN_NAME / "installation.json"
        try:
            found = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and found.get("version") != self.installation["version"]

    def check_writable(self) -> None:
        """Raises InstallationError where the plug-in could not be written or replaced."""
        folders = (self.profile.plug_ins, *self.profile.plug_ins.parents)
        existing = next(folder for folder in folders if folder.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise InstallationError(
                "error.profile-not-writable", folder=existing, version=self.profile.version
            )

    def do(self) -> None:
        try:
            if self.console is not None and not self.profile.folder.exists():
                _let_gimp_make_its_profile(self.console)
            install_plugin(self.profile.plug_ins, self.installation, self.profile.generation)
        except OSError as error:
            raise InstallationError(
                "error.plug-in-not-written",
                folder=self.profile.plug_ins,
                reason=reason_of(error),
            ) from error

    def undo(self) -> None:
        try:
            remove_plugin(self.profile.plug_ins / PLUGIN_NAME)
            # What an installation that was cut short may have left.
            for rest in self.profile.plug_ins.glob(f".{PLUGIN_NAME}.*"):
                remove_plugin(rest)
        except OSError as error:
            raise InstallationError(
                "error.plug-in-not-removed",
                folder=self.profile.plug_ins,
                reason=reason_of(error),
            ) from error
        # GIMP takes over the settings of an older version only while its own folder is absent.
        with suppress(OSError):
            self.profile.plug_ins.rmdir()
            self.profile.folder.rmdir()


@dataclass
class Targets:
    """Where the plug-in goes.

    Attributes:
        profiles: each with the console GIMP that can make it when it is missing.
        notes: about what is left out, and why.
    """

    profiles: list[tuple[Profile, Path | None]] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)


def find_targets(
    named: Sequence[Path] | None,
    system: str,
    environment: Mapping[str, str],
    home: Path,
    remembered: Sequence[Profile] = (),
) -> Targets:
    """Decide which profiles receive the plug-in.

    Args:
        named: profile folders the user named; None looks for all there are.
        system: a value of `sys.platform`.
        environment: environment variables, PATH among them.
        home: the user's home folder.
        remembered: profiles that received it earlier and may lie anywhere.

    Raises:
        InstallationError: a named profile belongs to a GIMP that is not supported.
    """
    found = find_profiles(system, environment, home)
    if named is not None:
        # A folder's name need not tell the version.
        known_versions = {p.folder.resolve(): p.version for p in [*remembered, *found]}
        profiles = {p.folder: p for p in (_named_profile(f, known_versions) for f in named)}
        return Targets([(profile, None) for profile in profiles.values()])
    targets = Targets()
    for profile in found:
        if profile.is_supported:
            targets.profiles.append((profile, None))
        else:
            targets.notes.append(
                message("note.gimp-too-old", version=profile.version, folder=profile.folder)
            )
    known = {profile.folder.resolve() for profile in found}
    for profile in remembered:
        if profile.folder.is_dir() and profile.folder.resolve() not in known:
            targets.profiles.append((profile, None))
    if any(profile.generation == 2 for profile, _ in targets.profiles):
        targets.notes.append(message("note.python-2"))
    _add_unstarted_gimps(targets, found, system, environment, home)
    if not targets.profiles:
        package = unstarted_package(system, home)
        targets.notes.append(
            message("note.no-gimp")
            if package is None
            else message("note.gimp-without-profile", package=package)
        )
    return targets


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
    # A sandboxed GIMP keeps its profiles for itself.
    found = [profile for profile in found if profile.folder.parent == parent]
    present = {profile.version for profile in found}
    for gimp in find_gimps(environment, system, home):
        if gimp.version in present:
            continue
        if gimp.console is None and found:
            # GIMP takes over the settings of an older version only while its own folder is absent.
            targets.notes.append(message("note.gimp-never-started", version=gimp.version))
            continue
        targets.profiles.append((Profile(parent / gimp.version, gimp.version), gimp.console))


def _named_profile(folder: Path, known_versions: Mapping[Path, str]) -> Profile:
    folder = folder.expanduser().absolute()
    # GIMP's preferences show the folder inside.
    place = folder.parent if folder.name == "plug-ins" else folder
    profile = profile_of(place, known_versions.get(place.resolve(), "3"))
    if not profile.is_supported:
        raise InstallationError(
            "error.named-profile-too-old", folder=folder, version=profile.version
        )
    return profile


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
