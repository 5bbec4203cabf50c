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
from installer.messages import Message
from installer.offline import OfflineFolder
from installer.plan import Choices, Plan, check, make_plan, remove
from installer.report import Report, StoppedError
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


@pytest.mark.skipif(sys.platform == "win32", reason="users without a home are known to Unix only")
def test_a_user_without_a_home_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del home
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 54321)
    with pytest.raises(InstallationError, match="set HOME to a folder"):
        plan_of()


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


@pytest.mark.parametrize("name", ["downloads", "environment", "source", "temporary"])
def test_a_folder_with_things_of_the_users_is_refused_and_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = home / "my disk"
    precious = data / name / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.touch()
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(data))
    assert f"{precious.parent}, which is not of Restore Old Photo" in obstacle_of(plan_of())
    with pytest.raises(InstallationError, match="could be lost"):
        remove(plan_of(), Report())
    assert [path for path in data.rglob("*") if path.is_file()] == [precious]


def test_other_things_in_the_data_folder_are_no_obstacle_and_stay(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "disk" / "photos").mkdir(parents=True)
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(home / "disk"))
    check(plan_of())
    remove(plan_of(), Report())
    assert list((home / "disk").iterdir()) == [home / "disk" / "photos"]


def test_a_data_folder_that_is_a_link_goes_with_what_it_leads_to(home: Path) -> None:
    place, data = home / "large disk", plan_of().data
    place.mkdir()
    data.parent.mkdir(parents=True)
    data.symlink_to(place)
    remove(plan_of(), Report())
    assert not data.is_symlink()
    assert not place.exists()


def test_an_offline_folder_is_looked_at_first(home: Path, tmp_path: Path) -> None:
    del home
    plan = plan_of(offline=tmp_path / "nothing")
    assert plan.cost.download_bytes == 0
    assert "no complete folder" in obstacle_of(plan)


def test_the_costs_are_those_of_the_torch_in_the_offline_folder(home: Path, tmp_path: Path) -> None:
    del home
    (tmp_path / "wheels").mkdir()
    usual = plan_of(offline=tmp_path).needed_disk_bytes
    (tmp_path / "wheels" / "nvidia_cublas-13.1.1.3-py3-none-any.whl").touch()
    assert plan_of(offline=tmp_path).needed_disk_bytes - usual > 5_000_000_000


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="no inherited locks there")


def start_orphan(report: Report) -> subprocess.Popen[bytes]:
    """A program of an installation; it goes on until it is told to end."""
    command = [sys.executable, "-c", "input()"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=report.stop.descriptors)


@posix_only
def test_a_second_installation_is_refused_while_the_first_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installer.lock._WAIT_SECONDS", 0.3)
    with (
        only_installation(tmp_path, Report()),
        pytest.raises(InstallationError, match="Another installation is at work"),
        only_installation(tmp_path, Report()),
    ):
        pass
    with only_installation(tmp_path, Report()):
        pass


@posix_only
def test_what_a_killed_installation_left_at_work_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installer.lock._WAIT_SECONDS", 0.0)
    report = Report()
    with only_installation(tmp_path, report):
        orphan = start_orphan(report)
    # As a killed installation leaves it: the number of a process that is gone.
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / "installation.lock").write_text(str(gone.pid))

    class EndingOrphan(Report):
        def say(self, line: Message) -> None:
            assert line.code == "log.leftover"
            orphan.communicate(b"\n", timeout=60)

    with only_installation(tmp_path, EndingOrphan()):
        assert orphan.returncode == 0
    assert orphan.returncode == 0


@posix_only
def test_the_wait_for_it_can_be_stopped_and_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report()
    with only_installation(tmp_path, report):
        orphan = start_orphan(report)

    class Stopping(Report):
        def say(self, line: Message) -> None:
            del line
            self.stop.request()

    with pytest.raises(StoppedError), only_installation(tmp_path, Stopping()):
        pass
    monkeypatch.setattr("installer.lock._LEFTOVER_SECONDS", 0.3)
    with pytest.raises(InstallationError), only_installation(tmp_path, Report()):
        pass
    orphan.communicate(b"\n", timeout=60)


def test_the_folder_that_gimp_shows_stands_for_its_profile_once(home: Path) -> None:
    profile = home / ".config" / "GIMP" / "3.0"
    plan = plan_of(profiles=[profile / "plug-ins", profile, profile])
    assert [step.profile.folder for step in plan.plugins] == [profile]


@pytest.mark.parametrize("name", ["wheels", "weights", "incomplete"])
def test_a_folder_of_the_users_is_not_filled(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious.txt").write_text("mine")
    with pytest.raises(InstallationError, match="name another folder"):
        OfflineFolder(tmp_path).begin()
    assert (tmp_path / name / "precious.txt").read_text() == "mine"
    # What an earlier filling left is gone on with.
    (tmp_path / "pip.log").touch()
    OfflineFolder(tmp_path).begin()


def test_a_tilde_in_the_data_folders_name_is_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", "~/elsewhere")
    assert plan_of().data == home / "elsewhere"
