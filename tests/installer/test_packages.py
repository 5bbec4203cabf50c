"""torch and the environment: what is asked of pip, and what its failures become."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from installer import environment as environment_module
from installer.environment import Environment
from installer.errors import InstallationError
from installer.packages import TESTED_TORCH, TorchStep
from installer.processes import CommandError, clean_environment


class RecordingEnvironment(Environment):
    """Instead of running pip it notes what was asked, and offers the given torch alone."""

    def __init__(self, folder: Path, torch: str | None, offered: str = TESTED_TORCH) -> None:
        super().__init__(folder, folder / "log", print)
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
            raise InstallationError("pip failed") from cause


def test_the_tested_torch_is_asked_for_from_pips_own_index(tmp_path: Path) -> None:
    environment = RecordingEnvironment(tmp_path, torch=None)
    TorchStep(environment).do()
    assert environment.asked == [(["torch==2.13.0"], None)]


def test_any_supported_torch_is_taken_where_the_tested_one_has_no_build(tmp_path: Path) -> None:
    environment = RecordingEnvironment(tmp_path, torch=None, offered="torch>=2.6")
    TorchStep(environment).do()
    assert [requirements[0] for requirements, _ in environment.asked] == [
        "torch==2.13.0",
        "torch>=2.6",
    ]


def test_a_network_failure_is_not_answered_with_another_torch(tmp_path: Path) -> None:
    class Offline(RecordingEnvironment):
        def install(self, requirements: Sequence[str], index: str | None = None) -> None:
            self.asked.append((requirements, index))
            raise InstallationError("offline") from CommandError(["pip"], 1, "ReadTimeoutError")

    environment = Offline(tmp_path, torch=None)
    with pytest.raises(InstallationError):
        TorchStep(environment).do()
    assert len(environment.asked) == 1


@pytest.mark.parametrize(
    ("version", "is_kept"),
    [("2.6.0", True), ("2.13.0+cpu", True), ("3.0", True), ("2.5.1", False), (None, False)],
)
def test_a_torch_that_is_new_enough_is_kept(
    tmp_path: Path, version: str | None, is_kept: bool
) -> None:
    assert TorchStep(RecordingEnvironment(tmp_path, torch=version)).is_done() is is_kept


def test_choosing_an_index_replaces_a_torch_from_elsewhere_once(tmp_path: Path) -> None:
    environment = RecordingEnvironment(tmp_path, torch="2.13.0")
    step = TorchStep(environment, index="file:///wheels")
    assert not step.is_done()
    step.do()
    assert environment.asked == [([TESTED_TORCH, "--force-reinstall"], "file:///wheels")]
    assert step.is_done()
    assert TorchStep(environment).is_done()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: Retrying ... NewConnectionError\nERROR: No matching distribution", "network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for this machine"),
        ("ssl.SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "identity"),
        ("ERROR: something else", "something else"),
    ],
)
def test_what_pip_says_becomes_a_reason_and_an_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, words: str
) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise CommandError(["pip"], 1, output)

    monkeypatch.setattr(environment_module, "run_logged", fail)
    environment = Environment(tmp_path, tmp_path / "pip.log", print)
    with pytest.raises(InstallationError) as caught:
        environment.install(["torch"])
    assert words in str(caught.value)
    assert "run this again" in str(caught.value)
    assert str(tmp_path / "pip.log") in str(caught.value)


def test_large_downloads_are_said_with_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretend(_: Sequence[str], __: Path, on_line: Any) -> str:
        on_line("Collecting torch")
        on_line("  Downloading wheels/torch-2.13.0-cp311.whl (190.1 MB)")
        on_line("  Downloading small-1.0.whl (12 kB)")
        return ""

    monkeypatch.setattr(environment_module, "run_logged", pretend)
    said: list[str] = []
    Environment(tmp_path, tmp_path / "pip.log", said.append).install(["torch"])
    assert [line.strip() for line in said] == ["downloading torch-2.13.0-cp311.whl (190.1 MB)"]


def test_a_missing_venv_package_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ensurepip" else real(name)
    )
    with pytest.raises(InstallationError, match=r"apt install python3\.\d+-venv"):
        Environment(tmp_path / "environment", tmp_path / "log", print).create()


def test_gimps_own_python_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.base_prefix", "/Applications/GIMP.app/Contents/Resources")
    with pytest.raises(InstallationError, match="GIMP's own Python"):
        Environment(tmp_path / "environment", tmp_path / "log", print).create()


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InstallationError, match=r"1\.0 GB free"):
        Environment(tmp_path / "environment", tmp_path / "log", print).create()
    assert list(tmp_path.iterdir()) == []


def test_settings_of_the_users_own_python_do_not_reach_ours() -> None:
    clean = clean_environment(
        {"PYTHONPATH": "x", "PYTHONHOME": "y", "PIP_TARGET": "z", "HTTPS_PROXY": "kept"}
    )
    assert clean["HTTPS_PROXY"] == "kept"
    assert clean["PIP_USER"] == "0"
    assert not {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET"} & clean.keys()
