"""Import the optional package spandrel, with or without a torchvision that works."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from types import ModuleType

from models.registry import WeightFileError


def import_spandrel() -> ModuleType:
    """The package spandrel.

    Raises:
        WeightFileError: it is not installed, or cannot be imported.
    """
    # Without its dependencies: they would bring another torch, and all that is needed is here.
    command = f'"{sys.executable}" -m pip install --no-deps spandrel einops'
    if importlib.util.find_spec("spandrel") is None:
        raise WeightFileError(
            "Other people's models need the Python package spandrel, which is not installed: "
            "run: {command}",
            code="spandrel-missing",
            command=command,
        )
    try:
        if _has_torchvision():
            return importlib.import_module("spandrel")
        with _without_torchvision():
            return importlib.import_module("spandrel")
    except ImportError as error:
        raise WeightFileError(
            "The Python package spandrel cannot be loaded ({reason}): run: {command}",
            code="spandrel-broken",
            reason=str(error),
            command=command,
        ) from error


def _has_torchvision() -> bool:
    try:
        importlib.import_module("torchvision.transforms.functional")
    except Exception:  # one that was built for another torch raises RuntimeError, or others
        return False
    return True


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """Let spandrel be imported where torchvision is missing, or was built for another torch.

    spandrel imports three names from it at its top level, and none of the networks used here
    calls them: LaMa's published weights learned no rotation, and RestoreFormer is normalised here.
    """

    class InterpolationMode(Enum):
        BILINEAR = "bilinear"

    def needs_torchvision(*_: object, **__: object) -> None:
        raise WeightFileError(
            "This network needs the Python package torchvision: install the one that was built "
            "for this torch, or choose another model.",
            code="model-needs-torchvision",
        )

    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    before = {name: sys.modules.get(name) for name in names}
    functional = ModuleType(names[2])
    vars(functional).update(
        InterpolationMode=InterpolationMode, rotate=needs_torchvision, normalize=needs_torchvision
    )
    sys.modules.update({names[0]: ModuleType(names[0]), names[1]: ModuleType(names[1])})
    sys.modules[names[2]] = functional
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
