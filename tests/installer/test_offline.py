"""A folder filled on one machine sets up another that has no network."""

from __future__ import annotations

import ensurepip
import json
import shutil
from pathlib import Path

import pytest

from installer.errors import InstallationError
from installer.offline import OfflineFolder, WeightsStep
from installer.pip import this_platform
from tests.installer.conftest import User, write_wheel


@pytest.fixture
def folder(tmp_path: Path) -> OfflineFolder:
    """A complete folder with one wheel and one network."""
    folder = OfflineFolder(tmp_path / "för drüben")
    folder.begin()
    for place in ("wheels/torch-2.13.0-py3-none-any.whl", "weights/imported/lama.safetensors"):
        (folder.path / place).parent.mkdir(parents=True)
        (folder.path / place).write_bytes(b"content")
    folder.record()
    return folder


def test_a_folder_as_it_was_filled_is_taken(folder: OfflineFolder) -> None:
    folder.check()


def test_a_folder_that_was_not_filled_to_its_end_is_refused(folder: OfflineFolder) -> None:
    folder.begin()
    with pytest.raises(InstallationError, match=r"no complete folder.*--fill-offline FOLDER"):
        folder.check()


@pytest.mark.parametrize("text", ["[]", "{}", '{"platform": 3, "files": [1]}', "3"])
def test_a_record_of_another_kind_is_no_complete_folder(folder: OfflineFolder, text: str) -> None:
    (folder.path / "offline.json").write_text(text)
    with pytest.raises(InstallationError, match="no complete folder"):
        folder.check()


def test_a_missing_wheel_is_named(folder: OfflineFolder) -> None:
    (folder.wheels / "torch-2.13.0-py3-none-any.whl").unlink()
    with pytest.raises(InstallationError, match=r"torch-2\.13\.0-py3-none-any\.whl is missing"):
        folder.check()


@pytest.mark.parametrize("content", [b"conten", b"CONTENT"])
def test_a_damaged_file_is_named(folder: OfflineFolder, content: bytes) -> None:
    (folder.weights / "imported" / "lama.safetensors").write_bytes(content)
    with pytest.raises(InstallationError, match=r"lama\.safetensors is damaged"):
        folder.check()


def test_a_folder_for_another_system_is_refused_with_both_names(folder: OfflineFolder) -> None:
    record = folder.path / "offline.json"
    facts = json.loads(record.read_text())
    record.write_text(json.dumps({**facts, "platform": "Python 3.12 on Windows AMD64"}))
    with pytest.raises(InstallationError) as caught:
        folder.check()
    assert "made for Python 3.12 on Windows AMD64" in str(caught.value)
    assert f"this is {this_platform()}" in str(caught.value)


def test_networks_come_along_and_those_that_are_there_stay(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for place, content in (("a.json", "record"), ("a.safetensors", "network"), ("b.json", "new")):
        (source / place).parent.mkdir(exist_ok=True)
        (source / place).write_text(content)
    target.mkdir()
    (target / "b.json").write_text("the user's")
    step = WeightsStep(source, target)
    assert step.condition() == "absent"
    assert step.cost.disk_bytes == len("recordnetwork")
    step.do()
    assert step.condition() == "done"
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "a.json": "record",
        "a.safetensors": "network",
        "b.json": "the user's",
    }


@pytest.mark.slow
def test_a_filled_folder_installs_where_pip_has_no_index(user: User, tmp_path: Path) -> None:
    weights = user.data / "weights" / "imported" / "lama.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"network")
    pips = list((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    if not pips:
        pytest.skip("this Python's ensurepip brings no pip")
    shutil.copy(pips[0], user.wheels)
    write_wheel(user.wheels, "setuptools", "80.0")
    folder = tmp_path / "stick with spaces"
    status, output = user.install("--fill-offline", str(folder))
    assert status == 0, output
    assert "--offline FOLDER" in output
    wheels = {path.name.split("-")[0] for path in (folder / "wheels").iterdir()}
    assert wheels == {"torch", "pip", "setuptools"}
    assert not (folder / "incomplete").exists()

    weights.unlink()
    user.profile.mkdir(parents=True)
    user.variables |= {"PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    status, output = user.install("--offline", str(folder), "--no-demo")
    assert status == 0, output
    assert weights.read_bytes() == b"network"
    assert "installation.json" in {path.name for path in user.data.iterdir()}

    (folder / "wheels" / "torch-2.13.0+cpu-py3-none-any.whl").write_bytes(b"")
    status, output = user.install("--offline", str(folder), "--repair", "--no-demo")
    assert status == 1
    assert "torch-2.13.0+cpu-py3-none-any.whl is damaged" in output
