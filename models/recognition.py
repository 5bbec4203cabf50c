"""Tell which of the original's checkpoints a file holds, by the names and shapes in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from models.loading import build
from models.registry import ModelSpec, OfficialFile, WeightFileError, official_files
from models.torchscript import is_torchscript
from models.weight_files import read_content


def recognise_official(path: Path) -> OfficialFile | None:
    """The checkpoint of the original's that has these names and shapes; None if it is none.

    Raises:
        WeightFileError: several have the same, and the file's folder does not tell which it is;
            or the file is damaged.
    """
    state = {} if is_torchscript(path) else _arrays(path)
    fitting = [file for file in official_files() if fits(file.spec, state)]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    named = [file for file in fitting if Path(file.path).parent.name == path.parent.name]
    if not named:
        folders = [Path(file.path).parent.name for file in fitting]
        raise WeightFileError(
            f"{path} could be any of {len(fitting)} checkpoints with the same shapes: put it into "
            f"a folder called {', '.join(folders[:-1])} or {folders[-1]}, as it was published, and "
            "import it from there."
        )
    return named[0]


def _arrays(path: Path) -> dict[str, Tensor]:
    """The named arrays in a file, also in a wrapping that one of the original's has; or none."""
    content = read_content(path)
    for key in {file.wrapping_key for file in official_files()}:
        if key is not None and isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        return {}
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def fits(spec: ModelSpec, state: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of a network with this spec, by their names and shapes."""
    with torch.device("meta"):
        expected = build(spec).state_dict()
    return {key: value.shape for key, value in expected.items()} == {
        key: value.shape for key, value in state.items()
    }
