"""The installer's command line: say what will happen, ask once, do it, restore a photo."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from installer.console import ConsoleReport, is_agreed, say, show_plan
from installer.errors import InstallationError, unforeseen
from installer.interpreter import check_user
from installer.launcher import command_for
from installer.machine import look_at_machine
from installer.messages import size_text
from installer.offline import OfflineFolder, fill
from installer.pip import this_platform
from installer.plan import Choices, Plan, check, install, make_plan, remove
from installer.report import StoppedError
from models.registry import data_folder

_STOPPED_STATUS = 130

_EXCLUDING = (
    ("window", "dry_run"),
    ("window", "remove"),
    ("window", "fill_offline"),
    ("offline", "fill_offline"),
    ("offline", "torch_index"),
    ("remove", "fill_offline"),
    ("remove", "offline"),
    ("remove", "gimp_profile"),
    ("remove", "repair"),
)
"""Options of which one would be left out of account."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the installer; `arguments` as in `sys.argv[1:]`. Returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # Names of old archives are not always UTF-8.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parse(arguments)
    try:
        return _run(options)
    except InstallationError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # What reads along, such as "head", has seen enough. Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"Error: {unforeseen(error)}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, StoppedError):
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return _STOPPED_STATUS


def _run(options: argparse.Namespace) -> int:
    if options.photo is not None and not options.photo.is_file():
        raise InstallationError("error.no-photo", photo=options.photo)
    if options.fill_offline is not None:
        return _fill(options)
    choices = Choices(
        # A removal knows by itself where the plug-in was put.
        None if options.remove else options.gimp_profile or None,
        options.torch_index,
        options.offline,
        options.repair,
    )
    if options.window:
        # Here, because the window's parts are of no use to a terminal.
        from installer.window.display import open_window
        from installer.window.session import Wishes

        path = os.environ.get("PATH", "")
        photo = _place_of(options.photo) if options.photo is not None else None
        return open_window(Wishes(choices, photo, not options.no_demo, path))
    report = ConsoleReport()
    plan = make_plan(choices, report)
    if options.remove:
        return _remove(plan, report, options)
    return _install(plan, report, options)


def _install(plan: Plan, report: ConsoleReport, options: argparse.Namespace) -> int:
    show_plan(plan)
    check(plan)
    if options.dry_run:
        say("Dry run: nothing was changed.")
        return 0
    if plan.state != "complete":
        if not is_agreed("Go on?", options.yes):
            return 0
        install(plan, report)
    status = 0 if options.no_demo and options.photo is None else _show(plan, options.photo)
    _say_what_next(plan)
    return status


def _show(plan: Plan, photo: Path | None) -> int:
    """Restore the user's photo, or the example."""
    # Absolute paths, so that the program's last line says where the result lies.
    task = (
        ["demo", "-o", str(Path.cwd() / "restored")]
        if photo is None
        else ["restore", str(_place_of(photo))]
    )
    say("\nRestoring " + ("an example photo" if photo is None else str(photo)))
    status = subprocess.call([str(plan.program), *task])
    if status != 0:
        raise InstallationError("error.photo-not-restored", program=plan.program)
    return status


def _place_of(photo: Path) -> Path:
    """Its whole path, without the ".." of where it was called from; a link stays one."""
    return photo.parent.resolve() / photo.name


def _say_what_next(plan: Plan) -> None:
    command = command_for(plan.program, plan.launcher, os.environ.get("PATH", ""))
    say(f"\nReady. Restore a photo:  {command} restore PHOTO")
    if plan.plugins:
        say("In GIMP (start it anew):  Filters > Restore Old Photo > Restore...")
    say(f"If something is wrong:   {command} doctor")


def _remove(plan: Plan, report: ConsoleReport, options: argparse.Namespace) -> int:
    present = [step for step in plan.steps if plan.conditions[step.key] != "absent"]
    if not present and not plan.data.exists():
        say("Nothing of Restore Old Photo is installed.")
        return 0
    say("This removes:")
    for step in reversed(present):
        say(f"  - {step.title}" + (f", in {step.place}" if step.place is not None else ""))
    if options.dry_run:
        say("Dry run: nothing was removed.")
        return 0
    if not is_agreed("Remove all this?", options.yes, must_answer=True):
        return 1 if sys.stdin is None or not sys.stdin.isatty() else 0
    check_user(os.environ)
    remove(plan, report)
    kept = plan.data.is_dir() and any(plan.data.iterdir())
    say("Removed." + (f" {plan.data} still holds your own files." if kept else ""))
    return 0


def _fill(options: argparse.Namespace) -> int:
    folder = OfflineFolder(options.fill_offline.resolve())
    machine = look_at_machine()
    cost = machine.torch_cost.download_bytes
    say(
        f"This fills {folder.path} for machines of this kind ({this_platform()}), with torch for "
        f"{machine.name}: about {size_text(cost + 300_000_000)}."
    )
    if options.dry_run:
        say("Dry run: nothing was changed.")
        return 0
    if not is_agreed("Go on?", options.yes):
        return 0
    fill(folder, machine, options.torch_index, data_folder(), ConsoleReport())
    say(
        f"\nReady. Take {folder.path} and the folder of Restore Old Photo to the other machine "
        "and run there:\n  python3 -m installer --offline FOLDER"
    )
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m installer",
        description="Set up Restore Old Photo for this user: a Python environment of its own, the "
        "command line, the plug-in in every GIMP found. It can be repeated at any time: it "
        "updates, and it finishes or repairs what is not whole.",
    )
    add = parser.add_argument
    add("photo", nargs="?", type=Path, metavar="PHOTO", help="a photo to restore at the end")
    add("--yes", action="store_true", help="do not ask")
    add("--dry-run", action="store_true", help="say what would be done")
    add("--window", action="store_true", help="do it in a window or the browser")
    add(
        "--gimp-profile",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="install the plug-in into this profile instead of those found; may be repeated",
    )
    add("--no-demo", action="store_true", help="restore no example at the end")
    add(
        "--torch-index",
        metavar="URL",
        help="package index to take torch from, to choose another build than the suitable one",
    )
    add(
        "--offline",
        type=Path,
        metavar="FOLDER",
        help="install without network from a folder that --fill-offline made",
    )
    add(
        "--fill-offline",
        type=Path,
        metavar="FOLDER",
        help="only fetch into FOLDER what a machine of the same kind needs for --offline",
    )
    add("--repair", action="store_true", help="look at every byte of what is installed")
    add("--remove", action="store_true", help="take everything away again")
    options = parser.parse_args(arguments)
    for one, other in _EXCLUDING:
        if getattr(options, one) and getattr(options, other):
            names = ("--" + name.replace("_", "-") for name in (one, other))
            parser.error("{} and {} exclude each other: leave one of them away".format(*names))
    return options
