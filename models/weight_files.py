"""Read the numbers of a weight file and nothing else, and write them.

Nothing in a weight file is ever executed: safetensors holds only numbers, and pickled checkpoints
are read by torch's restricted unpickler.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from models.registry import WeightFileError
from models.stored import replace_with


def read_content(path: Path) -> Any:
    """Whatever numbers a weight file holds, arranged as it arranges them.

    Raises:
        WeightFileError: it is incomplete, or holds more than numbers.
    """
    try:
        if path.suffix.lower() == ".safetensors":
            return safetensors.torch.load_file(path)
        # Mapped, so that the optimiser's state in the file takes no memory.
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes make unpicklers raise nearly anything
        raise WeightFileError(
            "The weight file {path} is incomplete, or holds something other than numbers "
            "({reason}): get it again from its publisher.",
            code="weights-incomplete",
            path=str(path),
            reason=type(error).__name__,
        ) from error


def read_state(path: Path, wrapping_key: str | None = None) -> dict[str, Tensor]:
    """The named arrays of a weight file.

    Args:
        path: of the file.
        wrapping_key: entry of the file's dictionary that holds them, if there is such an entry.

    Raises:
        WeightFileError: it is damaged, or holds something else.
    """
    content = read_content(path)
    if wrapping_key is not None and isinstance(content, dict):
        content = content.get(wrapping_key, content)
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightFileError(
            "The weight file {path} is not a list of named arrays: check that the right file lies "
            "there.",
            code="weights-no-arrays",
            path=str(path),
        )
    return {str(key): value for key, value in content.items()}


def check_fit(expected: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path) -> None:
    """See that names and shapes are those of a network, no less and no more.

    Args:
        expected: the network's own.
        state: read from the file `path`.

    Raises:
        WeightFileError: one is missing, too many or of another shape.
    """
    missing = [key for key in expected if key not in state]
    surplus = [key for key in state if key not in expected]
    unlike = [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    problems = [f"{key} is missing" for key in missing] + unlike
    problems += [f"{key} is not expected" for key in surplus]
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise another_network(path, problems[0] + more)


def another_network(path: Path, reason: str) -> WeightFileError:
    """What to do about a file that is not the one that is looked for."""
    return WeightFileError(
        "The weight file {path} belongs to another network ({reason}): check that the right "
        "file lies there.",
        code="weights-of-another-network",
        path=str(path),
        reason=reason,
    )


def save_tensors(state: Mapping[str, Tensor], target: Path) -> None:
    """Write named arrays as safetensors; `target` is replaced when all is on the disk."""
    # Clones, because safetensors refuses arrays that share their memory.
    own = {key: value.detach().cpu().clone().contiguous() for key, value in state.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_with(target, lambda part: safetensors.torch.save_file(own, part, {"format": "pt"}))
