"""Make the networks with their weights, strictly, and write the project's own.

Names and shapes must fit exactly; a file that fits in part is refused, since a network with some
random layers still draws something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from models.compact_unet import CompactFaceGenerator, CompactScratchUNet, RestorationUNet
from models.face_generator import FaceGenerator
from models.latent_mapping import HighResolutionMapping, QualityMapping, ScratchMapping
from models.place_judge import PlaceJudge
from models.registry import (
    SPEC_METADATA_KEY,
    ModelSpec,
    Network,
    OfficialFile,
    WeightFileError,
    bundled_files,
    bundled_folder,
    official_files,
    read_spec,
)
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet
from models.stored import replace_with, stored_path
from models.tone_grid import ToneGrid
from models.weight_files import another_network, check_fit, read_state, save_tensors

__all__ = [
    "WeightFileError",
    "WeightSet",
    "build",
    "bundled_weights",
    "convert_official",
    "official_weights",
    "save_bundled",
]

_FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "scratch_unet": ScratchUNet,
    "compact_scratch_unet": CompactScratchUNet,
    "place_judge": PlaceJudge,
    "restoration_unet": RestorationUNet,
    "tone_grid": ToneGrid,
    "restoration_vae": RestorationVAE,
    "quality_mapping": QualityMapping,
    "scratch_mapping": ScratchMapping,
    "high_resolution_mapping": HighResolutionMapping,
    "face_generator": FaceGenerator,
    "compact_face_generator": CompactFaceGenerator,
}

_LARGEST_HALF = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Source:
    """Where one network's weights are.

    Attributes:
        path: of their file, which need not be there.
        spec: facts about the network; None where only the missing file could tell them.
        wrapping_key: see `OfficialFile`.
    """

    path: Path
    spec: ModelSpec | None
    wrapping_key: str | None = None


class WeightSet:
    """The weights for one restoration, found but not yet read.

    Attributes:
        name: "bundled" or the folder, for messages and results.
    """

    def __init__(self, name: str, sources: Mapping[Network, Source]) -> None:
        self.name = name
        self._sources = dict(sources)

    def has(self, network: Network) -> bool:
        """Whether the file with this network's weights is there."""
        return network in self._sources and self._sources[network].path.is_file()

    def files(self) -> dict[str, Path]:
        """The files that are there, by their network."""
        return {name: source.path for name, source in self._sources.items() if self.has(name)}

    def spec(self, network: Network) -> ModelSpec:
        """Facts about a network; the file of an official one need not be there.

        Raises:
            WeightFileError: this set has no such network, or a bundled file is missing.
        """
        if network not in self._sources:
            raise WeightFileError(
                "The weights '{weights}' have no network for {network}: choose other weights.",
                code="weights-lack-network",
                weights=self.name,
                network=network,
            )
        source = self._sources[network]
        if source.spec is None:
            raise _missing(network, source.path)
        return source.spec

    def load(self, network: Network, device: torch.device | str = "cpu") -> nn.Module:
        """Read a network: float32, in eval mode, without gradients.

        Raises:
            WeightFileError: the file is missing, damaged, or does not fit the network exactly.
        """
        spec, source = self.spec(network), self._sources[network]
        if not source.path.is_file():
            raise _missing(network, source.path)
        state = read_state(source.path, source.wrapping_key)
        with torch.device("meta"):  # no time for random numbers that are replaced at once
            module = build(spec)
        expected = module.state_dict()
        check_fit(expected, state, source.path)
        # Copies, because a mapped file must be let go.
        full = {key: state[key].to(value.dtype, copy=True) for key, value in expected.items()}
        module.load_state_dict(full, strict=True, assign=True)
        if isinstance(module, FaceGenerator):
            module.fix_spectral_norm()
        return module.requires_grad_(False).eval().to(device)


def _missing(network: Network, path: Path) -> WeightFileError:
    return WeightFileError(
        "The weight file {file} for {network} is missing: put it into {folder}, or choose other "
        "weights.",
        code="weights-file-missing",
        file=path.name,
        network=network,
        folder=str(path.parent),
    )


