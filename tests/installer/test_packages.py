"""torch and the environment: what is asked of pip, and what its failures become."""

from __future__ import annotations

import ensurepip
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from installer.environment import Environment
from installer.errors import InstallationError
from installer.machine import Machine
from installer.messages import Message, message
from installer.packages import TESTED_TORCH, ProjectStep, TorchStep
from installer.pip import Pip
from installer.processes import CommandError, clean_environment
from installer.report import Report, Transfer
from installer.steps import Cost
from tests.installer.mounts import needs_mounts, small_disk

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
NO_NETWORK = "after connection broken by 'NewConnectionError\nERROR: No matching distribution found"
TASK = message("task.install", packages="torch")
CPU = Machine("linux", "cpu")
CUDA = Machine("linux", "cuda")
WINDOWS = Machine("win32", "cuda")
CPU_INDEX = "https://torch.example/whl/cpu"
CUDA_INDEX = "https://torch.example/whl/cu130"
# Where the usual index has the right build, so that none is looked up.
APPLE = Machine("darwin", "apple")


class RecordingEnvironment(Environment):
    """Instead of running pip it notes what was asked, and offers the given torch alone."""

    def __init__(
        self,
        folder: Path,
        torch: str | None,
        offered: str = TESTED_TORCH,
        offline: Path | None = None,
    ) -> None:
        super().__init__(folder, folder / "log", Report(), offline)
        self.torch = torch
        self.offered = offered
        self.asked: list[tuple[Sequence[str], str | None]] = []

    def version_of(self, package: str) -> str | None:
        assert package == "torch"
        return self.torch

    def install(self, requirements: Sequence[str], index: str | None = None) -> None:
        self.asked.append((requirements, index))
        if requirements[0] != self.offered:
            cause = CommandError(["pip"], 1, "ERROR: No matching distribution found for torch")
            raise InstallationError("error.another") from cause


def test_the_tested_torch_is_asked_for_from_pips_own_index(tmp_path: Path) -> None:
    environment = RecordingEnvironment(tmp_path, torch=None)
    TorchStep(environment, machine=APPLE).do()
    assert environment.asked == [(["torch==2.13.0"], None)]


def test_any_supported_torch_is_taken_where_the_tested_one_has_no_build(tmp_path: Path) -> None:
    environment = RecordingEnvironment(tmp_path, torch=None, offered="torch>=2.6")
    TorchStep(environment, machine=APPLE).do()
    assert [requirements[0] for requirements, _ in environment.asked] == [
        "torch==2.13.0",
        "torch>=2.6",
    ]


def test_a_network_failure_is_not_answered_with_another_torch(tmp_path: Path) -> None:
    class Offline(RecordingEnvironment):
        def install(self, requirements: Sequence[str], index: str | None = None) -> None:
            self.asked.append((requirements, index))
            raise InstallationError("error.another") from CommandError(["pip"], 1, NO_NETWORK)

    environment = Offline(tmp_path, torch=None)
    with pytest.raises(InstallationError):
        TorchStep(environment, machine=APPLE).do()
    assert len(environment.asked) == 1


@pytest.mark.parametrize(
    ("version", "condition"),
    [
        ("2.6.0", "done"),
        ("2.13.0+cpu", "done"),
        ("3.0", "done"),
        ("2.5.1", "outdated"),
        (None, "absent"),
    ],
)
def test_a_torch_that_is_new_enough_is_kept(
    tmp_path: Path, version: str | None, condition: str
) -> None:
    environment = RecordingEnvironment(tmp_path, torch=version)
    assert TorchStep(environment, machine=CPU).condition() == condition


