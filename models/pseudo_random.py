"""Weights that anybody can make from a rule: they let two implementations be compared exactly.

A value depends on nothing but the name of its checkpoint's folder, its key and its shape.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.loading import build
from models.registry import ModelSpec, Network, official_files

Floats = npt.NDArray[np.float64]

# Enough for one restoration; four times the largest is 1.5 GB.
_KEPT_NETWORKS = 4


def draw(key: str, shape: tuple[int, ...]) -> Floats:
    """Normal numbers that belong to a key, for example "detection/first.1.weight"."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)


def make_values(key: str, shape: tuple[int, ...]) -> Floats:
    """The values of one entry of a state_dict, in float64.

    Args:
        key: "<folder of the checkpoint>/<key in the state_dict>".
    """
    kind = key.rsplit(".", 1)[-1]
    if kind == "num_batches_tracked":
        return np.zeros(shape)
    if kind == "filt":
        binomial = np.array([1.0, 2.0, 1.0])
        return np.broadcast_to(np.outer(binomial, binomial) / 16, shape)
    if key == "detection/last.1.bias":  # so that about a tenth of the pixels is found damaged
        return np.full(shape, -1.2)
    numbers = draw(key, shape)
    if len(shape) >= 2:
        return _make_kernel(key, numbers)
    return _make_vector(kind, numbers)


def _make_kernel(key: str, numbers: Floats) -> Floats:
    outputs, fan_in = numbers.shape[0], int(np.prod(numbers.shape[1:]))
    values = numbers * np.sqrt(2 / fan_in)
    if key.endswith("weight_orig"):  # a dominant direction, which the spectral norm takes out
        stem = key.removesuffix("orig")
        u, v = make_values(stem + "u", (outputs,)), make_values(stem + "v", (fan_in,))
        values = values + 3 * np.outer(u, v).reshape(numbers.shape)
    return np.asarray(values)


def _make_vector(kind: str, numbers: Floats) -> Floats:
    if kind in ("weight_u", "weight_v"):
        return np.asarray(numbers / np.linalg.norm(numbers))
    if kind == "weight":
        return 1 + 0.1 * numbers
    if kind == "running_var":
        return 1 + 0.1 * np.abs(numbers)
    if kind in ("bias", "running_mean"):
        return 0.1 * numbers
    raise ValueError(f"There is no rule for an entry called {kind!r}.")


def fill(state: Mapping[str, Tensor], folder: str) -> dict[str, Tensor]:
    """New values for all entries of a state_dict, in their own type.

    Args:
        folder: name of the folder in which the checkpoint lies.
    """
    return {
        key: torch.tensor(make_values(f"{folder}/{key}", tuple(old.shape)), dtype=old.dtype)
        for key, old in state.items()
    }


class PseudoRandomWeights:
    """The original's networks with values by rule; has the methods of a WeightSet."""

    name = "pseudo-random"

    def __init__(self) -> None:
        self._files = {file.spec.network: file for file in official_files()}
        self._kept: OrderedDict[tuple[Network, str], nn.Module] = OrderedDict()

    def has(self, network: Network) -> bool:
        return network in self._files

    def spec(self, network: Network) -> ModelSpec:
        return self._files[network].spec

    def load(self, network: Network, device: torch.device | str = "cpu") -> nn.Module:
        """A network in eval mode; the last few are kept."""
        key = (network, str(device))
        if key not in self._kept:
            while len(self._kept) >= _KEPT_NETWORKS:
                self._kept.popitem(last=False)
            file = self._files[network]
            with torch.device("meta"):
                module = build(file.spec)
            values = fill(module.state_dict(), PurePosixPath(file.path).parent.name)
            module.load_state_dict(values, strict=True, assign=True)
            self._kept[key] = module.requires_grad_(False).eval().to(device)
        self._kept.move_to_end(key)
        return self._kept[key]
