"""What `restore` and `batch` let the user choose alike: the options, and how they are read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from backend.errors import OptionsError
from backend.options import Options

# argparse gives this type no public name.
_Container: TypeAlias = argparse._ActionsContainer


def add_choices(parser: argparse.ArgumentParser, *, takes_mask: bool) -> _Container:
    """Define the choices about a restoration.

    Args:
        parser: of the command.
        takes_mask: the user can name a mask, which belongs to one photo.

    Returns:
        The group "how", for what else the command can be told.
    """
    what = parser.add_argument_group("what to do")
    _add_scratches(what, takes_mask)
    add_threshold(what)
    what.add_argument(
        "--no-whole-picture",
        dest="whole_picture",
        action="store_false",
        help="leave everything outside scratches and faces as it is, to the last bit (a JPEG is "
        "compressed anew: name a .png or .tif after -o)",
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
    what.add_argument(
        "--face-strength",
        type=float,
        default=1.0,
        metavar="S",
        help="share of the enhancement of faces that is applied, 0 to 1 (default: 1)",
    )
    how = parser.add_argument_group("how")
    add_weights(how)
    _add_models(parser)
    how.add_argument(
        "--memory",
        type=_gigabytes,
        metavar="GB",
        help="most memory for intermediate results of the original's weights (default: most of "
        "what is free); the bundled ones keep none",
    )
    return how


def read_choices(chosen: argparse.Namespace, default_weights: str = "bundled") -> Options:
    """The options that were chosen.

    Raises:
        OptionsError: one is out of range, or they exclude each other.
    """
    options = Options(
        scratches=chosen.scratches,
        threshold=chosen.threshold,
        whole_picture=chosen.whole_picture,
        cleaning=chosen.cleaning,
        tone=chosen.tone,
        strength=chosen.strength,
        enhance_faces=chosen.enhance_faces,
        face_strength=chosen.face_strength,
        weights=default_weights if chosen.weights is None else chosen.weights,
        inpainting=chosen.inpainting,
        denoising=chosen.denoising,
        faces=chosen.faces,
        enlargement=chosen.enlarge,
        device=chosen.device,
        memory_bytes=chosen.memory,
    )
    changes_whole = options.whole_picture and (
        options.cleaning or options.tone or options.denoising is not None
    )
    changes_whole = changes_whole or options.enlargement is not None
    if not changes_whole and not options.enhance_faces and options.scratches == "none":
        raise OptionsError("Nothing is left to do: leave one of the restrictions away.")
    return options


def _add_scratches(what: _Container, takes_mask: bool) -> None:
    if not takes_mask:
        what.add_argument(
            "--scratches",
            choices=("automatic", "none"),
            default="automatic",
            help="repair what is found (automatic, the default), or nothing (none)",
        )
        return
    what.add_argument(
        "--scratches",
        choices=("automatic", "mask", "none"),
        default="automatic",
        help="repair what is found, together with the mask if there is one (automatic, the "
        "default), only what the mask shows (mask), or nothing (none)",
    )
    what.add_argument(
        "--mask", type=given_path, metavar="MASK", help="picture: white = repair this"
    )


def add_threshold(parser: _Container) -> None:
    """The option that `detect` has, too."""
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="probability from 0 to 1 from which a place counts as damaged; less finds more "
        "(default: what suits the weights)",
    )


def add_weights(parser: _Container) -> None:
    """Which weights, and where they run."""
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


def given_path(text: str) -> Path:
    """A path from the command line; an unset variable of a script is not the folder one is in."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name is no file: name one")
    return Path(text)


def _gigabytes(text: str) -> int:
    """Bytes of a number of gigabytes."""
    try:
        return int(float(text) * 1e9)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no number of gigabytes, like 4") from error
