"""Read the weights out of a TorchScript archive without running any of its program.

torch.jit.load would compile and run what the file says. The weights themselves lie in the archive
as plain bytes, with a pickle that says which belongs where; that pickle is read here with a
restricted unpickler that makes nothing but containers and tensors.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}


class _Module:
    """Stands in for every class of the program: it only keeps its attributes."""

    def __init__(self, *_: object) -> None:
        self.attributes: dict[Any, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive, as opposed to weights alone."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except zipfile.BadZipFile:
        # Its end is whole, but not its list of contents.
        return False


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """The tensors of an archive by the path of attributes that leads to them.

    Raises:
        pickle.UnpicklingError: it holds more than containers and numbers.
        Exception: it is damaged; unpicklers raise nearly anything then.
    """
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        root = _Unpickler(archive, name.removesuffix("data.pkl")).load()
    return {
        key: value
        for key, value in _walk(root, "", ())
        # The program's own switch, not a weight.
        if not key.endswith("training")
    }


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(folder + "data.pkl")))
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch.jit._pickle", "restore_type_tag"): _tagged,
            ("torch.jit._pickle", "build_intlist"): list,
            ("torch.jit._pickle", "build_doublelist"): list,
            ("torch.jit._pickle", "build_boollist"): list,
            ("torch.jit._pickle", "build_tensorlist"): list,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is neither a number nor a container")
        return known[(module, name)]

    def persistent_load(self, identity: Any) -> Tensor:
        _, kind, key, _, count = identity
        data = bytearray(self._archive.read(f"{self._folder}data/{key}"))
        if not count:
            return torch.empty(0, dtype=kind)
        return torch.frombuffer(data, dtype=kind, count=count)


def _tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _tagged(value: Any, _: object) -> Any:
    return value


def _walk(value: Any, key: str, above: tuple[int, ...]) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield key, value
    elif isinstance(value, _Module) and id(value) not in above:  # a program may name its parent
        for name, part in value.attributes.items():
            yield from _walk(part, f"{key}.{name}" if key else str(name), (*above, id(value)))
