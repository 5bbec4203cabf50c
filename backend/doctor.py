"""`restore-old-photo doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backend.errors import RestorationError
from models.registry import (
    WeightFileError,
    bundled_files,
    data_folder,
    official_files,
    official_folder,
    read_manifest,
)
from models.stored import is_sound, official_state, sha256_of
from plugin.profiles import Gimp, Profile, find_gimps, find_profiles, plugin_fault
from plugin.remembered import remembered_profiles
from plugin.shared.errors import PluginError
from plugin.shared.installation import Installation
from plugin.shared.launcher import find_running

State = Literal["ok", "not ok", "-"]

_INSTALL = 'run "python3 -m installer" in the folder of Restore Old Photo'
_PROCEDURE = "plug-in-restore-old-photo"
_QUESTION = (
    "import gi; gi.require_version('Gimp', '3.0'); from gi.repository import Gimp; "
    f"print('DOCTOR', bool(Gimp.get_pdb().procedure_exists('{_PROCEDURE}')), flush=True)"
)
# Without it the entry is missing, and GIMP 2.10 cannot be asked for the reason.
_PYTHON_2_NOTE = "; it needs GIMP's own Python 2.7"
# GIMP asks all its plug-ins at its first start.
_GIMP_SECONDS = 120


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes:
        subject: what was looked at.
        state: "ok", "not ok", or "-" for something optional that is not there.
        detail: what was found; for "not ok" with the thing to do.
        is_essential: whether restoring a photo from the command line needs it.
    """

    subject: str
    state: State
    detail: str
    is_essential: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns 0 when everything essential works."""
    argparse.ArgumentParser(
        prog="restore-old-photo doctor", description="Say what works and what does not."
    ).parse_args(argv)
    works = True
    for check in all_checks():
        print(f"{check.state:<7} {check.subject:<18} {check.detail}", flush=True)
        works = works and not (check.is_essential and check.state == "not ok")
    print("Photos can be restored." if works else "Photos cannot be restored yet, see above.")
    return 0 if works else 1


def all_checks() -> Iterator[Check]:
    """Look at everything, one after the other."""
    yield check_python()
    yield _guarded("torch", check_torch)
    yield _guarded("face detection", check_faces)
    yield _guarded("bundled weights", check_bundled_weights)
    yield check_official_weights()
    data = data_folder().absolute()
    yield check_data_folder(data)
    yield check_backend(data)
    yield from check_gimp(known_profiles(data), find_gimps(os.environ), data)


def check_python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < (3, 10):  # noqa: UP036  It may have been started with any Python.
        return Check("Python", "not ok", f"{version} is older than 3.10: {_INSTALL}.", True)
    return Check("Python", "ok", f"{version}, {sys.executable}", True)


def check_torch() -> Check:
    import torch

    # A build for another processor imports, but ends here.
    torch.ones(8, 8).matmul(torch.ones(8, 8))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return Check("torch", "ok", f"{torch.__version__} on {device}", True)


def check_faces() -> Check:
    """dlib's detector, and the landmark model by its published sum."""
    import dlib

    from backend.face_finder import FaceFinder, landmark_model_path

    path = landmark_model_path()
    if sha256_of(path) != read_manifest()["landmarks"]["sha256"]:
        return Check("face detection", "not ok", f"{path} is damaged: {_INSTALL}.", True)
    FaceFinder()
    return Check("face detection", "ok", f"dlib {dlib.__version__} with 68 landmarks", True)


def check_bundled_weights() -> Check:
    """Every network of the bundled weights is read as for a restoration."""
    from models.loading import bundled_weights

    weights = bundled_weights()
    networks = list(bundled_files())
    for network in networks:
        weights.load(network)
    size = sum(path.stat().st_size for path in bundled_files().values())
    detail = f"{len(networks)} networks in {size / 2**20:.1f} MiB"
    return Check("bundled weights", "ok", detail, True)


def check_official_weights(folder: Path | None = None) -> Check:
    """The original's checkpoints, which are optional, by their published sums."""
    folder = official_folder() if folder is None else folder
    files = official_files()
    present = [file for file in files if official_state(file, folder) != "not downloaded"]
    if not present:
        return Check("official weights", "-", f"none in {folder}; they are optional")
    damaged = [file.path for file in present if not is_sound(file, folder)]
    if damaged:
        detail = f"{', '.join(damaged)} differs from what was published: get it again, see models."
        return Check("official weights", "not ok", detail)
    return Check("official weights", "ok", f"{len(present)} of {len(files)} files in {folder}")


