"""Which build of torch suits this machine, and what it costs."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from installer.steps import Cost

Processor = Literal["cpu", "cuda", "apple"]

# torch 2.13 with what it needs, as pip counted it and as it lay on the disk.
_COSTS: dict[Processor, Cost] = {
    "cpu": Cost(download_bytes=230_000_000, disk_bytes=850_000_000),
    "cuda": Cost(download_bytes=3_000_000_000, disk_bytes=7_000_000_000),
    "apple": Cost(download_bytes=120_000_000, disk_bytes=600_000_000),
}
_NAMES: dict[Processor, str] = {"cpu": "CPU", "cuda": "CUDA", "apple": "Apple"}

# WSL keeps NVIDIA's program outside the search path.
_WSL_FOLDER = "/usr/lib/wsl/lib"


@dataclass(frozen=True)
class Machine:
    """What decides which torch is used.

    Attributes:
        system: a value of `sys.platform`.
        processor: what torch will compute on.
    """

    system: str
    processor: Processor

    @property
    def name(self) -> str:
        return _NAMES[self.processor]

    @property
    def torch_cost(self) -> Cost:
        return _COSTS[self.processor]

    @property
    def usual_cost(self) -> Cost:
        """What the build takes that the usual package index has for this system."""
        return _COSTS["cuda"] if self.system == "linux" else self.torch_cost

    @property
    def backend(self) -> str | None:
        """What uv calls the build; None where the usual package index has the right one."""
        if self.system == "darwin" or (self.system == "win32" and self.processor == "cpu"):
            return None
        # "auto" picks the CUDA version that the driver can run.
        return "auto" if self.processor == "cuda" else "cpu"


def machine_of_build_in(wheels: Path, machine: Machine) -> Machine:
    """What the torch in a folder of wheels is built for, whatever the machine would choose.

    Args:
        wheels: torch, and for Linux the libraries of CUDA as packages of their own.
        machine: where it is installed.
    """
    if any(wheels.glob("nvidia_*.whl")) or any(wheels.glob("torch-*+cu*.whl")):
        return Machine(machine.system, "cuda")
    return Machine(machine.system, "apple" if machine.processor == "apple" else "cpu")


def is_for_processors_alone(torch_version: str, system: str) -> bool:
    """Whether an installed torch can use no graphics card.

    Args:
        torch_version: "2.13.0+cpu", "2.13.0+cu130", "2.13.0+xpu"; without an ending it is the build
            of the usual index, which has CUDA for Linux and for Windows none.
        system: a value of `sys.platform`.
    """
    build = torch_version.partition("+")[2]
    return build.split(".")[0] == "cpu" or (not build and system == "win32")


def look_at_machine(
    environment: Mapping[str, str] | None = None,
    system: str = sys.platform,
    architecture: str | None = None,
    driver: Path = Path("/proc/driver/nvidia/version"),
) -> Machine:
    """Look for an Apple processor and for NVIDIA's driver; starts nothing.

    Args:
        environment: environment variables; None takes this process's.
        system: a value of `sys.platform`.
        architecture: as `platform.machine` gives it; None asks it.
        driver: the file by which Linux tells of the driver.
    """
    environment = os.environ if environment is None else environment
    architecture = platform.machine() if architecture is None else architecture
    if system == "darwin":
        return Machine(system, "apple" if architecture == "arm64" else "cpu")
    if system == "win32":
        library = Path(environment.get("SystemRoot", "C:/Windows"), "System32", "nvcuda.dll")
        return Machine(system, "cuda" if library.exists() else "cpu")
    search_path = os.pathsep.join([environment.get("PATH", ""), _WSL_FOLDER])
    has_driver = driver.exists() or shutil.which("nvidia-smi", path=search_path) is not None
    return Machine(system, "cuda" if has_driver else "cpu")
