"""Other people's networks, which the optional package spandrel recognises by their weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.registry import Stage, WeightFileError
from models.spandrel_import import import_spandrel
from models.stored import ImportedModel
from models.torchscript import is_torchscript, read_torchscript
from models.weight_files import read_content

STAGES: dict[str, Stage] = {
    "Inpainting": "inpainting",
    "FaceSR": "faces",
    "Restoration": "denoising",
    "SR": "enlargement",
}
"""Our stage for each of spandrel's purposes."""

FACE_ARCHITECTURES = ("GFPGAN", "RestoreFormer")
"""Face networks whose crops and value range are known here: FFHQ-aligned, RGB in [-1, 1]."""

FACE_CROP_SIZE = 512

_TRIAL_SIDE = 64


@dataclass(frozen=True)
class OtherNetwork:
    """A network of somebody else, ready to run.

    Attributes:
        stage: what it is for.
        architecture: spandrel's name for its kind.
        scale: how many times larger its output is.
        module: the network itself, in eval mode, without gradients.
        channels: 3, or 1 for one that sees gray only.
    """

    stage: Stage
    architecture: str
    scale: int
    module: nn.Module
    channels: int
    _descriptor: Any

    def run(self, image: Tensor, mask: Tensor | None = None) -> Tensor:
        """Run it once.

        Args:
            image: (1, 3, H, W) in [0, 1] on the module's device; for faces an aligned crop of
                FACE_CROP_SIZE.
            mask: (1, 1, H, W), 1 where to fill; for inpainting alone.

        Returns:
            (1, 3, scale · H, scale · W) in [0, 1].
        """
        if self.stage == "faces":
            return self._run_face(image)
        if mask is not None:
            return self._checked(self._descriptor(image, mask))
        if self.channels == 1:
            planes = [self._descriptor(plane) for plane in torch.chunk(image, 3, dim=1)]
            return self._checked(torch.cat(planes, dim=1))
        return self._checked(self._descriptor(image))

    def _run_face(self, image: Tensor) -> Tensor:
        # Not by the descriptor: it hands GFPGAN values from 0 to 1, and cuts off what is below 0.
        x = image * 2 - 1
        # Fixed noise, so that the same photo gives the same face.
        is_random = self.architecture == "GFPGAN"
        y = self.module(x, randomize_noise=False) if is_random else self.module(x)
        return self._checked(((y[0] + 1) / 2).clamp(0, 1))

    def _checked(self, output: Tensor) -> Tensor:
        if not bool(torch.isfinite(output).all()):
            raise WeightFileError(
                "The {architecture} network computed values that are no numbers: its weights are "
                "damaged; get the file again from its publisher, and import it anew.",
                code="model-computes-no-numbers",
                architecture=self.architecture,
            )
        return output


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a file that somebody published, without the wrapping around them.

    Raises:
        WeightFileError: it is damaged or holds more than numbers, or spandrel is missing.
    """
    spandrel = import_spandrel()
    if is_torchscript(path):
        try:
            content: Any = read_torchscript(path)
        except Exception as error:  # damaged bytes make unpicklers raise nearly anything
            raise WeightFileError(
                f"The weight file {path} is incomplete, or a TorchScript program of another kind "
                f"({type(error).__name__}): get it again from its publisher."
            ) from error
    else:
        content = read_content(path)
    state = None
    if isinstance(content, dict):
        # It expects that whatever is named has a name.
        with suppress(AttributeError, TypeError):
            state = spandrel.canonicalize_state_dict(content)
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightFileError(
            f"The weight file {path} is not a list of named arrays: "
            "name the file with the network's weights alone."
        )
    return state


def recognise(state: Mapping[str, Tensor], path: Path) -> OtherNetwork:
    """The network that these weights belong to, on the CPU.

    Args:
        state: from `read_weights`.
        path: for messages.

    Raises:
        WeightFileError: spandrel is missing, knows no such network, or it fits no stage.
    """
    spandrel = import_spandrel()
    try:
        descriptor = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except MemoryError:
        raise
    except spandrel.UnsupportedModelError as error:
        raise WeightFileError(
            "{path} holds none of the original's checkpoints, and no network that spandrel "
            "{version} knows: name another file.",
            code="model-unknown",
            path=str(path),
            version=spandrel.__version__,
        ) from error
    except Exception as error:  # each architecture fails in its own way
        raise WeightFileError(
            "The weights in {path} do not fit the network they resemble ({reason}): get the file "
            "again from its publisher.",
            code="model-does-not-fit",
            path=str(path),
            reason=_first_line(error),
        ) from error
    return _as_network(descriptor, path)


def load_imported(model: ImportedModel, device: torch.device) -> OtherNetwork:
    """The network of an imported model on `device`.

    Raises:
        WeightFileError: the file is missing or damaged, or spandrel is missing.
    """
    if not model.path.is_file():
        raise WeightFileError(
            "The file of the model '{model}' is missing: import it again, or remove it with "
            "'restore-old-photo models remove {model}'.",
            code="model-file-missing",
            model=model.name,
        )
    network = recognise(read_weights(model.path), model.path)
    network.module.to(device)
    return network


def _as_network(descriptor: Any, path: Path) -> OtherNetwork:
    architecture = str(descriptor.architecture.id)
    stage = STAGES.get(descriptor.purpose)
    channels = (descriptor.input_channels, descriptor.output_channels)
    problem = None
    if stage is None:
        problem = f"its purpose, {descriptor.purpose}, is no stage of a restoration"
    elif stage == "faces" and architecture not in FACE_ARCHITECTURES:
        problem = f"only {' and '.join(FACE_ARCHITECTURES)} can enhance faces"
    elif channels != (3, 3) and (channels != (1, 1) or stage not in ("denoising", "enlargement")):
        problem = f"it takes {channels[0]} channels and gives {channels[1]}, not 3 and 3"
    elif stage == "enlargement" and descriptor.scale < 2:
        problem = "it does not enlarge"
    if problem is not None:
        raise WeightFileError(
            f"{path} holds a network of the kind {architecture}, but {problem}: name another file."
        )
    assert stage is not None
    module = descriptor.model.requires_grad_(False).eval().float()
    return OtherNetwork(stage, architecture, int(descriptor.scale), module, channels[0], descriptor)


def try_out(network: OtherNetwork) -> None:
    """Run it once: what loads, but fails on a picture, is better found before it is used.

    Raises:
        WeightFileError: it fails, or its output has another size than it should.
    """
    side = FACE_CROP_SIZE if network.stage == "faces" else _TRIAL_SIDE
    image = torch.linspace(0, 1, side).expand(1, 3, side, side).contiguous()
    mask = (image[:, :1] > 0.5).float() if network.stage == "inpainting" else None
    try:
        with torch.inference_mode():
            output = network.run(image, mask)
    except (RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, WeightFileError):
            raise
        raise WeightFileError(
            f"The {network.architecture} network fails on a picture ({_first_line(error)}), so it "
            "was not imported: use another one."
        ) from error
    expected = (1, 3, side * network.scale, side * network.scale)
    if tuple(output.shape) != expected:
        raise WeightFileError(
            f"The {network.architecture} network makes {tuple(output.shape)} of a picture where "
            f"{expected} is expected, so it was not imported: use another one."
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
