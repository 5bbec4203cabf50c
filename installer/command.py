"""The installer's command line: say what will happen, ask once, do it, restore a photo."""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from installer.backend_process import stop_backend
from installer.environment import Environment
from installer.errors import InstallationError
from installer.gimp import PluginStep, find_targets
from installer.launcher import PROGRAM, LauncherStep, RecordStep, command_for, has_launcher
from installer.packages import EnvironmentStep, ProjectStep, TorchStep
from installer.project import project_version
from installer.steps import Marker, Step, run_steps, undo_steps
from models.registry import data_folder

_STOPPED_STATUS = 130

# Whoever reads along in a file or a pipe sees each line at once, in the right order with pip's.
say = functools.partial(print, flush=True)


@dataclass(frozen=True)
class Plan:
    """All that an installation consists of."""

    steps: list[Step]
    notes: list[str]
    marker: Marker
    data: Path
    program: Path
    launcher: LauncherStep | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the installer; `arguments` as in `sys.argv[1:]`. Returns the exit status."""
    options = _parse(arguments)
    try:
        if options.photo is not None and not options.photo.is_file():
            raise InstallationError(
                f"There is no photo {options.photo}: give the path of a picture file, or none to "
                "see an example."
            )
        plan = make_plan(options)
        if options.remove:
            return _remove(plan, options)
        return _install(plan, options)
    except InstallationError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        print(
            f"Error: the installer cannot use{where} ({error.strerror or error}): mend that, then "
            "run this again.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return _STOPPED_STATUS


def make_plan(options: argparse.Namespace) -> Plan:
    """Look at the machine and list the steps; changes nothing."""
    data = data_folder().absolute()
    home = Path.home()
    environment = Environment(data / "environment", data / "install.log", say)
    installation = {
        "python": str(environment.python),
        "home": str(data),
        "version": project_version(),
    }
    steps: list[Step] = [
        EnvironmentStep(environment),
        TorchStep(environment, options.torch_index),
        ProjectStep(environment),
    ]
    program = environment.program(PROGRAM)
    launcher = LauncherStep(program, home) if has_launcher() else None
    if launcher is not None:
        steps.append(launcher)
    targets = find_targets(options.gimp_profile, sys.platform, os.environ, home)
    steps += [PluginStep(profile, installation, console) for profile, console in targets.profiles]
    steps.append(RecordStep(data / "installation.json", installation))
    marker = Marker(data / "installation.incomplete")
    return Plan(steps, targets.notes, marker, data, program, launcher)


def _install(plan: Plan, options: argparse.Namespace) -> int:
    pending = [step for step in plan.steps if not step.is_done()]
    if pending:
        say(f"Restore Old Photo {project_version()} sets up:")
        for step in pending:
            say(f"  - {step.title}")
    else:
        say(f"Restore Old Photo {project_version()} is set up already.")
    for note in plan.notes:
        say(f"Note: {note}")
    if any(isinstance(step, TorchStep | ProjectStep) for step in pending):
        say(
            "It downloads about 0.5 GB, or 3 GB where pip chooses a torch with CUDA "
            "(see --torch-index).\n"
            "Faces are found with dlib's 68-landmark model; the photos it was trained on "
            "(iBUG 300-W) exclude commercial use."
        )
    if options.dry_run:
        say("Dry run: nothing was changed.")
        return 0
    if pending and not _is_agreed("Go on?", options.yes):
        return 0
    if pending or plan.marker.read() is not None:
        stop_backend(plan.data)
        # The record says that all is in place: it goes first and comes back last.
        plan.steps[-1].undo()
        run_steps(plan.steps, plan.marker, say)
    status = 0 if options.no_demo and options.photo is None else _show(plan, options.photo)
    _say_what_next(plan)
    return status


def _show(plan: Plan, photo: Path | None) -> int:
    """Restore the user's photo, or the example."""
    # Absolute paths, so that the program's last line says where the result lies.
    task = (
        ["demo", "-o", str(Path.cwd() / "restored")]
        if photo is None
        else ["restore", str(photo.absolute())]
    )
    say("\nRestoring " + ("an example photo" if photo is None else str(photo)))
    status = subprocess.call([str(plan.program), *task])
    if status != 0:
        raise InstallationError(
            "The installation is complete, but the photo was not restored (the reason stands "
            f'above): run "{plan.program} doctor" to see what is wrong.'
        )
    return status


def _say_what_next(plan: Plan) -> None:
    command = command_for(plan.program, plan.launcher, os.environ.get("PATH", ""))
    say(f"\nReady. Restore a photo:  {command} restore PHOTO")
    if any(isinstance(step, PluginStep) for step in plan.steps):
        say("In GIMP (start it anew):  Filters > Restore Old Photo > Restore...")
    say(f"If something is wrong:   {command} doctor")


def _remove(plan: Plan, options: argparse.Namespace) -> int:
    for step in reversed(plan.steps):
        say(f"  - {step.title}")
    if options.dry_run:
        say("Dry run: nothing was removed.")
        return 0
    if not _is_agreed("Remove all this?", options.yes):
        return 0
    stop_backend(plan.data)
    undo_steps(plan.steps, plan.marker, say)
    shutil.rmtree(plan.data / "run", ignore_errors=True)
    (plan.data / "install.log").unlink(missing_ok=True)
    if plan.data.exists() and not any(plan.data.iterdir()):
        plan.data.rmdir()
    say("Removed." + (f" {plan.data} still holds your own files." if plan.data.exists() else ""))
    return 0


def _is_agreed(question: str, yes: bool) -> bool:
    # Without a terminal nobody can answer, and whoever scripts the command has decided already.
    if yes or not sys.stdin.isatty():
        return True
    return input(f"{question} [Y/n] ").strip().lower() in ("", "y", "yes")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m installer",
        description="Set up Restore Old Photo for this user: a Python environment of its own, the "
        "command line, the plug-in in every GIMP found. It can be repeated at any time.",
    )
    parser.add_argument(
        "photo", nargs="?", type=Path, metavar="PHOTO", help="a photo to restore at the end"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument(
        "--gimp-profile",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="install the plug-in into this profile instead of those found; may be repeated",
    )
    parser.add_argument("--no-demo", action="store_true", help="restore no example at the end")
    parser.add_argument(
        "--torch-index",
        metavar="URL",
        help="package index to take torch from, to choose its CPU build or one for a CUDA version",
    )
    parser.add_argument("--remove", action="store_true", help="take everything away again")
    return parser.parse_args(arguments)
