"""The command line: `restore-old-photo` or `python -m backend`.

torch is imported only by the commands that need it, so that help comes at once.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import TypeAlias, TypeVar

from backend.command_batch import add_batch_command
from backend.command_choices import add_choices, add_threshold, add_weights, given_path
from backend.command_models import add_models_command
from backend.errors import Cancelled, OptionsError, RestorationError, refused
from backend.review.command import add_review_command
from backend.runtime import home_explained, version

# argparse gives these types no public name.
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_Number = TypeVar("_Number", int, float)

PROGRAM = "restore-old-photo"
DESCRIPTION = "Restore old photos on your own machine. Nothing leaves it."
EPILOG = """\
examples:
  restore-old-photo restore grandmother.jpg          writes grandmother-restored.jpg
  restore-old-photo restore album/ -o restored/      all photos of a folder
  restore-old-photo restore scan.tif --no-whole-picture --no-faces
                                                     repairs scratches, leaves all else untouched
  restore-old-photo batch archive/ -o restored/      thousands of photos, in folders and resumable
  restore-old-photo demo                             ages and restores an example

'restore-old-photo COMMAND --help' explains a command. Exit codes: 0 all done,
1 a photo could not be restored, 2 wrong usage, 130 stopped with Ctrl+C.
"""
RESTORE_EPILOG = """\
PNG, JPEG, TIFF and WebP are read and written: gray or RGB, with transparency,
with 8 or 16 bit per channel (JPEG and WebP hold 8). Size, colour profile, EXIF
and resolution are kept. The photo itself is never changed. From a folder only
photos directly inside are taken, and none whose name ends in -restored.
"""
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: arguments without the program's name; None takes the process's.

    Returns:
        The exit code.
    """
    # Threads that wait for each other's work would otherwise spin, which on a computer that does
    # something else at the same time makes everything several times slower. torch reads this once.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        # Names of old archives are not always UTF-8, and are no reason to fail after the work.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    chosen = _parse(argv)
    try:
        command: Callable[[argparse.Namespace], int] = chosen.run
        with _ended_as_by_ctrl_c(), home_explained():
            return command(chosen)
    except BrokenPipeError:
        # What reads the output, such as "head", has seen enough. Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OptionsError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (KeyboardInterrupt, Cancelled):
        print(f"{PROGRAM}: stopped.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except RestorationError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        print(f"{PROGRAM}: {refused(error)}", file=sys.stderr)
        return EXIT_FAILED


def _open_missing_streams() -> None:
    """Whoever closed a stream does not want to read it; the next file must not get its number."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """A closed terminal and a shutdown end a command as Ctrl+C does: nothing half done stays."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []  # only the main thread may choose
    before = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    for number, handler in before.items():
        # What somebody wants to be ignored, as nohup does, stays so.
        if handler == signal.SIG_DFL:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    chosen, unknown = parser.parse_known_args(argv)
    if unknown:
        # The parser of all commands would show its own usage, which does not help here.
        words = [PROGRAM, *([chosen.command] if chosen.command else []), "--help"]
        parser.exit(
            EXIT_USAGE,
            f"{PROGRAM}: {' '.join(unknown)} is not understood: '{' '.join(words)}' shows what "
            "can be said.\n",
        )
    return chosen


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"{PROGRAM} {version()}", help="say the version"
    )

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    parser.set_defaults(run=show_help)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_restore(commands)
    add_batch_command(commands)
    _add_detect(commands)
    demo = commands.add_parser("demo", help="age a public-domain portrait and restore it")
    demo.add_argument(
        "-o",
        dest="output",
        type=given_path,
        default=Path(),
        metavar="DIR",
        help="folder for demo-aged.png and demo-restored.png (default: here)",
    )
    demo.set_defaults(run=_run_demo)
    add_review_command(commands)
    add_models_command(commands)
    doctor = commands.add_parser("doctor", help="say what works and what does not")
    doctor.set_defaults(run=_run_doctor)
    _add_serve(commands)
    return parser


def _add_restore(commands: _Commands) -> None:
    parser = commands.add_parser(
        "restore",
        help="restore photos or folders of photos",
        usage=f"{PROGRAM} restore PHOTO... [-o OUT] [choices]",
        description="Repair scratches, restore the whole picture and enhance faces.",
        epilog=RESTORE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "photos", nargs="+", type=given_path, metavar="PHOTO", help="a photo, or a folder of photos"
    )
    _add_output(parser, "OUT", "file, or folder for several photos (default: <name>-restored)")
    how = add_choices(parser, takes_mask=True)
    how.add_argument(
        "--stages",
        type=given_path,
        metavar="DIR",
        help="also write mask.png, restored.png, face-1.png ... and final.png",
    )
    original = parser.add_argument_group("the original (needs its official weights)")
    original.add_argument(
        "--reference",
        action="store_true",
        help="do step by step what the original program did, with its oddities: sides rounded, "
        "contrast stretched, metadata dropped",
    )
    original.add_argument(
        "--high-resolution", action="store_true", help="the original's --HR; with --reference"
    )
    parser.set_defaults(run=_run_restore)


def _add_detect(commands: _Commands) -> None:
    parser = commands.add_parser(
        "detect",
        help="find scratches and write them as a mask",
        description="Find scratches and write them as a gray picture: white = to be repaired. "
        "Paint in it, and give it to 'restore --mask'.",
    )
    parser.add_argument("photo", type=given_path, metavar="PHOTO")
    _add_output(parser, "MASK", "file to write (default: <name>-scratches.png)")
    add_threshold(parser)
    add_weights(parser)
    parser.set_defaults(run=_run_detect)


def _add_serve(commands: _Commands) -> None:
    parser = commands.add_parser("serve", help="work for GIMP (started by the plug-in)")
    parser.add_argument(
        "--watch-pid", type=_positive(int), metavar="PID", help="end when this process has ended"
    )
    parser.add_argument(
        "--idle-minutes",
        type=_positive(float),
        default=15.0,
        metavar="M",
        help="end after so long without work (default: 15)",
    )
    parser.set_defaults(run=_run_serve)


def _positive(kind: type[_Number]) -> Callable[[str], _Number]:
    """Reads a number above 0."""
    words = "whole number" if kind is int else "number"

    def read(text: str) -> _Number:
        try:
            number = kind(text)
        except ValueError:
            number = kind(0)
        if not 0 < number < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is no {words} above 0: give one, like 15")
        return number

    return read


def _add_output(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    parser.add_argument("-o", dest="output", type=given_path, metavar=name, help=text)


def _run_restore(chosen: argparse.Namespace) -> int:
    from backend.command_restore import run_restore

    return run_restore(chosen)


def _run_detect(chosen: argparse.Namespace) -> int:
    from backend.command_restore import run_detect

    return run_detect(chosen)


def _run_demo(chosen: argparse.Namespace) -> int:
    from backend.demo import run_demo

    return run_demo(chosen.output)


def _run_doctor(_: argparse.Namespace) -> int:
    from backend.doctor import main as say_what_works

    return say_what_works([])


def _run_serve(chosen: argparse.Namespace) -> int:
    from backend.server import serve

    serve(watch_pid=chosen.watch_pid, idle_minutes=chosen.idle_minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
