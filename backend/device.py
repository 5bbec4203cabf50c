"""Choose where the networks run, and turn a lack of memory into a sentence."""

from __future__ import annotations

import copy
import errno
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch
from torch import Tensor, nn

from backend.errors import DeviceError
from backend.options import DeviceChoice

MAY_BE_MEMORY = (MemoryError, RuntimeError, cv2.error)
"""What NumPy, torch and OpenCV raise for a lack of memory, among other things."""


def choose_device(choice: DeviceChoice) -> torch.device:
    """Find the device for a choice; "auto" takes CUDA where it is present.

    Raises:
        DeviceError: another device was asked for and is absent.
    """
    if choice == "cpu":
        return torch.device("cpu")
    if choice in ("mps", "xpu"):
        return _accelerator(choice)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if choice == "cuda":
        if torch.version.cuda is None:
            raise DeviceError(
                "CUDA cannot be used, because the installed torch is built without CUDA: choose "
                "auto or cpu.",
                code="cuda-not-built",
            )
        raise DeviceError(
            "CUDA cannot be used, because this computer shows no CUDA graphics card to torch: "
            "choose auto or cpu.",
            code="cuda-missing",
        )
    return torch.device("cpu")


def _accelerator(kind: str) -> torch.device:
    present = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if present is None or present.type != kind:
        raise DeviceError(
            f"{kind} cannot be used, because this computer or the installed torch has none: "
            "choose auto or cpu.",
            code=f"{kind}-missing",
        )
    return present


def device_of(network: nn.Module) -> torch.device:
    """Where a network runs."""
    return next(network.parameters()).device


@contextmanager
def memory_errors_explained() -> Iterator[None]:
    """Raise DeviceError where torch, NumPy or OpenCV run out of memory."""
    try:
        yield
    except MAY_BE_MEMORY as error:
        if is_out_of_memory(error):
            raise _out_of_memory() from error
        raise


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, NumPy or OpenCV say with this that the memory, or the disk, is too small."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, cv2.error):
        return error.code == cv2.Error.StsNoMem
    # On the CPU torch has no class of its own for it.
    return isinstance(error, RuntimeError) and "allocate" in str(error) and "memory" in str(error)


def run_at_once(network: nn.Module, x: Tensor, device: torch.device) -> Tensor:
    """Run a network on an input that cannot be cut into tiles.

    Where the accelerator's memory does not suffice, a copy runs on the CPU.

    Args:
        network: on `device`.
        x: anywhere; it is converted to the network's type.
        device: where to run at first.

    Raises:
        MemoryError, RuntimeError: the computer's memory does not suffice either.
    """
    dtype = next(network.parameters()).dtype
    try:
        output: Tensor = network(x.to(device, dtype))
        return output
    except (MemoryError, RuntimeError) as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    torch.get_device_module(device).empty_cache()
    # In float32, since not every processor is fast, or exact, in the accelerator's type.
    beside: Tensor = copy.deepcopy(network).to("cpu", torch.float32)(x.to("cpu", torch.float32))
    return beside


def _out_of_memory() -> DeviceError:
    return DeviceError(
        "The memory is too small for this picture with these weights: make the picture smaller, "
        "close other programs, or choose the bundled weights.",
        code="out-of-memory",
    )