def test_choosing_an_index_replaces_a_torch_from_elsewhere_once(tmp_path: Path) -> None:
    environment = RecordingEnvironment(tmp_path, torch="2.13.0")
    step = TorchStep(environment, index="file:///wheels", machine=CPU)
    assert step.condition() == "outdated"
    step.do()
    assert environment.asked == [([TESTED_TORCH, "--force-reinstall"], "file:///wheels")]
    assert step.condition() == "done"
    assert TorchStep(environment, machine=CPU).condition() == "done"


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The processors that an index was looked up for; each has one of its own."""
    asked: list[str] = []

    def look_up(environment: Environment, machine: Machine, requirement: str) -> str:
        del environment, requirement
        asked.append(machine.processor)
        return CUDA_INDEX if machine.processor == "cuda" else CPU_INDEX

    monkeypatch.setattr("installer.packages.torch_index", look_up)
    return asked


@pytest.mark.parametrize("record", [CPU_INDEX, CPU_INDEX + "\n", "", None])
@pytest.mark.parametrize(("machine", "version"), [(CUDA, "2.13.0+cpu"), (WINDOWS, "2.13.0")])
def test_where_a_card_came_later_torch_with_cuda_takes_the_place_of_the_other(
    tmp_path: Path, looked_up: list[str], machine: Machine, version: str, record: str | None
) -> None:
    if record is not None:
        # As installers wrote it that did not tell a choice from what they had looked up.
        (tmp_path / "torch-index").write_text(record)
    environment = RecordingEnvironment(tmp_path, torch=version)
    step = TorchStep(environment, machine=machine)
    assert step.condition() == "outdated"
    step.do()
    assert environment.asked == [([TESTED_TORCH, "--force-reinstall"], CUDA_INDEX)]
    assert looked_up == ["cuda"]
    # pip may have taken it from elsewhere, as its settings say: it is not tried for ever.
    assert step.condition() == "done"


def test_what_was_looked_up_for_another_machine_is_looked_up_again(
    tmp_path: Path, looked_up: list[str]
) -> None:
    environment = RecordingEnvironment(tmp_path, torch="2.13.0+cpu")
    TorchStep(environment, machine=CPU).do()
    assert TorchStep(environment, machine=CPU).condition() == "done"
    step = TorchStep(environment, machine=CUDA)
    assert step.condition() == "outdated"
    step.do()
    assert [index for _, index in environment.asked] == [CPU_INDEX, CUDA_INDEX]
    assert looked_up == ["cpu", "cuda"]


@pytest.mark.parametrize("version", ["2.13.0", "2.13.0+cu126", "2.13.0+xpu", "2.13.0+rocm6.4"])
def test_a_build_for_any_card_stays_beside_nvidias(tmp_path: Path, version: str) -> None:
    environment = RecordingEnvironment(tmp_path, torch=version)
    assert TorchStep(environment, machine=CUDA).condition() == "done"


@pytest.mark.parametrize("is_old_record", [False, True])
def test_a_chosen_index_stays_chosen_whatever_would_suit(
    tmp_path: Path, looked_up: list[str], is_old_record: bool
) -> None:
    index = "https://mirror.example/cpu" if is_old_record else CPU_INDEX
    environment = RecordingEnvironment(tmp_path, torch="2.13.0+cpu")
    if is_old_record:
        # uv names none but torch's own.
        (tmp_path / "torch-index").write_text(index)
    else:
        TorchStep(environment, index, CUDA).do()
    step = TorchStep(environment, machine=CUDA)
    assert step.condition() == "done"
    # Damaged, perhaps.
    step.do()
    assert environment.asked[-1] == ([TESTED_TORCH, "--force-reinstall"], index)
    assert looked_up == []
    assert step.condition() == "done"


def test_choosing_the_index_that_torch_came_from_fetches_nothing(
    tmp_path: Path, looked_up: list[str]
) -> None:
    environment = RecordingEnvironment(tmp_path, torch="2.13.0+cpu")
    TorchStep(environment, machine=CPU).do()
    step = TorchStep(environment, CPU_INDEX, CUDA)
    assert step.condition() == "outdated"
    assert step.cost == Cost()
    step.do()
    assert len(environment.asked) == len(looked_up) == 1
    assert step.condition() == TorchStep(environment, machine=CUDA).condition() == "done"


@pytest.mark.parametrize(
    ("wheel", "condition"),
    [("torch-2.13.0+cpu-cp313.whl", "done"), ("torch-2.13.0+cu130-cp313.whl", "outdated")],
)
def test_an_offline_folder_is_asked_for_the_build_that_it_holds_alone(
    tmp_path: Path, looked_up: list[str], wheel: str, condition: str
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / wheel).touch()
    environment = RecordingEnvironment(tmp_path, torch="2.13.0+cpu", offline=wheels)
    step = TorchStep(environment, machine=CUDA)
    assert step.condition() == condition
    # On a machine without a card, either will do.
    assert TorchStep(environment, machine=CPU).condition() == "done"
    assert str(step.title).endswith("in the build that the offline folder holds")
    step.do()
    assert environment.asked == [([TESTED_TORCH, "--force-reinstall"], None)]
    assert looked_up == []
    # With a network, the build that suits is to be had.
    online = RecordingEnvironment(tmp_path, torch="2.13.0+cpu")
    assert TorchStep(online, machine=CUDA).condition() == "outdated"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="all names are Unicode there")
@pytest.mark.parametrize("record", [None, b"cut within a letter \xc3"])
def test_a_data_folder_whose_name_is_no_utf_8_is_installed_into(
    tmp_path: Path, record: bytes | None
) -> None:
    class Installing(Environment):
        installed = False

        def version_of(self, package: str) -> str | None:
            return "0.1.0" if self.installed and package == "restore-old-photo" else None

        def install(self, requirements: Sequence[str], index: str | None = None) -> None:
            del requirements, index
            self.installed = True

        def check(self, code: str) -> None:
            del code

    folder = tmp_path / os.fsdecode(b"j\xf6rg")
    folder.mkdir()
    if record is not None:
        (folder / "project-fingerprint").write_bytes(record)
    step = ProjectStep(Installing(folder, tmp_path / "log", Report()))
    assert step.condition() == "absent"
    step.do()
    assert step.condition() == "done"


def pip_that_says(
    folder: Path, output: str, offline: Path | None = None, report: Report | None = None
) -> Pip:
    """A pip that prints this and fails."""
    folder.mkdir(exist_ok=True)
    (folder / "says").write_text(output)
    program = folder / "python"
    program.write_text(f"#!/bin/sh\ncat '{folder}/says'\nexit 1\n")
    program.chmod(0o755)
    return Pip(program, folder / "pip.log", report or Report(), folder / "temporary", offline)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@posix_only
@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: Retrying ... NewConnectionError\nERROR: No matching distribution", "network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for this computer"),
        ("ssl.SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "identity"),
        ("ERROR: something else", "something else"),
    ],
)
def test_what_pip_says_becomes_a_reason_and_an_advice(
    tmp_path: Path, output: str, words: str
) -> None:
    with pytest.raises(InstallationError) as caught:
        pip_that_says(tmp_path, output).run(["install", "torch"], TASK)
    assert words in str(caught.value)
    assert "then try again" in str(caught.value)
    assert str(tmp_path / "pip.log") in str(caught.value)


@posix_only
def test_a_package_that_an_offline_folder_lacks_is_named(tmp_path: Path) -> None:
    output = "ERROR: No matching distribution found for numpy>=1.26"
    pip = pip_that_says(tmp_path, output, offline=tmp_path / "wheels")
    with pytest.raises(InstallationError, match=r"has no numpy for Python 3\.\d+, .*--fill-off"):
        pip.run(["install", "torch"], TASK)


@posix_only
def test_downloads_are_told_with_their_size_and_their_progress(tmp_path: Path) -> None:
    class Listening(Report):
        def __init__(self) -> None:
            super().__init__()
            self.lines: list[str] = []
            self.transfers: list[Transfer] = []

        def detail(self, line: Message) -> None:
            self.lines.append(str(line))

        def transfer(self, transfer: Transfer) -> None:
            self.transfers.append(transfer)

    output = (
        "Collecting torch\n  Downloading wheels/torch-2.13.0-cp311.whl (190.1 MB)\n"
        "Progress 1000 of 190100000\n  Downloading small-1.0.whl (12 kB)\n"
    )
    report = Listening()
    pip = pip_that_says(tmp_path, output, report=report)
    with pytest.raises(InstallationError):
        pip.run(["install", "torch"], TASK)
    assert report.lines == ["downloading torch-2.13.0-cp311.whl (190 MB)"]
    assert report.transfers == [Transfer("torch-2.13.0-cp311.whl", 1000, 190_100_000)]
    # Of use to a progress bar alone.
    assert "Progress" not in (tmp_path / "pip.log").read_text()


def test_a_missing_venv_package_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in ("ensurepip", "pip") else real(name),
    )
    with pytest.raises(InstallationError, match=r"apt install python3\.\d+-venv"):
        Environment(tmp_path / "environment", tmp_path / "log", Report()).create()


@pytest.mark.slow
def test_without_ensurepip_the_pip_of_this_python_makes_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = Path(ensurepip.__file__).parent / "_bundled"
    if not list(bundled.glob("pip-*.whl")):
        pytest.skip("this Python's ensurepip brings no pip")
    real = importlib.util.find_spec
    missing = ("ensurepip", "pip")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else real(name)
    )
    environment = Environment(tmp_path / "environment", tmp_path / "log", Report(), bundled)
    environment.create()
    assert environment.works()


@pytest.mark.slow
@needs_mounts
def test_a_disk_that_fills_up_while_the_environment_is_made_is_one_sentence(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", size_bytes=2_000_000) as disk:
        environment = Environment(disk / "environment", tmp_path / "log", Report())
        with pytest.raises(InstallationError, match=r"could not be made \(no space left"):
            environment.create()


def test_settings_of_the_users_own_python_do_not_reach_ours() -> None:
    clean = clean_environment(
        {"PYTHONPATH": "x", "PYTHONHOME": "y", "PIP_TARGET": "z", "HTTPS_PROXY": "kept"}
    )
    assert clean["HTTPS_PROXY"] == "kept"
    assert clean["PIP_USER"] == "0"
    assert not {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET"} & clean.keys()
