"""Which files make the installed plug-in, and how they get into a GIMP profile.

<profile>/plug-ins/restore-old-photo/
    restore-old-photo.py            executable; GIMP starts the file named like its folder
    restore_old_photo_gimp3/        the host: all that touches libgimp; _gimp2 in a profile of 2.10
    restore_old_photo_shared/       plugin/shared under a name that no other plug-in has
    locale/de/LC_MESSAGES/...       the compiled catalogue of each language
    installation.json               which backend belongs to it; launcher.py reads it
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

PLUGIN_NAME = "restore-old-photo"
SHARED_NAME = "restore_old_photo_shared"
HOST_OF_GIMP_2 = "restore_old_photo_gimp2"
_HERE = Path(__file__).resolve().parent
LOCALE = _HERE / "locale"


def plugin_files(generation: int = 3) -> dict[str, Path]:
    """The installed plug-in's files but installation.json: each place, and its origin here.

    Args:
        generation: of GIMP; 2 stands for 2.10.
    """
    entry = _HERE / f"gimp{generation}" / PLUGIN_NAME
    files = {path.relative_to(entry).as_posix(): path for path in _sources(entry)}
    shared = _HERE / "shared"
    for path in _sources(shared):
        files[f"{SHARED_NAME}/{path.relative_to(shared).as_posix()}"] = path
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/*.mo")):
        files[f"locale/{path.relative_to(LOCALE).as_posix()}"] = path
    return files


def catalogue_file(language: str) -> Path:
    """A language's compiled catalogue; it is kept with the sources, so that copying is enough."""
    return LOCALE / language / "LC_MESSAGES" / f"{PLUGIN_NAME}.mo"


def _sources(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]


def install_plugin(
    target_folder: Path, installation: Mapping[str, str], generation: int = 3
) -> list[Path]:
    """Put the plug-in into a profile, or replace an older one, in one step.

    Args:
        target_folder: the profile's folder for plug-ins, for example
            ``~/.config/GIMP/3.0/plug-ins``; it is made if it is missing.
        installation: what installation.json says: "python" (the environment's interpreter),
            "home" (the data folder) and "version".
        generation: of the GIMP whose profile it is; 2 stands for 2.10.

    Returns:
        The installed files.

    Raises:
        OSError: the folder cannot be written; an older plug-in is still in place.
    """
    target = target_folder / PLUGIN_NAME
    # GIMP looks only for files named like their folder, so it never starts one of these two.
    staging = target_folder / f".{PLUGIN_NAME}.incomplete"
    previous = target_folder / f".{PLUGIN_NAME}.previous"
    remove_plugin(staging)
    for place, origin in plugin_files(generation).items():
        copy = staging / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Not copy2: GIMP asks a script again what it offers only when its time has changed.
        shutil.copyfile(origin, copy)
    record = json.dumps(dict(installation), indent=2, sort_keys=True)
    (staging / "installation.json").write_text(record + "\n", encoding="utf-8")
    (staging / f"{PLUGIN_NAME}.py").chmod(0o755)
    remove_plugin(previous)
    if target.exists() or target.is_symlink():
        target.replace(previous)
    staging.replace(target)
    remove_plugin(previous)
    return [path for path in sorted(target.rglob("*")) if path.is_file()]


def remove_plugin(folder: Path) -> None:
    """Delete an installed plug-in's folder; a link is deleted, never what it points to."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


if __name__ == "__main__":
    # For developers: python -m plugin.layout PLUG-INS-FOLDER [2]
    for installed in install_plugin(
        Path(sys.argv[1]),
        {"python": sys.executable, "home": "", "version": "checkout"},
        int(sys.argv[2]) if len(sys.argv) > 2 else 3,
    ):
        print(installed)
