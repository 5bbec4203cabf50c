"""Which profiles receive the plug-in."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from installer.errors import InstallationError
from installer.gimp import PluginStep, Targets, find_targets
from plugin.profiles import Profile
from plugin.remembered import remember_profiles, remembered_profiles
from tests.installer.conftest import write_gimp

INSTALLATION = {"python": "/env/bin/python", "home": "/data", "version": "0.1.0"}


def targets_of(
    home: Path, path: Path | None = None, named: tuple[Path, ...] | None = None
) -> Targets:
    return find_targets(named, "linux", {"PATH": str(path) if path else ""}, home)


def folders_of(targets: Targets, home: Path) -> list[str]:
    return [profile.folder.relative_to(home).as_posix() for profile, _ in targets.profiles]


def make_profile(home: Path, version: str) -> Path:
    folder = home / ".config" / "GIMP" / version
    folder.mkdir(parents=True)
    return folder


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")


def test_every_profile_from_2_10_on_receives_it_and_older_ones_are_mentioned(
    tmp_path: Path,
) -> None:
    for version in ("2.8", "2.10", "3.0", "3.2"):
        make_profile(tmp_path, version)
    targets = targets_of(tmp_path)
    wanted = [".config/GIMP/2.10", ".config/GIMP/3.0", ".config/GIMP/3.2"]
    assert folders_of(targets, tmp_path) == wanted
    assert len(targets.notes) == 2
    assert "GIMP 2.8" in str(targets.notes[0])
    assert "too old" in str(targets.notes[0])
    assert "Python 2.7" in str(targets.notes[1])


@pytest.mark.parametrize(("version", "host"), [("2.10", "gimp2"), ("3.0", "gimp3")])
def test_each_profile_receives_the_plug_in_of_its_gimp(
    tmp_path: Path, version: str, host: str
) -> None:
    step = PluginStep(Profile(tmp_path / "profile", version), INSTALLATION)
    assert step.condition() == "absent"
    step.do()
    assert step.condition() == "done"
    folder = tmp_path / "profile" / "plug-ins" / "restore-old-photo"
    assert (folder / f"restore_old_photo_{host}").is_dir()
    step.undo()
    assert step.condition() == "absent"


def test_no_gimp_at_all_is_one_sentence(tmp_path: Path) -> None:
    targets = targets_of(tmp_path)
    assert targets.profiles == []
    assert len(targets.notes) == 1
    assert "No GIMP was found" in str(targets.notes[0])


@posix_only
def test_a_gimp_on_the_path_without_a_profile_will_get_one(tmp_path: Path) -> None:
    write_gimp(tmp_path / "bin", "gimp", "3.2.6")
    console = write_gimp(tmp_path / "bin", "gimp-console-3.2", "3.2.6")
    home = tmp_path / "home"
    targets = targets_of(home, tmp_path / "bin")
    assert folders_of(targets, home) == [".config/GIMP/3.2"]
    assert targets.profiles[0][1] == console


@posix_only
def test_gimp_2_on_the_path_is_no_reason_for_a_profile(tmp_path: Path) -> None:
    write_gimp(tmp_path / "bin", "gimp", "2.10.34")
    assert targets_of(tmp_path / "home", tmp_path / "bin").profiles == []


@posix_only
def test_a_folder_that_would_keep_gimp_from_taking_over_older_settings_is_not_made(
    tmp_path: Path,
) -> None:
    write_gimp(tmp_path / "bin", "gimp", "3.2.6")
    make_profile(tmp_path / "home", "2.10")
    targets = targets_of(tmp_path / "home", tmp_path / "bin")
    assert folders_of(targets, tmp_path / "home") == [".config/GIMP/2.10"]
    assert any("start it once" in str(note) for note in targets.notes)


@posix_only
@pytest.mark.parametrize("name", ["gimp", "gimp-console-3.0"])
@pytest.mark.parametrize("version", ["2.10", "3.0"])
def test_a_sandboxed_gimp_does_not_stand_for_the_systems_own(
    tmp_path: Path, name: str, version: str
) -> None:
    write_gimp(tmp_path / "bin", name, "3.0.4")
    flatpak = f".var/app/org.gimp.GIMP/config/GIMP/{version}"
    (tmp_path / flatpak).mkdir(parents=True)
    targets = targets_of(tmp_path, tmp_path / "bin")
    assert folders_of(targets, tmp_path) == [flatpak, ".config/GIMP/3.0"]
    assert not any("start it once" in str(note) for note in targets.notes)


@posix_only
def test_gimp_makes_its_own_profile_before_the_plug_in_comes(tmp_path: Path) -> None:
    folder = tmp_path / "GIMP" / "3.2"
    console = write_gimp(
        tmp_path / "bin", "gimp-console", "3.2.6", f"mkdir -p {folder}; touch {folder}/gimprc"
    )
    step = PluginStep(Profile(folder, "3.2"), INSTALLATION, console)
    step.do()
    assert (folder / "gimprc").exists()
    assert step.condition() == "done"


@posix_only
def test_the_plug_in_comes_also_where_gimp_cannot_make_its_profile(tmp_path: Path) -> None:
    console = write_gimp(tmp_path / "bin", "gimp-console", "3.2.6", "exit 1")
    step = PluginStep(Profile(tmp_path / "3.2", "3.2"), INSTALLATION, console)
    step.do()
    assert step.condition() == "done"


def test_named_profiles_are_the_only_ones(tmp_path: Path) -> None:
    make_profile(tmp_path, "3.0")
    named = tmp_path / "portable"
    targets = targets_of(tmp_path, named=(named,))
    assert [profile.folder for profile, _ in targets.profiles] == [named]


def test_no_profile_may_be_chosen(tmp_path: Path) -> None:
    make_profile(tmp_path, "3.0")
    assert targets_of(tmp_path, named=()).profiles == []


def test_profiles_that_were_named_once_are_found_again_while_they_are_there(
    tmp_path: Path,
) -> None:
    portable = tmp_path / "portable"
    portable.mkdir()
    usual = make_profile(tmp_path, "3.0")
    data = tmp_path / "data"
    data.mkdir()
    assert remembered_profiles(data) == []
    remember_profiles(data, [Profile(portable, "3"), Profile(tmp_path / "gone", "3")])
    remember_profiles(data, [Profile(usual, "3.0")])
    remembered = remembered_profiles(data)
    assert [p.folder for p in remembered] == [portable, tmp_path / "gone", usual]
    targets = find_targets(None, "linux", {"PATH": ""}, tmp_path, remembered)
    assert [profile.folder for profile, _ in targets.profiles] == [usual, portable]


def targets_with_a_variable_of_gimp_2(home: Path) -> Targets:
    (home / "my-gimp").mkdir(exist_ok=True)
    return find_targets(None, "linux", {"GIMP2_DIRECTORY": "my-gimp", "PATH": ""}, home)


def test_a_profile_that_a_variable_named_keeps_its_version_without_the_variable(
    tmp_path: Path,
) -> None:
    targets = targets_with_a_variable_of_gimp_2(tmp_path)
    ((profile, console),) = targets.profiles
    PluginStep(profile, INSTALLATION, console).do()
    remember_profiles(tmp_path, [profile])
    remembered = remembered_profiles(tmp_path)
    targets = find_targets(None, "linux", {"PATH": ""}, tmp_path, remembered)
    ((again, console),) = targets.profiles
    assert again == profile
    assert PluginStep(again, INSTALLATION, console).condition() == "done"


def test_a_profile_that_a_window_or_an_option_names_keeps_its_version(tmp_path: Path) -> None:
    folder = tmp_path / "my-gimp"
    targets_with_a_variable_of_gimp_2(tmp_path)
    variables = {"GIMP2_DIRECTORY": str(folder), "PATH": ""}
    found = find_targets([folder], "linux", variables, tmp_path)
    remembered = [Profile(folder, "2.10")]
    known = find_targets([folder / "plug-ins"], "linux", {"PATH": ""}, tmp_path, remembered)
    for targets in (found, known):
        assert [profile for profile, _ in targets.profiles] == [Profile(folder, "2.10")]


def test_a_damaged_plug_in_is_told_from_a_missing_one(tmp_path: Path) -> None:
    step = PluginStep(Profile(tmp_path, "3.0"), INSTALLATION)
    step.do()
    (tmp_path / "plug-ins/restore-old-photo/restore_old_photo_shared/client.py").write_text("")
    assert step.condition() == "damaged"
    step.do()
    assert step.condition() == "done"


def test_a_plug_in_of_another_version_is_outdated_and_not_damaged(tmp_path: Path) -> None:
    PluginStep(Profile(tmp_path, "3.0"), {**INSTALLATION, "version": "0.0.9"}).do()
    step = PluginStep(Profile(tmp_path, "3.0"), INSTALLATION)
    assert step.condition() == "outdated"
    step.do()
    assert step.condition() == "done"


def test_a_named_profile_of_2_8_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match=r"2\.8, which is too old"):
        targets_of(tmp_path, named=(tmp_path / "2.8",))


def test_taking_the_plug_in_back_leaves_nothing_of_it(tmp_path: Path) -> None:
    step = PluginStep(Profile(tmp_path / "3.0", "3.0"), INSTALLATION)
    step.do()
    # What a killed installation leaves beside it.
    (tmp_path / "3.0" / "plug-ins" / ".restore-old-photo.incomplete").mkdir()
    step.undo()
    # An empty profile would keep GIMP from taking over older settings.
    assert list(tmp_path.iterdir()) == []
    step.undo()


@pytest.mark.parametrize("place", ["gimprc", "plug-ins/another/another.py"])
def test_taking_the_plug_in_back_leaves_what_else_is_in_the_profile(
    tmp_path: Path, place: str
) -> None:
    other = tmp_path / "3.0" / place
    other.parent.mkdir(parents=True)
    other.touch()
    step = PluginStep(Profile(tmp_path / "3.0", "3.0"), INSTALLATION)
    step.do()
    step.undo()
    assert {path for path in tmp_path.rglob("*") if not path.is_dir()} == {other}
    assert (tmp_path / "3.0" / "plug-ins").exists() == ("plug-ins" in place)


def test_a_folder_in_the_way_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "3.0").touch()
    step = PluginStep(Profile(tmp_path / "3.0", "3.0"), INSTALLATION)
    with pytest.raises(InstallationError, match="could not be written"):
        step.do()
