"""Find the package index that has the build of torch for this machine.

The usual index has one build for each system: with CUDA for Linux, without for Windows. The others
lie in torch's own indexes, which uv knows, and which of them suits the driver.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from installer.environment import Environment
from installer.errors import InstallationError
from installer.machine import Machine
from installer.messages import Bytes, message
from installer.processes import CommandError, clean_environment, run_logged

# Only in the log: nobody reads why the index could not be looked up.
_TASK = message("task.torch-index")
_INDEX = re.compile(r"^\s+# from (?P<index>\S+)", re.MULTILINE)
# A machine that reaches only a mirror must not wait for long.
_UV_VARIABLES = {"UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "1", "UV_NO_CACHE": "1"}
_SOURCE = "torch-source.json"
_OLDER_SOURCE = "torch-index"
# torch's own ones, the only ones that uv names, end so: .../whl/cpu.
_TORCHS_OWN = re.compile(r".*/whl/\w+/?$")


@dataclass(frozen=True)
class TorchSource:
    """Where the torch of an environment was taken from.

    Attributes:
        index: a package index; None for pip's own choice, and for a folder of wheels.
        is_chosen: the user named the index.
        processor: what the index was looked up for; None where none was.
    """

    index: str | None = None
    is_chosen: bool = False
    processor: str | None = None


def read_source(environment: Path) -> TorchSource:
    """What the folder of an environment says; where it says nothing, nobody chose anything."""
    try:
        return TorchSource(**json.loads((environment / _SOURCE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        pass
    try:
        index = (environment / _OLDER_SOURCE).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return TorchSource()
    # Earlier installers wrote the index alone, chosen or looked up.
    return TorchSource(index, is_chosen=bool(index) and _TORCHS_OWN.match(index) is None)


def write_source(environment: Path, source: TorchSource) -> None:
    """Write it down for the next run."""
    (environment / _SOURCE).write_text(json.dumps(asdict(source)) + "\n", encoding="utf-8")
    (environment / _OLDER_SOURCE).unlink(missing_ok=True)


def torch_index(environment: Environment, machine: Machine, requirement: str) -> str | None:
    """The index to take torch from; None for pip's own choice.

    Args:
        environment: its pip fetches uv, which goes again at once.
        machine: what torch will run on.
        requirement: the version of torch, exactly: "torch==2.13.0".
    """
    if machine.backend is None or _is_configured(environment, requirement):
        return None
    folder = environment.work / "uv"
    try:
        environment.pip.run(["install", "--target", str(folder), "uv"], _TASK)
        requirements = folder / "torch.txt"
        requirements.write_text(requirement + "\n", encoding="utf-8")
        answer = run_logged(
            [
                str(_program(folder)),
                *("pip", "compile", str(requirements), "--no-deps", "--quiet"),
                *("--torch-backend", machine.backend, "--emit-index-annotation"),
                *("--python", str(environment.python)),
            ],
            environment.log,
            stop=environment.report.stop,
            variables={**clean_environment(), **_UV_VARIABLES},
        )
    except (InstallationError, CommandError, OSError):
        _check_usual_build(environment, machine)
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = _INDEX.search(answer)
    return found["index"] if found else None


def _check_usual_build(environment: Environment, machine: Machine) -> None:
    """Say what the usual build takes instead of what was announced.

    Raises:
        InstallationError: the disk is too small for it.
    """
    cost = machine.usual_cost
    download, disk = Bytes(cost.download_bytes), Bytes(cost.disk_bytes)
    environment.report.detail(
        message("log.torch-index", processor=machine.name, download=download, disk=disk)
    )
    free = shutil.disk_usage(environment.work).free
    needed = cost.download_bytes + cost.disk_bytes
    if free < needed:
        raise InstallationError(
            "error.disk-too-small",
            folder=environment.work,
            free=Bytes(free),
            needed=Bytes(needed),
        )


def _is_configured(environment: Environment, requirement: str) -> bool:
    """Whether pip's settings lead to a particular build of torch, as 2.13.0+cpu, already."""
    try:
        versions = environment.pip.run(["index", "versions", "torch"], _TASK)
    except InstallationError:
        # pip will say by itself what is wrong.
        return True
    return re.search(rf"\b{re.escape(requirement.split('==')[1])}\+", versions) is not None


def _program(folder: Path) -> Path:
    # Where pip's --target puts programs on Windows depends on its version.
    programs = (folder / "bin" / "uv", folder / "bin" / "uv.exe", folder / "Scripts" / "uv.exe")
    return next((program for program in programs if program.exists()), programs[0])
