"""Which weight files there are, what they hold and where they lie. Needs no torch.

manifest.json lists the original's published checkpoints ("official") with sizes and sums, and the
project's own files ("bundled"), which describe themselves in their metadata.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from models.loading import WeightSet

Network = Literal[
    "detection",
    "places",
    "restoration",
    "tone",
    "vae_a",
    "vae_b_quality",
    "vae_b_scratch",
    "mapping_quality",
    "mapping_scratch",
    "mapping_high_resolution",
    "face_256",
    "face_512",
]

Stage = Literal["detection", "restoration", "faces", "inpainting", "denoising", "enlargement"]
"""What a model is for; the original's checkpoints serve the first three."""

TRIPLET_FILES: dict[Network, str] = {
    "vae_a": "vae_old.safetensors",
    "vae_b_quality": "vae_clean.safetensors",
    "vae_b_scratch": "vae_clean.safetensors",
    "mapping_quality": "mapping.safetensors",
    "mapping_scratch": "mapping.safetensors",
}
"""What the training scripts of the triplet-domain method write."""

SPEC_METADATA_KEY = "spec"
"""Where a bundled safetensors file keeps its ModelSpec as JSON."""

# Longer headers than this are no weight file of ours; a damaged length must not fill the memory.
_LARGEST_HEADER_BYTES = 16 * 2**20


class WeightFileError(ValueError):
    """A weight file is missing, damaged, or of another network; the message says what to do.

    Args:
        template: the message, with {names} for the parameters, if any.
        code: a stable word for programs and translations.
        parameters: the values that the message names.
    """

    def __init__(
        self, template: str, *, code: str = "weights", **parameters: str | int | float
    ) -> None:
        super().__init__(template.format(**parameters) if parameters else template)
        self.template = template
        self.code = code
        self.parameters = parameters


