"""Weight files in the user's data folder: the record beside each of them. Needs no torch.

A converted or imported file NAME.safetensors has a record NAME.json with its size and sum. The
record is written last: a file without one was cut short.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from models.registry import OfficialFile, Stage, WeightFileError, data_folder

State = Literal["present", "not downloaded", "damaged"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What an imported model may be called: a plain word, never a path."""


@dataclass(frozen=True)
class ConvertedFile:
    """The record of an official checkpoint that was converted.

    Attributes:
        sha256: of the converted file.
        size_bytes: of the converted file.
        source_sha256: of the file it was made from; the published one's unless it was imported.
    """

    sha256: str
    size_bytes: int
    source_sha256: str


@dataclass(frozen=True)
class ImportedModel:
    """The record of a model that the user brought.

    Attributes:
        name: what the user calls it.
        stage: inpainting, faces, denoising or enlargement.
        architecture: the kind of network, for example "SCUNet".
        scale: how many times larger its output is.
        licence: what the user said of it, or an empty text.
        source_name: name of the file that it was made from.
        sha256: of the stored file.
        size_bytes: of the stored file.
    """

    name: str
    stage: Stage
    architecture: str
    scale: int
    licence: str
    source_name: str
    sha256: str
    size_bytes: int

    @property
    def path(self) -> Path:
        return imported_folder() / f"{self.name}.safetensors"


def imported_folder() -> Path:
    """Where the models lie that the user brought."""
    return data_folder() / "weights" / "imported"


def imported_models() -> list[ImportedModel]:
    """All imported models by name; a record that cannot be read counts as none."""
    models = []
    for path in sorted(imported_folder().glob("*.json")):
        try:
            models.append(_imported(path))
        except (OSError, ValueError, TypeError):
            continue
    return models


def _imported(path: Path) -> ImportedModel:
    model = ImportedModel(**json.loads(path.read_text(encoding="utf-8")))
    if model.name != path.stem or model.stage not in get_args(Stage):
        raise ValueError("the record belongs to another file")
    for item in fields(model):
        kind = int if item.name in ("scale", "size_bytes") else str
        if not isinstance(getattr(model, item.name), kind):
            raise TypeError(f"{item.name} is no {kind.__name__}")
    return model


def find_imported(name: str, stage: Stage) -> ImportedModel:
    """The imported model of this name.

    Raises:
        WeightFileError: there is none for this stage.
    """
    models = imported_models()
    found = next((model for model in models if model.name == name), None)
    if found is not None and found.stage == stage:
        return found
    if found is not None:
        raise WeightFileError(
            "The model '{model}' serves {own_stage}, not {stage}: choose another one that "
            "'restore-old-photo models list' shows.",
            code="model-of-another-stage",
            model=name,
            own_stage=found.stage,
            stage=stage,
        )
    raise WeightFileError(
        "The model '{model}' was not imported: import it, or choose one that 'restore-old-photo "
        "models list' shows.",
        code="model-not-imported",
        model=name,
    )


def stored_path(published: Path) -> Path:
    """The converted form of a checkpoint where it is there, else the published one."""
    converted = published.with_suffix(".safetensors")
    return converted if converted.is_file() else published


def record_path(stored: Path) -> Path:
    return stored.with_suffix(".json")


def read_record(converted: Path) -> ConvertedFile | None:
    """The record of a converted checkpoint; None where it is missing or unreadable."""
    try:
        return ConvertedFile(**json.loads(record_path(converted).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_record(stored: Path, record: ConvertedFile | ImportedModel) -> None:
    """Write the record beside a stored file, at once or not at all."""
    text = json.dumps(asdict(record), indent=2) + "\n"
    replace_with(record_path(stored), lambda part: part.write_text(text, encoding="utf-8"))


def official_state(file: OfficialFile, folder: Path) -> State:
    """Whether a checkpoint is there, judged by its size; `is_sound` reads it all."""
    stored = stored_path(folder / file.path)
    if not stored.is_file():
        return "not downloaded"
    if stored.suffix == ".safetensors":
        record = read_record(stored)
        size = None if record is None else record.size_bytes
        return "present" if size == stored.stat().st_size else "damaged"
    is_right = file.size_bytes in (None, stored.stat().st_size)
    return "present" if is_right else "damaged"


def is_sound(file: OfficialFile, folder: Path) -> bool:
    """Whether the sum of a stored checkpoint is the recorded or the published one."""
    stored = stored_path(folder / file.path)
    if stored.suffix != ".safetensors":
        return sha256_of(stored) == file.sha256
    record = read_record(stored)
    return record is not None and sha256_of(stored) == record.sha256


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def replace_with(target: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a new file, and put it in place of `target` when it is on the disk."""
    part = target.with_name(target.name + ".part")
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
