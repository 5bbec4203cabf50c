"""Bring a weight file of the user's own into the data folder."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from backend.downloads.official import check_space, convert, only_one
from backend.downloads.transfer import disk_error
from backend.errors import InputError, OptionsError, WeightsError
from models.registry import OfficialFile, Stage, WeightFileError, official_files, official_folder
from models.stored import (
    NAME,
    ImportedModel,
    imported_folder,
    imported_models,
    is_sound,
    official_state,
    read_record,
    record_path,
    sha256_of,
    stored_path,
    write_record,
)

GROUPS = frozenset({"all", "bundled", "imported", "official"})
"""Words that stand for several models."""

SUFFIXES = (".pt", ".pth", ".ckpt", ".safetensors")


def import_path(
    path: Path,
    stage: Stage | None,
    name: str | None,
    licence: str,
    say: Callable[[str], object],
) -> None:
    """Take over a file, or all the original's checkpoints in a folder; `path` stays as it is.

    Args:
        path: one of the original's checkpoints, a folder with some in their published layout, or
            a file with a network that spandrel knows.
        stage: what it shall serve; None takes the one that it can serve.
        name: what to call it; None takes the file's name. Not for official checkpoints.
        licence: what to note about its licence.
        say: gets a sentence about each model, as soon as it is here.

    Raises:
        InputError: there is nothing to import, or it does not fit the stage.
        OptionsError: the name is none, or taken.
        WeightsError: the file is damaged, or of an unknown network.
        DownloadError: the disk is full or cannot be written.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: name a weight file or a folder with some.")
    if not path.is_file() and not path.is_dir():
        raise InputError(f"{path} is a pipe or a device: name a weight file or a folder with some.")
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is no weight file: name one that ends in {', '.join(SUFFIXES)}.")
    try:
        if path.is_dir():
            _import_folder(path, stage, name, say)
        else:
            say(_import_file(path, stage, name, licence))
    except WeightFileError as error:
        raise WeightsError.of(error) from error
    except OSError as error:
        raise _fault(path, error) from error


def _fault(source: Path, error: OSError) -> Exception:
    """What is wrong with the disk: where the import comes from, or where it goes."""
    named = None if error.filename is None else Path(os.fsdecode(error.filename))
    is_written = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    is_elsewhere = named is not None and named != source and source not in named.parents
    if is_written or is_elsewhere:
        return disk_error(named if is_elsewhere and named else official_folder(), error)
    return InputError(
        f"{named or source} cannot be read ({error.strerror}): make it readable for you, or copy "
        "it anew."
    )


def _import_folder(
    folder: Path, stage: Stage | None, name: str | None, say: Callable[[str], object]
) -> None:
    if name is not None:
        raise OptionsError("The checkpoints of a folder keep their own names: leave --name away.")
    for path, file in _official_in(folder, stage):
        say(_import_official(path, file, stage, published=sha256_of(path) == file.sha256))


def _official_in(folder: Path, stage: Stage | None) -> list[tuple[Path, OfficialFile]]:
    found = [
        (path, file)
        for file in official_files()
        if stage in (None, file.stage)
        for path in _places(folder, file)
        if path.is_file()
    ]
    if not found:
        what = "the original's checkpoints" if stage is None else f"a checkpoint for {stage}"
        raise InputError(
            f"{folder} does not hold {what} in the published layout: name the folder that holds "
            "'Global' and 'Face_Enhancement', or a single file."
        )
    return found


def _places(folder: Path, file: OfficialFile) -> Iterator[Path]:
    """Where a checkpoint can lie: below its published folders, or those that are left of them."""
    parts = Path(file.path).parts
    for skipped in range(len(parts) - 1):
        path = folder.joinpath(*parts[skipped:])
        if path.is_file():
            yield path
            return


def _import_file(path: Path, stage: Stage | None, name: str | None, licence: str) -> str:
    from models.recognition import recognise_official  # takes seconds

    digest = sha256_of(path)
    published = [file for file in official_files() if file.sha256 == digest]
    file = published[0] if published else recognise_official(path)
    if file is None:
        return _import_other(path, stage, name, licence)
    if name is not None:
        raise OptionsError(
            f"{path} is {file.spec.network} of the original, which keeps its own name: leave "
            "--name away."
        )
    return _import_official(path, file, stage, published=bool(published))


def _import_official(
    path: Path, file: OfficialFile, stage: Stage | None, *, published: bool
) -> str:
    network, folder = file.spec.network, official_folder()
    if stage not in (None, file.stage):
        raise InputError(
            f"{path} is {network} of the original, which serves {file.stage}, not {stage}: say "
            f"--stage {file.stage}."
        )
    with only_one(folder):
        digest = sha256_of(path)
        stored = stored_path(folder / file.path)
        if official_state(file, folder) != "not downloaded" and is_sound(file, folder):
            record = read_record(stored)
            if (record.source_sha256 if record else file.sha256) == digest:
                return f"{network}: is there already"
            raise InputError(
                f"There is another {network} already: remove it first with 'restore-old-photo "
                f"models remove {network}'."
            )
        check_space(folder, 4 * file.parameters)
        convert(file, path, folder, digest)
    kind = "the published file" if published else "not the published file, but of its shape"
    return f"{network}: imported for {file.stage} ({kind}); use it with --weights official"


def _import_other(path: Path, stage: Stage | None, name: str | None, licence: str) -> str:
    from models.spandrel_networks import read_weights, recognise, try_out
    from models.weight_files import save_tensors

    state = read_weights(path)
    network = recognise(state, path)
    if stage not in (None, network.stage):
        raise InputError(
            f"{path} holds a network of the kind {network.architecture}, which serves "
            f"{network.stage}, not {stage}: say --stage {network.stage}."
        )
    name = _free_name(path, name)
    try_out(network)
    folder = imported_folder()
    stored = folder / f"{name}.safetensors"
    with only_one(folder):
        check_space(folder, sum(value.nbytes for value in state.values()))
        record_path(stored).unlink(missing_ok=True)
        save_tensors(state, stored)
        write_record(
            stored,
            ImportedModel(
                name=name,
                stage=network.stage,
                architecture=network.architecture,
                scale=network.scale,
                licence=licence,
                source_name=path.name,
                sha256=sha256_of(stored),
                size_bytes=stored.stat().st_size,
            ),
        )
    return f"{name}: imported for {network.stage} ({network.architecture})"


def _free_name(path: Path, chosen: str | None) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-._") if chosen is None else chosen
    if not NAME.fullmatch(name):
        raise OptionsError(
            f"A model cannot be called {name!r}: give it a name of letters, digits, '.', '_' and "
            "'-' after --name."
        )
    # Other commands take these for what came with the program, or for several models at once.
    if name.lower() in GROUPS or name.lower().startswith("bundled-"):
        raise OptionsError(
            f"{name} has a meaning of its own: give the model another name after --name."
        )
    taken = {model.name.lower() for model in imported_models()}
    official = {file.spec.network for file in official_files()}
    if name.lower() in taken | official:
        raise OptionsError(
            f"There is a model called {name} already: give this one another name after --name, or "
            f"remove the other with 'restore-old-photo models remove {name}'."
        )
    return name