@dataclass(frozen=True)
class ModelSpec:
    """Facts about a network.

    Attributes:
        network: what it is for.
        family: which class: scratch_unet, compact_scratch_unet, place_judge, restoration_unet,
            tone_grid, restoration_vae, quality_mapping, scratch_mapping, high_resolution_mapping,
            face_generator or compact_face_generator.
        hyper_parameters: the class's arguments that differ from its defaults.
        inference: what a stage must know to run it. Detection: threshold, short_side, perhaps
            continuation (the share of the threshold down to which found damage is followed; 1
            without it) and scales (factors of the size and their weights, whose logits are
            averaged; [[1, 1]] without them). Places: least (the detector's probability from which
            a pixel is part of a place), threshold (of a place). Restoration: hole ("white" or
            "filled": what masked pixels are given beforehand), multiple (of which width and
            height must be one), for the U-Net residual (the output is added to the input). Tone:
            side (of the square with as many pixels as the small copy that the network sees).
            Face: residual, perhaps mirrored (the result is the mean over the face and its mirror
            image; false without it) and share (of what the network adds; 1 without it).
        training: how the weights were made; only the model card reads it.
    """

    network: Network
    family: str
    hyper_parameters: dict[str, Any] = field(default_factory=dict)
    inference: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(self.__dict__, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ModelSpec:
        """Raises ValueError, KeyError or TypeError when the text is no spec."""
        values = json.loads(text)
        return ModelSpec(
            values["network"],
            values["family"],
            values["hyper_parameters"],
            values["inference"],
            values.get("training", {}),
        )


@dataclass(frozen=True)
class WeightSource:
    """Where a file can be fetched.

    Attributes:
        url: of the file itself, or of a zip archive that contains it.
        member: its name inside the archive; None where the URL is the file.
    """

    url: str
    member: str | None = None


@dataclass(frozen=True)
class OfficialFile:
    """One of the original's checkpoints.

    Attributes:
        path: below the folder that holds all of them, with forward slashes.
        size_bytes: None where nobody recorded it.
        sha256: of the published file.
        wrapping_key: entry that holds the weights, for a file that holds more; else None.
        parameters: how many numbers the network learned, of four bytes each.
        sources: where it is published, the best first.
    """

    spec: ModelSpec
    path: str
    size_bytes: int | None
    sha256: str
    wrapping_key: str | None
    parameters: int = 0
    sources: tuple[WeightSource, ...] = ()

    @property
    def stage(self) -> Stage:
        return stage_of(self.spec.network)


def data_folder() -> Path:
    """Where this user's weights, settings and running backend are kept; it may not exist yet."""
    chosen = os.environ.get("RESTORE_OLD_PHOTO_HOME")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "restore-old-photo"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "restore-old-photo"
    return Path.home() / ".local" / "share" / "restore-old-photo"


def official_folder() -> Path:
    """Where `--weights official` looks for the original's checkpoints."""
    return data_folder() / "weights" / "official"


def bundled_folder() -> Path:
    """Where the project's own weights lie."""
    return Path(__file__).parent / "weights"


def read_manifest() -> dict[str, Any]:
    text = (Path(__file__).parent / "manifest.json").read_text(encoding="utf-8")
    manifest: dict[str, Any] = json.loads(text)
    return manifest


def official_files() -> list[OfficialFile]:
    """The original's checkpoints, one for each network."""
    official = read_manifest()["official"]
    archives = official["archives"]
    return [
        OfficialFile(
            ModelSpec(
                entry["network"], entry["family"], entry["hyper_parameters"], entry["inference"]
            ),
            entry["path"],
            entry["size_bytes"],
            entry["sha256"],
            entry["wrapping_key"],
            entry["parameters"],
            tuple(
                WeightSource(source.get("url") or archives[source["archive"]], source.get("member"))
                for source in entry["sources"]
            ),
        )
        for entry in official["files"]
    ]


def stage_of(network: str) -> Stage:
    """The stage that a network serves."""
    if network in ("detection", "places"):
        return "detection"
    return "faces" if network.startswith("face") else "restoration"


def bundled_files(folder: Path | None = None) -> dict[Network, Path]:
    """The project's own weight files by network; in another folder than the usual if given.

    Another folder may hold a set trained by the triplet-domain method in place of "restoration";
    one mapping then serves pictures with and without scratches.
    """
    place = folder or bundled_folder()
    files: dict[Network, Path] = {
        entry["network"]: place / entry["path"] for entry in read_manifest()["bundled"]["files"]
    }
    triplet = {network: place / name for network, name in TRIPLET_FILES.items()}
    if folder is not None and all(path.is_file() for path in triplet.values()):
        del files["restoration"]
        files |= triplet
    return files


def read_spec(path: Path) -> ModelSpec:
    """Read the spec from a bundled file's metadata.

    Raises:
        WeightFileError: the file is missing, or damaged, or has no spec.
    """
    if not path.is_file():
        raise WeightFileError(
            "The weight file {file} is missing in {folder}: install Restore Old Photo again, or "
            "choose other weights.",
            code="weights-file-gone",
            file=path.name,
            folder=str(path.parent),
        )
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LARGEST_HEADER_BYTES:
                raise ValueError("the header is too long")
            header = json.loads(file.read(length))
        return ModelSpec.from_json(header["__metadata__"][SPEC_METADATA_KEY])
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise WeightFileError(
            "The weight file {path} is damaged or not one of Restore Old Photo's ({reason}): "
            "install Restore Old Photo again, or choose other weights.",
            code="weights-damaged",
            path=str(path),
            reason=str(error),
        ) from error


def resolve_weights(choice: str) -> WeightSet:
    """Find the weights that the user chose.

    Args:
        choice: "bundled", "official", or a folder: with files named as the bundled ones, as
            training writes them, or with the original's checkpoints in their published layout
            (Global/checkpoints/..., Face_Enhancement/checkpoints/...).

    Raises:
        WeightFileError: the folder is missing, or has none of the checkpoints.
    """
    # Here, because installer and doctor read this module where torch is not installed.
    from models.loading import bundled_weights, official_weights

    if choice == "bundled":
        return bundled_weights()
    if choice == "official":
        return official_weights(official_folder())
    folder = Path(choice)
    if any(path.is_file() for path in bundled_files(folder).values()):
        return bundled_weights(folder)
    return official_weights(folder)
