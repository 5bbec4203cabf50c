"""What doctor says, and when it fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend import doctor
from backend.doctor import Check
from plugin.layout import install_plugin
from plugin.profiles import Gimp, Profile, profile_of
from plugin.remembered import remember_profiles
from tests.installer.conftest import write_gimp

INSTALLATION = {"python": sys.executable, "home": "home", "version": "0.1.0"}


def report(checks: list[Check], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(doctor, "all_checks", lambda: iter(checks))
    return doctor.main([])


def test_each_check_is_one_line_and_success_needs_only_the_essential(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [
        Check("torch", "ok", "2.13.0", is_essential=True),
        Check("GIMP 3.0", "not ok", "missing"),
        Check("backend", "-", "not running"),
    ]
    assert report(checks, monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["ok", "not", "-"]
    assert lines[3] == "Photos can be restored."


def test_a_missing_essential_part_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert report([Check("torch", "not ok", "missing", is_essential=True)], monkeypatch) == 1


def test_a_package_that_cannot_be_loaded_is_a_line_with_advice_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    faces = [c for c in cheap_checks(monkeypatch) if c.subject == "face detection"]
    assert [check.state for check in faces] == ["not ok"]
    assert faces[0].is_essential
    assert "python3 -m installer" in faces[0].detail


def cheap_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Check]:
    monkeypatch.setattr(doctor, "find_profiles", list)
    monkeypatch.setattr(doctor, "find_gimps", lambda _: [])
    return doctor.all_checks()


def test_a_missing_weight_file_fails_with_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("models.registry.bundled_folder", lambda: tmp_path)
    monkeypatch.setattr("models.loading.bundled_folder", lambda: tmp_path)
    weights = [c for c in cheap_checks(monkeypatch) if c.subject == "bundled weights"]
    assert [check.state for check in weights] == ["not ok"]
    assert str(tmp_path) in weights[0].detail


def test_official_weights_are_optional_but_a_damaged_file_is_named(tmp_path: Path) -> None:
    assert doctor.check_official_weights(tmp_path).state == "-"
    path = "Face_Enhancement/checkpoints/Setting_9_epoch_100/latest_net_G.pth"
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b"half a file")
    check = doctor.check_official_weights(tmp_path)
    assert check.state == "not ok"
    assert path in check.detail


def test_a_data_folder_below_a_file_cannot_be_used(tmp_path: Path) -> None:
    assert doctor.check_data_folder(tmp_path / "new" / "folder").state == "ok"
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    check = doctor.check_data_folder(tmp_path / "file" / "folder")
    assert check.state == "not ok"
    # Photos are restored without it, only GIMP and downloads need it.
    assert not check.is_essential


def test_an_installation_that_was_cut_short_is_reported(tmp_path: Path) -> None:
    (tmp_path / "installation.incomplete").touch()
    assert "incomplete" in doctor.check_data_folder(tmp_path).detail


def test_a_backend_that_does_not_run_is_no_fault(tmp_path: Path) -> None:
    assert doctor.check_backend(tmp_path).state == "-"


def test_each_profile_says_whether_its_plug_in_is_whole(tmp_path: Path) -> None:
    (tmp_path / "installation.json").write_text(json.dumps(INSTALLATION))
    whole = Profile(tmp_path / "3.0", "3.0")
    install_plugin(whole.plug_ins, INSTALLATION)
    missing = Profile(tmp_path / "3.2", "3.2")
    python_2 = Profile(tmp_path / "2.10", "2.10")
    install_plugin(python_2.plug_ins, INSTALLATION, 2)
    old = Profile(tmp_path / "2.8", "2.8")
    checks = list(doctor.check_gimp([old, python_2, whole, missing], [], tmp_path))
    assert [check.state for check in checks] == ["-", "ok", "ok", "not ok"]
    assert "Python 2.7" in checks[1].detail
    assert "python3 -m installer" in checks[3].detail
    assert not any(check.is_essential for check in checks)


def test_without_gimp_one_line_says_so(tmp_path: Path) -> None:
    (check,) = doctor.check_gimp([], [], tmp_path)
    assert check.state == "-"
    assert "command line" in check.detail


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
@pytest.mark.parametrize(
    ("body", "state"),
    [("echo DOCTOR True", "ok"), ("echo DOCTOR False", "not ok"), ("exit 69", "-")],
)
def test_gimp_itself_is_asked_for_the_procedure(tmp_path: Path, body: str, state: str) -> None:
    console = write_gimp(tmp_path, "gimp-console", "3.0.4", body)
    profile = Profile(tmp_path / "3.0", "3.0")
    checks = list(doctor.check_gimp([profile], [Gimp("3.0", console)], tmp_path))
    assert checks[-1].subject == "gimp-console"
    assert checks[-1].state == state


def test_profiles_that_the_installer_was_told_of_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, usual = tmp_path / "elsewhere" / "3.2", tmp_path / "usual" / "3.0"
    for folder in (named, usual):
        folder.mkdir(parents=True)
    monkeypatch.setattr(doctor, "find_profiles", lambda: [profile_of(usual)])
    assert [profile.folder for profile in doctor.known_profiles(tmp_path)] == [usual]
    names = [str(named), str(usual), str(tmp_path / "gone"), 7]
    (tmp_path / "profiles.json").write_text(json.dumps(names))
    assert [profile.folder for profile in doctor.known_profiles(tmp_path)] == [usual, named]
    remember_profiles(tmp_path, [Profile(named, "2.10")])
    assert doctor.known_profiles(tmp_path)[1] == Profile(named, "2.10")
    (tmp_path / "profiles.json").write_text("damaged")
    assert [profile.folder for profile in doctor.known_profiles(tmp_path)] == [usual]
