"""Which profiles received the plug-in: profiles.json in the data folder.

They may lie where nobody would look, so that the installer and `doctor` both read it. Standard
library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from plugin.layout import HOST_OF_GIMP_2, PLUGIN_NAME
from plugin.profiles import Profile, profile_of

_VERSION = re.compile(r"\d+(\.\d+)?")


def remembered_profiles(data: Path) -> list[Profile]:
    """The profiles that received the plug-in; they may be gone by now.

    Args:
        data: the data folder; it need not exist.
    """
    try:
        entries = json.loads(_file(data).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    found = map(_remembered, entries if isinstance(entries, list) else [])
    return [profile for profile in found if profile is not None]


def remember_profiles(data: Path, profiles: Iterable[Profile]) -> None:
    """Note where the plug-in goes, so that it is updated and taken away there, too.

    Raises:
        OSError: the data folder cannot be written.
    """
    known = {profile.folder: profile for profile in [*remembered_profiles(data), *profiles]}
    # The version, too: it may come from a variable that is not set the next time.
    entries = [{"folder": str(p.folder), "version": p.version} for p in known.values()]
    _file(data).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _file(data: Path) -> Path:
    return data / "profiles.json"


def _remembered(entry: Any) -> Profile | None:
    """The profile of an entry in the file; None where it is none."""
    # Earlier installers wrote the folder alone.
    facts = entry if isinstance(entry, dict) else {"folder": entry}
    folder, version = facts.get("folder"), facts.get("version")
    if not isinstance(folder, str):
        return None
    if isinstance(version, str) and _VERSION.fullmatch(version):
        return Profile(Path(folder), version)
    # Only the plug-in for GIMP 2.10 has this host.
    host = Path(folder, "plug-ins", PLUGIN_NAME, HOST_OF_GIMP_2)
    return profile_of(Path(folder), "2.10" if host.is_dir() else "3")
