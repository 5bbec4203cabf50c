"""The command `models`: which networks are here, and how to get, bring and remove some."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias, get_args

from backend.command_choices import given_path
from models.registry import OfficialFile, Stage, WeightSource, official_files, read_manifest

if TYPE_CHECKING:
    from backend.model_list import Model

# argparse gives this type no public name.
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

EPILOG = """\
examples:
  restore-old-photo models list
  restore-old-photo models download official         the original authors' networks, 1.8 GB
  restore-old-photo models import scunet.pth --stage denoising
  restore-old-photo restore photo.jpg --denoising scunet
"""


def add_models_command(commands: _Commands) -> None:
    """Define `models` and its own commands."""
    parser = commands.add_parser(
        "models",
        help="list, download, import, verify and remove networks",
        description="Which networks are here, and how to get, bring and remove some.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    parser.set_defaults(run=show_help)
    actions = parser.add_subparsers(metavar="ACTION", title="actions")
    listing = actions.add_parser("list", help="say what is here, what it serves and its licence")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=_run_list)
    _add_download(actions)
    _add_import(actions)
    removal = actions.add_parser("remove", help="delete an imported or downloaded model")
    removal.add_argument("name", metavar="NAME", help="from 'models list', or 'official' for all")
    removal.set_defaults(run=_run_remove)
    verify = actions.add_parser("verify", help="read models in full and compare their sums")
    verify.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    verify.set_defaults(run=_run_verify)


def _add_download(actions: _Commands) -> None:
    parser = actions.add_parser(
        "download",
        help="get the original authors' networks",
        description="Get the original authors' networks, all or some. Every file is verified and "
        "converted; what is here already is not fetched again, and an interrupted download goes "
        "on where it stopped. Proxies are taken from the environment (https_proxy, no_proxy).",
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="WHAT",
        help="official (all), detection, restoration, faces, or a name from 'models list'",
    )
    parser.add_argument("--yes", action="store_true", help="agree to licence and size beforehand")
    parser.add_argument(
        "--from",
        dest="mirror",
        metavar="URL",
        help="fetch from a server of your own, which holds the files in the published layout",
    )
    parser.set_defaults(run=_run_download)


def _add_import(actions: _Commands) -> None:
    parser = actions.add_parser(
        "import",
        help="use a network from a file that you have",
        description="Use a network from a file that you have: one of the original's checkpoints "
        "(or the folder of them), or one that the Python package spandrel knows. The file itself "
        "is copied and left as it is.",
    )
    parser.add_argument("path", type=given_path, metavar="FILE", help="a weight file, or a folder")
    parser.add_argument(
        "--stage", choices=get_args(Stage), help="what it shall serve (default: what it can)"
    )
    parser.add_argument("--name", help="what to call it (default: the file's name)")
    parser.add_argument(
        "--licence", default="", metavar="TEXT", help="a note about its licence, for 'models list'"
    )
    parser.set_defaults(run=_run_import)


def _run_list(chosen: argparse.Namespace) -> int:
    from backend.model_list import all_models

    models = all_models()
    if chosen.json:
        facts = [{**dataclasses.asdict(model), "path": str(model.path)} for model in models]
        print(json.dumps(facts, indent=2))
        return 0
    _print_table([("NAME", "FROM", "FOR", "STATE", "SIZE", "LICENCE", "NETWORK")])
    _print_table([_row(model) for model in models])
    return 0


def _row(model: Model) -> tuple[str, ...]:
    return (
        model.name,
        model.source,
        ", ".join(model.stages) or "?",
        model.state,
        in_megabytes(model.size_bytes),
        model.licence,
        model.kind,
    )


_WIDTHS = (24, 9, 12, 15, 11, 10, 0)


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    for row in rows:
        cells = [
            cell.rjust(width - 2) + "  " if index == 4 else cell.ljust(width - 1) + " "
            for index, (cell, width) in enumerate(zip(row, _WIDTHS, strict=True))
        ]
        print("".join(cells).rstrip())


def _run_download(chosen: argparse.Namespace) -> int:
    from backend.command_progress import DownloadMeter
    from backend.downloads.official import Downloader
    from models.registry import official_folder

    files = select(chosen.names)
    if chosen.mirror is not None:
        base = chosen.mirror.rstrip("/")
        files = [
            dataclasses.replace(file, sources=(WeightSource(f"{base}/{file.path}"),))
            for file in files
        ]
    downloader = Downloader(official_folder(), DownloadMeter, _say)
    missing = downloader.missing(files)
    if not missing:
        print(f"Nothing is missing: {', '.join(file.spec.network for file in files)}.")
        return 0
    _confirm(missing, chosen.yes)
    downloader.get(files)
    print(f"All is in {official_folder()}; use it with --weights official.")
    return 0


def select(names: Sequence[str]) -> list[OfficialFile]:
    """The official checkpoints that these names mean, in the manifest's order.

    Raises:
        OptionsError: a name means none.
    """
    from backend.errors import OptionsError

    files = official_files()
    for name in names:
        if not any(name in _names_of(file) for file in files):
            known = [file.spec.network for file in files]
            raise OptionsError(
                f"{name!r} cannot be downloaded: choose official, detection, restoration, faces, "
                f"or one of {', '.join(known)}."
            )
    return [file for file in files if any(name in _names_of(file) for name in names)]


def _names_of(file: OfficialFile) -> tuple[str, ...]:
    # A stage is also the name of its own network, and means the stage then.
    return ("official", file.stage, file.spec.network)


def _confirm(missing: Sequence[OfficialFile], agreed: bool) -> None:
    from backend.downloads.official import size_of
    from backend.errors import Cancelled, OptionsError

    official = read_manifest()["official"]
    size = in_megabytes(sum(size_of(file) for file in missing))
    print(
        f"{', '.join(file.spec.network for file in missing)}: {size} to download.\n"
        f"Published with {official['source']} under this licence: {official['licence']}."
    )
    if agreed:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise OptionsError("Nobody can be asked here: add --yes to agree to licence and size.")
    if not _is_agreed("Download? [y/N] "):
        raise Cancelled("Nothing was downloaded.")


def _is_agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _run_import(chosen: argparse.Namespace) -> int:
    from backend.model_import import import_path

    import_path(chosen.path, chosen.stage, chosen.name, chosen.licence, _say)
    return 0


def _run_remove(chosen: argparse.Namespace) -> int:
    from backend.model_list import find_models, remove

    for model in find_models(chosen.name):
        remove(model, _say)
    return 0


def _run_verify(chosen: argparse.Namespace) -> int:
    from backend.model_list import all_models, damage, find_models

    named = [model for name in chosen.names for model in find_models(name)]
    models = {model.name: model for model in (named if chosen.names else all_models())}
    damaged = 0
    for model in models.values():
        if model.state == "not downloaded":
            if chosen.names:
                _say(f"{model.name}: not downloaded")
            continue
        problem = damage(model)
        damaged += problem is not None
        _say(f"{model.name}: {'ok' if problem is None else f'damaged, {problem}'}")
    if damaged:
        print(
            "Remove what is damaged with 'restore-old-photo models remove NAME', then download or "
            "import it again; bundled models come back with the installer.",
            file=sys.stderr,
        )
    return 1 if damaged else 0


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def in_megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
