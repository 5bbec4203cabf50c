"""The command `batch`: a whole archive of photos."""

from __future__ import annotations

import argparse
from typing import TypeAlias

from backend.command_choices import add_choices, given_path

# argparse gives this type no public name.
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

EPILOG = """\
OUT receives the results in the folders and under the names of the photos, and:
  manifest.jsonl      a line of JSON for each photo: hashes, options, seconds, error
  contact-sheet.html  before and after in small, and why some photos failed
The same command again goes on where the last one ended: what has a result from
the same content, options and weights is left alone, the rest is tried again.
Ctrl+C stops it at any time.

Hidden files, photos inside OUT, and names that end in -restored are left out.
"""


def add_batch_command(commands: _Commands) -> None:
    """Define `batch`."""
    parser = commands.add_parser(
        "batch",
        help="restore an archive of thousands of photos, with several workers",
        usage="restore-old-photo batch FOLDER -o OUT [choices]",
        description="Restore all photos of a folder and the folders in it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "folder",
        type=given_path,
        metavar="FOLDER",
        help="holds the photos; nothing in it is changed",
    )
    add(
        "-o", dest="output", type=given_path, metavar="OUT", required=True, help="folder of results"
    )
    how = add_choices(parser, takes_mask=False)
    how.add_argument(
        "--workers",
        type=_count,
        metavar="N",
        help="photos to restore at a time (default: what processor and memory bear)",
    )
    how.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let the computers of a Ray cluster work, for example 192.168.0.5:6379 or auto",
    )
    parser.set_defaults(run=_run_batch)


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of workers, like 2")
    return number


def _run_batch(chosen: argparse.Namespace) -> int:
    from backend.batch.run import run_batch

    return run_batch(chosen)
