"""The build of torch for a machine, and where it is looked up."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from installer.environment import Environment
from installer.errors import InstallationError
from installer.machine import (
    Machine,
    Processor,
    is_for_processors_alone,
    look_at_machine,
    machine_of_build_in,
)
from installer.messages import Message
from installer.pip import Pip
from installer.report import Report
from installer.torch_index import torch_index

NOWHERE = Path("/nonexistent")


def test_apples_processor_has_a_build_of_its_own() -> None:
    machine = look_at_machine({}, "darwin", "arm64")
    assert (machine.processor, machine.backend) == ("apple", None)
    assert look_at_machine({}, "darwin", "x86_64").processor == "cpu"


def test_nvidias_driver_decides_on_linux(tmp_path: Path) -> None:
    assert look_at_machine({"PATH": ""}, "linux", "x86_64", NOWHERE).backend == "cpu"
    driver = tmp_path / "version"
    driver.touch()
    machine = look_at_machine({"PATH": ""}, "linux", "x86_64", driver)
    assert (machine.processor, machine.backend) == ("cuda", "auto")


def test_nvidias_library_decides_on_windows(tmp_path: Path) -> None:
    environment = {"SystemRoot": str(tmp_path)}
    # The usual index has no other build for Windows than that for the processor.
    assert look_at_machine(environment, "win32", "AMD64").backend is None
    (tmp_path / "System32").mkdir()
    (tmp_path / "System32" / "nvcuda.dll").touch()
    assert look_at_machine(environment, "win32", "AMD64").backend == "auto"


def test_cuda_costs_most() -> None:
    cpu, cuda = Machine("linux", "cpu").torch_cost, Machine("linux", "cuda").torch_cost
    assert cuda.download_bytes > 5 * cpu.download_bytes
    assert cuda.disk_bytes > 5 * cpu.disk_bytes


@pytest.mark.parametrize(
    ("wheel", "build"),
    [
        ("nvidia_cublas-13.1.1.3-py3-none-manylinux_2_27_x86_64.whl", "cuda"),
        ("torch-2.13.0+cu130-cp313-cp313-win_amd64.whl", "cuda"),
        ("torch-2.13.0+cpu-cp313-cp313-manylinux_2_28_x86_64.whl", "cpu"),
    ],
)
@pytest.mark.parametrize("here", ["cpu", "cuda"])
def test_a_folder_of_wheels_costs_what_is_in_it_whatever_this_machine_would_choose(
    here: Processor, wheel: str, build: Processor, tmp_path: Path
) -> None:
    (tmp_path / "torch-2.13.0-cp313-cp313-manylinux_2_28_x86_64.whl").touch()
    (tmp_path / wheel).touch()
    machine = machine_of_build_in(tmp_path, Machine("linux", here))
    assert machine.torch_cost == Machine("linux", build).torch_cost


@pytest.mark.parametrize(
    ("version", "on_linux", "on_windows"),
    [
        ("2.13.0+cpu", True, True),
        ("2.6.0+cpu.cxx11.abi", True, True),
        # The usual index has no other build for Windows.
        ("2.13.0", False, True),
        ("2.13.0+cu130", False, False),
        ("2.13.0+xpu", False, False),
        ("2.13.0+rocm6.4", False, False),
    ],
)
def test_the_version_tells_the_build(version: str, on_linux: bool, on_windows: bool) -> None:
    assert is_for_processors_alone(version, "linux") == on_linux
    assert is_for_processors_alone(version, "win32") == on_windows


class PretendPip(Pip):
    """Answers which versions there are, and brings a program in place of uv."""

    def __init__(self, folder: Path, versions: str, uv: str) -> None:
        super().__init__(folder / "python", folder / "log", Report(), folder / "temporary")
        self.versions = versions
        self.uv = uv

    def run(self, arguments: list[str], what: str, has_bar: bool = False) -> str:  # type: ignore[override]
        del what, has_bar
        if arguments[0] == "index":
            return f"torch ({self.versions.split(',')[0]})\nAvailable versions: {self.versions}\n"
        program = Path(arguments[arguments.index("--target") + 1]) / "bin" / "uv"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{self.uv}\n")
        program.chmod(0o755)
        return ""


class Listening(Report):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def detail(self, line: Message) -> None:
        self.lines.append(str(line))


def index_of(
    folder: Path, versions: str, uv: str, processor: str = "cpu", report: Report | None = None
) -> str | None:
    environment = Environment(folder / "environment", folder / "log", report or Report())
    environment.pip = PretendPip(folder, versions, uv)
    machine = Machine("linux", "cuda" if processor == "cuda" else "cpu")
    index = torch_index(environment, machine, "torch==2.13.0")
    assert not (folder / "uv").exists()
    return index


ANSWER = "echo torch==2.13.0+$4; echo '    # from http://index.example/whl/cpu'"


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
class TestIndex:
    def test_uv_names_the_index_of_the_build(self, tmp_path: Path) -> None:
        assert index_of(tmp_path, "2.13.0, 2.12.0", ANSWER) == "http://index.example/whl/cpu"

    def test_uv_is_asked_for_the_build_of_this_machine(self, tmp_path: Path) -> None:
        answer = 'echo "    # from $*" | sed "s/.*--torch-backend \\([a-z]*\\).*/    # from \\1/"'
        assert index_of(tmp_path, "2.13.0", answer) == "cpu"
        assert index_of(tmp_path, "2.13.0", answer, "cuda") == "auto"

    def test_an_index_that_somebody_set_up_for_pip_counts(self, tmp_path: Path) -> None:
        assert index_of(tmp_path, "2.13.0+cpu, 2.13.0", "exit 1") is None

    def test_where_nothing_can_be_looked_up_pip_chooses_and_the_costs_are_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=20_000_000_000))
        report = Listening()
        assert index_of(tmp_path, "2.13.0", "echo no network; exit 2", report=report) is None
        (line,) = report.lines
        assert "perhaps the one with CUDA: about 3.0 GB to download, 7.0 GB on disk" in line

    def test_a_disk_that_is_too_small_for_pips_choice_is_said_before_the_download(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = shutil.disk_usage(tmp_path)
        # Enough for what was announced.
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3_000_000_000))
        with pytest.raises(InstallationError, match=r"3\.0 GB free, .* needs 10\.0 GB"):
            index_of(tmp_path, "2.13.0", "echo no network; exit 2")
