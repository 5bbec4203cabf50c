"""Which models are here, what they serve, and whether they are sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.downloads.official import WITH_UNFINISHED, only_one, parts_of, size_of
from backend.downloads.transfer import disk_error
from backend.errors import InputError
from models.registry import (
    Stage,
    WeightFileError,
    bundled_files,
    official_files,
    official_folder,
    read_manifest,
    read_spec,
    stage_of,
)
from models.stored import (
    State,
    imported_folder,
    imported_models,
    is_sound,
    official_state,
    read_record,
    record_path,
    sha256_of,
    stored_path,
)

NO_LICENCE = "not noted"


@dataclass(frozen=True)
class Model:
    """One line of the list.

    Attributes:
        name: how commands call it.
        source: "bundled", "official" or "imported".
        stages: what it serves.
        kind: the network.
        state: judged by sizes; `damage` reads everything.
        size_bytes: on the disk, or of the download where it is not here.
        licence: in a word or two.
        path: where it lies, or would.
    """

    name: str
    source: str
    stages: tuple[Stage, ...]
    kind: str
    state: State
    size_bytes: int
    licence: str
    path: Path


def all_models() -> list[Model]:
    """Bundled, official and imported models, in this order."""
    return [*_bundled(), *_official(), *_imported()]


def find_models(name: str) -> list[Model]:
    """The model of this name, or all that are "bundled", "official" or "imported".

    Raises:
        InputError: there is none.
    """
    models = all_models()
    found = [m for m in models if m.name == name] or [m for m in models if m.source == name]
    if not found:
        raise InputError(
            f"There is no model called {name}: 'restore-old-photo models list' shows all."
        )
    return found


def _bundled() -> Iterator[Model]:
    licence = read_manifest()["bundled"]["licence"]
    for network, path in bundled_files().items():
        state: State = "present"
        try:
            kind = read_spec(path).family
        except WeightFileError:
            kind, state = "", "damaged"
        stages = (stage_of(network),)
        size = path.stat().st_size if path.is_file() else 0
        yield Model(f"bundled-{path.stem}", "bundled", stages, kind, state, size, licence, path)


def _official() -> Iterator[Model]:
    licence, folder = read_manifest()["official"]["licence"], official_folder()
    for file in official_files():
        state, path = official_state(file, folder), stored_path(folder / file.path)
        size = path.stat().st_size if path.is_file() else size_of(file)
        kind = file.spec.family
        record = read_record(path)
        if record is not None and record.source_sha256 != file.sha256:
            kind += ", not the published file"
        yield Model(file.spec.network, "official", (file.stage,), kind, state, size, licence, path)


def _imported() -> Iterator[Model]:
    known = imported_models()
    for model in known:
        is_whole = model.path.is_file() and model.path.stat().st_size == model.size_bytes
        yield Model(
            model.name,
            "imported",
            (model.stage,),
            model.architecture + (f" {model.scale}x" if model.scale > 1 else ""),
            "present" if is_whole else "damaged",
            model.size_bytes,
            model.licence or NO_LICENCE,
            model.path,
        )
    names = {model.name for model in known}
    for path in sorted(imported_folder().glob("*.safetensors")):
        if path.stem not in names:  # an import that was cut short, or a damaged record
            size = path.stat().st_size
            yield Model(path.stem, "imported", (), "", "damaged", size, NO_LICENCE, path)


def damage(model: Model) -> str | None:
    """What is wrong with a model, after reading all of it; None when nothing is."""
    if model.state == "not downloaded":
        return None
    if model.source == "bundled":
        return _bundled_damage(model)
    if model.state == "damaged":
        return "its size is not the recorded one, or its record is missing"
    try:
        return None if _has_its_sum(model) else "its sum is not the recorded one"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _has_its_sum(model: Model) -> bool:
    if model.source == "imported":
        (record,) = [known for known in imported_models() if known.name == model.name]
        return sha256_of(model.path) == record.sha256
    (file,) = [file for file in official_files() if file.spec.network == model.name]
    return is_sound(file, official_folder())


def _bundled_damage(model: Model) -> str | None:
    # They have no recorded sum, but each network must fit exactly.
    from models.loading import bundled_network

    try:
        bundled_network(model.path)
    except WeightFileError as error:
        return str(error).rstrip(".")
    return None


def remove(model: Model, say: Callable[[str], object]) -> None:
    """Delete a model's files, and what is left of an unfinished download.

    Raises:
        InputError: it is bundled.
        DownloadError: it cannot be deleted, or another command is at work.
    """
    if model.source == "bundled":
        raise InputError(
            f"{model.name} came with Restore Old Photo and stays: name an imported or official one."
        )
    folder = imported_folder() if model.source == "imported" else official_folder()
    paths = [model.path]
    if model.source == "official":
        (file,) = [file for file in official_files() if file.spec.network == model.name]
        paths += [folder / file.path, *parts_of(file, folder)]
        if not any(other.path.is_file() for other in _official() if other.name != model.name):
            # Whole archives, from servers that give no parts.
            paths += folder.glob(WITH_UNFINISHED)
    paths.append(record_path(model.path))  # last, so that a model cut in half is still known
    existing = [path for path in dict.fromkeys(paths) if path.is_file()]
    with only_one(folder):
        try:
            for path in existing:
                path.unlink()
        except OSError as error:
            raise disk_error(model.path, error) from error
    say(f"{model.name}: {'removed' if existing else 'was not here'}")
