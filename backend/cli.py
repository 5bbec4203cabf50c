"""The command line: `restore-old-photo` or `python -m backend`.

torch is imported only by the commands that need it, so that help comes at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from backend.command_models import add_models_command
from backend.errors import Cancelled, OptionsError, RestorationError
from backend.review.command import add_review_command

# argparse gives these types no public name.
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_Container: TypeAlias = argparse._ActionsContainer

PROGRAM = "restore-old-photo"
DESCRIPTION = "Restore old photos on your own machine. Nothing leaves it."
EPILOG = """\
examples:
  restore-old-photo restore grandmother.jpg          writes grandmother-restored.jpg
  restore-old-photo restore album/ -o restored/      all photos of a folder
  restore-old-photo restore scan.tif --no-whole-picture --no-faces
                                                     repairs scratches, leaves all else untouched
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
    parser = make_parser()
    chosen = parser.parse_args(argv)
    if chosen.command is None:
        parser.print_help()
        return 0
    try:
        command: Callable[[argparse.Namespace], int] = chosen.run
        return command(chosen)
    except OptionsError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (KeyboardInterrupt, Cancelled):
        print(f"{PROGRAM}: stopped.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except RestorationError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return EXIT_FAILED


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_restore(commands)
    _add_detect(commands)
    demo = commands.add_parser("demo", help="age a public-domain portrait and restore it")
    demo.add_argument(
        "-o",
        dest="output",
        type=Path,
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
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="a photo, or a folder of photos")
    _add_output(parser, "OUT", "file, or folder for several photos (default: <name>-restored)")
    what = parser.add_argument_group("what to do")
    what.add_argument(
        "--scratches",
        choices=("automatic", "mask", "none"),
        default="automatic",
        help="repair what is found, together with the mask if there is one (automatic, the "
        "default), only what the mask shows (mask), or nothing (none)",
    )
    what.add_argument("--mask", type=Path, metavar="MASK", help="picture: white = repair this")
    _add_threshold(what)
    what.add_argument(
        "--no-whole-picture",
        dest="whole_picture",
        action="store_false",
        help="leave everything outside scratches and faces as it is, to the last bit",
    )
    what.add_argument(
        "--no-cleaning",
        dest="cleaning",
        action="store_false",
        help="keep grain, blur and JPEG blocks of the whole picture",
    )
    what.add_argument(
        "--no-tone",
        dest="tone",
        action="store_false",
        help="keep fading, shading and colour casts of the whole picture",
    )
    what.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="S",
        help="share of cleaning and tone that is applied outside scratches, 0 to 1 (default: 1)",
    )
    what.add_argument(
        "--no-faces", dest="enhance_faces", action="store_false", help="do not look for faces"
    )
    how = parser.add_argument_group("how")
    _add_weights(how)
    _add_models(parser)
    how.add_argument(
        "--memory",
        type=_gigabytes,
        metavar="GB",
        help="most memory for a picture's intermediate results (default: most of what is free)",
    )
    how.add_argument(
        "--stages",
        type=Path,
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
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    _add_output(parser, "MASK", "file to write (default: <name>-scratches.png)")
    _add_threshold(parser)
    _add_weights(parser)
    parser.set_defaults(run=_run_detect)


def _add_serve(commands: _Commands) -> None:
    parser = commands.add_parser("serve", help="work for GIMP (started by the plug-in)")
    parser.add_argument(
        "--watch-pid", type=int, metavar="PID", help="end when this process has ended"
    )
    parser.add_argument(
        "--idle-minutes",
        type=float,
        default=15.0,
        metavar="M",
        help="end after so long without work (default: 15)",
    )
    parser.set_defaults(run=_run_serve)


def _add_output(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    parser.add_argument("-o", dest="output", type=Path, metavar=name, help=text)


def _add_threshold(parser: _Container) -> None:
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="probability from 0 to 1 from which a pixel counts as scratched; less finds more "
        "(default: what suits the weights)",
    )


def _add_weights(parser: _Container) -> None:
    parser.add_argument(
        "--weights",
        metavar="SET",
        help="bundled (default), official, or a folder in the official layout",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps", "xpu"),
        default="auto",
        help="where to compute (default: auto: cuda where there is one, else cpu; mps and xpu "
        "have not been tried by anybody yet)",
    )


def _add_models(parser: argparse.ArgumentParser) -> None:
    models = parser.add_argument_group("models of your own (see 'restore-old-photo models import')")
    add = models.add_argument
    add(
        "--inpainting", metavar="NAME", help="fill scratches with this model before the restoration"
    )
    add("--denoising", metavar="NAME", help="restore the whole picture with this model instead")
    add("--faces", metavar="NAME", help="enhance faces with this model instead")
    add("--enlarge", metavar="NAME", help="enlarge the result with this model, as much as it does")


def _gigabytes(text: str) -> int:
    """Bytes of a number of gigabytes."""
    try:
        return int(float(text) * 1e9)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no number of gigabytes, like 4") from error


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