def build(spec: ModelSpec) -> nn.Module:
    """Make the network of a spec with fresh weights.

    Raises:
        WeightFileError: this version knows no such family, or it has no such hyper-parameter.
    """
    try:
        return _FAMILIES[spec.family](**spec.hyper_parameters)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightFileError(
            "The weights for {network} describe a network this version cannot build ({reason}): "
            "update Restore Old Photo, or choose other weights.",
            code="weights-too-new",
            network=spec.network,
            reason=str(error),
        ) from error


def bundled_weights(folder: Path | None = None) -> WeightSet:
    """The project's own weights, or others of the same kinds from a folder.

    Raises:
        WeightFileError: all files are missing, or one is damaged or another network's.
    """
    files = bundled_files(folder)
    if not any(path.is_file() for path in files.values()):
        raise WeightFileError(
            "The bundled weights are missing in {folder}: install Restore Old Photo again, or "
            "choose other weights.",
            code="bundled-weights-missing",
            folder=str(bundled_folder()),
        )
    sources = {
        network: Source(path, _own_spec(path, files) if path.is_file() else None)
        for network, path in files.items()
    }
    return WeightSet("bundled" if folder is None else str(folder), sources)


def bundled_network(path: Path) -> nn.Module:
    """The network in one of the project's own weight files, whatever lies beside it.

    Raises:
        WeightFileError: the file is missing, damaged, or another network's.
    """
    spec = _own_spec(path, bundled_files(path.parent))
    return WeightSet("bundled", {spec.network: Source(path, spec)}).load(spec.network)


def _own_spec(path: Path, files: Mapping[Network, Path]) -> ModelSpec:
    """What a file says of itself, if it is one of the networks that lie in it."""
    spec = read_spec(path)
    if all(path != other or spec.network != network for network, other in files.items()):
        raise another_network(path, f"it says that it is {spec.network}")
    return spec


def official_weights(folder: Path) -> WeightSet:
    """The original's checkpoints below `folder`, in their published layout; converted or not.

    Raises:
        WeightFileError: none of them is there.
    """
    sources = {
        file.spec.network: Source(stored_path(folder / file.path), file.spec, file.wrapping_key)
        for file in official_files()
    }
    if not any(source.path.is_file() for source in sources.values()):
        raise WeightFileError(
            "There are no official weights in {folder}: get them with 'restore-old-photo models "
            "download official', name a folder that holds the published 'Global' and "
            "'Face_Enhancement', or choose the bundled weights.",
            code="official-weights-missing",
            folder=str(folder),
        )
    return WeightSet(str(folder), sources)


def save_bundled(module: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write weights as a safetensors file that describes itself.

    Matrices and kernels are stored with half precision; vectors (biases, statistics), which are
    few and may be very small, with single.

    Args:
        module: has the parameters `build(spec)` expects.
        spec: stored in the metadata.
        path: replaced only when the whole file is written.

    Raises:
        ValueError: a value does not fit into half precision.
    """
    state = {}
    for key, tensor in module.state_dict().items():
        value = tensor.detach().cpu()
        if value.is_floating_point() and value.ndim >= 2:
            if not bool((value.abs() <= _LARGEST_HALF).all()):
                raise ValueError(f"{key} has values that half precision cannot hold.")
            value = value.half()
        state[key] = value.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"format": "pt", SPEC_METADATA_KEY: spec.to_json()}
    replace_with(path, lambda part: part.write_bytes(safetensors.torch.save(state, metadata)))


def convert_official(file: OfficialFile, original: Path, target: Path) -> None:
    """Write a checkpoint's weights, exactly as they are and nothing else, as safetensors.

    Args:
        file: what `original` is.
        original: read and left as it is.
        target: replaced only when the whole file is written.

    Raises:
        WeightFileError: `original` is damaged, or of another network.
    """
    state = read_state(original, file.wrapping_key)
    with torch.device("meta"):
        expected = build(file.spec).state_dict()
    check_fit(expected, state, original)
    save_tensors(state, target)
