"""What is said before anything is done: obstacles, each in one sentence, and costs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from installer.errors import InstallationError
from installer.lock import only_installation
from installer.plan import Choices, Plan, check, make_plan
from installer.report import Report, Stop
from tests.installer.mounts import needs_mounts, read_only, small_disk


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user with GIMP 3.0."""
    home = tmp_path / "Jörg Müller"
    (home / ".config" / "GIMP" / "3.0").mkdir(parents=True)
    for name in ("RESTORE_OLD_PHOTO_HOME", "XDG_CONFIG_HOME", "GIMP3_DIRECTORY", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("PATH", "")
    return home


def plan_of(**choices: object) -> Plan:
    return make_plan(Choices(**choices), Report())  # type: ignore[arg-type]


def obstacle_of(plan: Plan) -> str:
    with pytest.raises(InstallationError) as caught:
        check(plan)
    return str(caught.value)


def test_a_new_machine_needs_everything_and_is_told_the_costs(home: Path) -> None:
    plan = plan_of()
    assert plan.state == "absent"
    assert [step.key.split()[0] for step in plan.pending] == [
        *("environment", "torch", "project", "launcher", "plug-in", "record"),
    ]
    assert plan.cost.download_bytes > 300_000_000
    assert plan.needed_disk_bytes > plan.cost.disk_bytes > plan.cost.download_bytes
    check(plan)
    assert not plan.data.exists()
    assert list(home.iterdir()) == [home / ".config"]


def test_what_was_cut_short_is_finished(home: Path) -> None:
    del home
    plan = plan_of()
    plan.marker.write("torch")
    assert plan_of().state == "incomplete"


def test_chosen_profiles_are_the_only_ones(home: Path) -> None:
    del home
    assert plan_of(profiles=[]).plugins == []


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(home)._replace(free=1_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    sentence = obstacle_of(plan_of())
    assert "1.0 GB free, but the installation needs 2." in sentence
    assert "RESTORE_OLD_PHOTO_HOME" in sentence
    assert list(home.iterdir()) == [home / ".config"]


@pytest.mark.parametrize(
    ("place", "step", "is_enough"),
    [
        ("environment/torch.so", "torch", True),
        # It stays, and what is still to be done needs its space beside it.
        ("environment/torch.so", "project", False),
        ("downloads/torch.whl.part", "project", True),
        ("weights/mine", "torch", False),
    ],
)
def test_what_goes_or_is_used_again_takes_no_space_from_the_next_try(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str, step: str, is_enough: bool
) -> None:
    plan = plan_of()
    path = plan.data / place
    path.parent.mkdir(parents=True)
    path.touch()
    # As large as half a torch, but without a single block on the disk.
    os.truncate(path, 400_000_000)
    plan.marker.write(step)
    plan = plan_of()
    usage = shutil.disk_usage(home)._replace(free=plan.needed_disk_bytes - 300_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    if is_enough:
        check(plan)
    else:
        assert "the installation needs" in obstacle_of(plan)


@needs_mounts
def test_a_really_small_disk_is_noticed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del home
    with small_disk(tmp_path / "disk", size_bytes=20_000_000) as disk:
        monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(disk / "data"))
        assert "has 20 MB free" in obstacle_of(plan_of())


@needs_mounts
def test_a_read_only_profile_is_named_before_anything_is_downloaded(home: Path) -> None:
    with read_only(home / ".config" / "GIMP"):
        sentence = obstacle_of(plan_of())
        assert str(home / ".config" / "GIMP" / "3.0") in sentence
        assert "--gimp-profile" in sentence
        # Without that profile nothing is in the way.
        check(plan_of(profiles=[]))


@needs_mounts
def test_a_read_only_home_is_one_sentence(home: Path) -> None:
    with read_only(home):
        assert "cannot be made or written" in obstacle_of(plan_of())


def test_an_offline_folder_is_looked_at_first(home: Path, tmp_path: Path) -> None:
    del home
    plan = plan_of(offline=tmp_path / "nothing")
    assert plan.cost.download_bytes == 0
    assert "no complete folder" in obstacle_of(plan)


def test_a_second_installation_waits_and_the_lock_lasts_as_long_as_the_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installer.lock._WAIT_SECONDS", 0.3)
    stop = Stop()
    if sys.platform == "win32":
        pytest.skip("Windows knows no inherited locks")
    with only_installation(tmp_path, stop):
        orphan = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=stop.descriptors
        )
        with (
            pytest.raises(InstallationError, match="Another installation is at work"),
            only_installation(tmp_path, Stop()),
        ):
            pass
    # What a killed installation leaves behind still writes.
    with (
        pytest.raises(InstallationError, match="Another installation is at work"),
        only_installation(tmp_path, Stop()),
    ):
        pass
    orphan.communicate(b"\n", timeout=60)
    monkeypatch.setattr("installer.lock._WAIT_SECONDS", 20.0)
    with only_installation(tmp_path, Stop()):
        pass