def check_data_folder(folder: Path) -> Check:
    """Whether the data folder can be written, or made where it is missing."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        detail = (
            f"{folder} cannot be written ({error.strerror}): make it writable for you, or set "
            "RESTORE_OLD_PHOTO_HOME to another folder."
        )
        return Check("data folder", "not ok", detail)
    if (folder / "installation.incomplete").exists():
        return Check("data folder", "not ok", f"the installation is incomplete: {_INSTALL}.")
    return Check("data folder", "ok", str(folder))


def check_backend(folder: Path) -> Check:
    """Whether the process that serves GIMP is running; it need not be."""
    installation = Installation(sys.executable, str(folder))
    try:
        client = find_running(installation, os.environ)
        if client is None:
            return Check("backend", "-", "not running; GIMP starts it when it needs it")
        health = client.health()
    except PluginError as error:
        return Check("backend", "not ok", str(error))
    state: State = "ok" if health.status in ("ready", "loading") else "not ok"
    detail = f"{health.status}, version {health.version}, process {health.pid}"
    return Check("backend", state, f"{detail}; {health.detail}" if health.detail else detail)


def known_profiles(data: Path) -> list[Profile]:
    """Profiles in GIMP's usual places, and those that the installer was told of."""
    profiles = find_profiles()
    known = {profile.folder.resolve() for profile in profiles}
    for profile in remembered_profiles(data):
        if profile.folder.is_dir() and profile.folder.resolve() not in known:
            profiles.append(profile)
    return profiles


def check_gimp(profiles: Iterable[Profile], gimps: Iterable[Gimp], data: Path) -> Iterator[Check]:
    """The plug-in in each profile, and GIMP's own word on it where GIMP can be asked."""
    profiles = list(profiles)
    installation = _installation(data)
    if not any(profile.is_supported for profile in profiles):
        yield Check("GIMP", "-", "no profile of GIMP found; the command line works without")
    for profile in profiles:
        subject = f"GIMP {profile.version}"
        if not profile.is_supported:
            yield Check(subject, "-", f"{profile.folder} is too old; GIMP 2.10 or 3 is needed")
            continue
        fault = plugin_fault(profile, installation)
        if fault is None:
            note = _PYTHON_2_NOTE if profile.generation == 2 else ""
            yield Check(subject, "ok", f"plug-in in {profile.plug_ins}{note}")
        else:
            detail = f"plug-in in {profile.plug_ins}: {fault}; {_INSTALL}."
            yield Check(subject, "not ok", detail)
    for gimp in gimps:
        if gimp.console is not None and any(p.version == gimp.version for p in profiles):
            yield ask_gimp(gimp.console)


def ask_gimp(console: Path) -> Check:
    """Start a GIMP without windows and ask it for the plug-in's procedure."""
    command = [str(console), "--no-interface", "--batch-interpreter=python-fu-eval"]
    try:
        answer = subprocess.run(
            [*command, "--batch", _QUESTION, "--quit"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=_GIMP_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check(console.name, "not ok", f"it does not start ({error}): start GIMP by hand.")
    if "DOCTOR True" in answer.stdout:
        return Check(console.name, "ok", f"knows {_PROCEDURE}")
    if "DOCTOR False" in answer.stdout:
        detail = f"does not know {_PROCEDURE}: {_INSTALL}, and look at what GIMP prints."
        return Check(console.name, "not ok", detail)
    return Check(console.name, "-", "runs no Python here, so it could not be asked")


def _guarded(subject: str, check: Callable[[], Check]) -> Check:
    """The check's result; whatever a broken package raises becomes a line of the table."""
    try:
        return check()
    except (WeightFileError, RestorationError) as error:
        return Check(subject, "not ok", str(error), True)
    # Broken binary packages raise nearly anything, and the table must be complete.
    except Exception as error:
        detail = f"does not work ({type(error).__name__}: {error}): {_INSTALL}."
        return Check(subject, "not ok", detail, True)


def _installation(data: Path) -> dict[str, Any]:
    try:
        facts = json.loads((data / "installation.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
