"""Where GIMP keeps its profiles: the table of systems and packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from plugin.layout import install_plugin
from plugin.profiles import (
    Profile,
    find_gimps,
    find_profiles,
    plugin_fault,
    profile_of,
    unstarted_package,
)
from tests.installer.conftest import write_gimp

INSTALLATION = {"python": "/env/bin/python", "home": "/data", "version": "0.1.0"}

# system, environment variables ({home} stands for the home folder), profile below the home folder
TABLE = [
    ("linux", {}, ".config/GIMP/2.10"),
    ("linux", {}, ".config/GIMP/3.0"),
    ("linux", {}, ".config/GIMP/3.2"),
    ("linux", {"XDG_CONFIG_HOME": "{home}/elsewhere"}, "elsewhere/GIMP/3.0"),
    ("linux", {"XDG_CONFIG_HOME": "{home}/elsewhere"}, ".config/GIMP/3.2"),
    ("linux", {}, ".var/app/org.gimp.GIMP/config/GIMP/2.10"),
    ("linux", {}, "snap/gimp/current/.config/GIMP/2.10"),
    ("linux", {}, "snap/gimp/current/.config/GIMP/3.0"),
    ("win32", {"APPDATA": "{home}/AppData/Roaming"}, "AppData/Roaming/GIMP/2.10"),
    ("win32", {"APPDATA": "{home}/AppData/Roaming"}, "AppData/Roaming/GIMP/3.0"),
    ("win32", {}, "AppData/Roaming/GIMP/3.2"),
    (
        "win32",
        {"LOCALAPPDATA": "{home}/Local"},
        "Local/Packages/GIMP.GIMP_1a2b3c/LocalCache/Roaming/GIMP/3.0",
    ),
    ("darwin", {}, "Library/Application Support/GIMP/2.10"),
    ("darwin", {}, "Library/Application Support/GIMP/3.2"),
    ("darwin", {"XDG_CONFIG_HOME": "{home}/x"}, "Library/Application Support/GIMP/3.0"),
]


@pytest.mark.parametrize(("system", "variables", "place"), TABLE)
def test_a_profile_is_found_where_gimp_makes_it(
    tmp_path: Path, system: str, variables: dict[str, str], place: str
) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    environment = {name: value.format(home=tmp_path) for name, value in variables.items()}
    (found,) = find_profiles(system, environment, tmp_path)
    assert found.folder == folder
    assert found.version == folder.name
    assert found.plug_ins == folder / "plug-ins"
    assert found.is_supported
    assert found.generation == (2 if folder.name == "2.10" else 3)


def test_all_profiles_of_a_user_are_found_once_each_by_version(tmp_path: Path) -> None:
    native = tmp_path / ".config" / "GIMP"
    for version in ("3.2", "2.10", "3.0"):
        (native / version).mkdir(parents=True)
    (native / "notes").mkdir()
    (native / "3.4").touch()
    # The snap's "current" is a link, and people link profiles, too.
    snap = tmp_path / "snap" / "gimp" / "current" / ".config"
    snap.mkdir(parents=True)
    (snap / "GIMP").symlink_to(native)
    assert [p.version for p in find_profiles("linux", {}, tmp_path)] == ["2.10", "3.0", "3.2"]


def test_gimps_own_variable_replaces_the_profiles_of_its_generation_only(tmp_path: Path) -> None:
    for version in ("2.10", "3.0", "3.2"):
        (tmp_path / ".config" / "GIMP" / version).mkdir(parents=True)
    environment = {"GIMP3_DIRECTORY": str(tmp_path / "mine" / "3.2")}
    folders = [p.folder for p in find_profiles("linux", environment, tmp_path)]
    assert folders == [tmp_path / ".config" / "GIMP" / "2.10", tmp_path / "mine" / "3.2"]


def test_a_relative_variable_is_read_from_the_home_folder_as_gimp_does(tmp_path: Path) -> None:
    (found,) = find_profiles("linux", {"GIMP3_DIRECTORY": "my-gimp"}, tmp_path)
    assert found.folder == tmp_path / "my-gimp"
    assert found.is_supported


def test_a_folder_whose_name_is_no_version_counts_as_gimp_3() -> None:
    assert profile_of(Path("/portable/profile")).generation == 3
    assert profile_of(Path("/portable/2.10")).generation == 2
    assert not profile_of(Path("/portable/2.8")).is_supported


def test_a_variable_of_gimp_2_names_a_profile_of_2_10(tmp_path: Path) -> None:
    (found,) = find_profiles("linux", {"GIMP2_DIRECTORY": "my-gimp"}, tmp_path)
    assert (found.version, found.is_supported) == ("2.10", True)


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
def test_gimps_on_the_path_are_told_apart_by_version(tmp_path: Path) -> None:
    write_gimp(tmp_path / "a", "gimp", "3.0.4")
    console = write_gimp(tmp_path / "a", "gimp-console-3.0", "3.0.4")
    write_gimp(tmp_path / "b", "gimp-3.2", "3.2.6")
    write_gimp(tmp_path / "b", "gimp-2.10", "2.10.34")
    write_gimp(tmp_path / "b", "gimptool-3.0", "3.0.4")
    path = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "missing"), str(tmp_path / "b")])
    gimps = find_gimps({"PATH": path})
    assert [(gimp.version, gimp.console) for gimp in gimps] == [("3.0", console), ("3.2", None)]


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
@pytest.mark.parametrize("name", ["snap", "org.gimp.GIMP"])
def test_the_name_of_a_sandboxed_gimp_on_the_path_is_no_gimp_of_the_system(
    tmp_path: Path, name: str
) -> None:
    program = write_gimp(tmp_path / "real", name, "3.0.4")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gimp").symlink_to(program)
    assert find_gimps({"PATH": str(tmp_path / "bin")}) == []
    write_gimp(tmp_path / "own", "gimp", "3.0.4")
    path = os.pathsep.join([str(tmp_path / "bin"), str(tmp_path / "own")])
    assert [gimp.version for gimp in find_gimps({"PATH": path})] == ["3.0"]


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
@pytest.mark.parametrize(
    ("system", "variable", "folder", "name"),
    [
        ("win32", "ProgramFiles", "GIMP 3/bin", "gimp-console-3.0.exe"),
        ("win32", "LOCALAPPDATA", "Programs/GIMP 3/bin", "gimp-console-3.0.exe"),
        ("darwin", "", "Applications/GIMP.app/Contents/MacOS", "gimp-console"),
    ],
)
def test_a_gimp_in_the_usual_place_is_found_off_the_path(
    tmp_path: Path, system: str, variable: str, folder: str, name: str
) -> None:
    console = write_gimp(tmp_path / folder, name, "3.0.4")
    (gimp,) = find_gimps({"PATH": "", variable: str(tmp_path)}, system, tmp_path)
    assert (gimp.version, gimp.console) == ("3.0", console)


def test_packages_of_gimp_without_a_profile_are_named(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "root"
    (home / "Downloads").mkdir(parents=True)
    assert unstarted_package("linux", home, root) is None
    image = home / "Downloads" / "GIMP-3.0.4-x86_64.AppImage"
    image.touch()
    assert unstarted_package("linux", home, root) == str(image)
    (root / "snap" / "gimp").mkdir(parents=True)
    assert "Snap" in (unstarted_package("linux", home, root) or "")
    (root / "var/lib/flatpak/app/org.gimp.GIMP").mkdir(parents=True)
    assert "Flatpak" in (unstarted_package("linux", home, root) or "")
    assert unstarted_package("darwin", home, root) is None


@pytest.mark.parametrize("version", ["2.10", "3.0"])
def test_an_installed_plug_in_has_no_fault(tmp_path: Path, version: str) -> None:
    profile = Profile(tmp_path, version)
    assert plugin_fault(profile, INSTALLATION) == "it is missing"
    install_plugin(profile.plug_ins, INSTALLATION, profile.generation)
    assert plugin_fault(profile, INSTALLATION) is None
    assert plugin_fault(profile, {**INSTALLATION, "version": "9"}) is not None


def test_the_plug_in_of_the_other_generation_is_a_fault(tmp_path: Path) -> None:
    profile = Profile(tmp_path, "3.0")
    install_plugin(profile.plug_ins, INSTALLATION, 2)
    assert plugin_fault(profile, INSTALLATION) is not None


def test_what_is_wrong_with_a_plug_in_is_named(tmp_path: Path) -> None:
    profile = Profile(tmp_path, "3.0")
    install_plugin(profile.plug_ins, INSTALLATION)
    entry = profile.plug_ins / "restore-old-photo" / "restore-old-photo.py"
    shared = entry.parent / "restore_old_photo_shared" / "protocol.py"
    shared.write_text("# older\n")
    assert plugin_fault(profile, INSTALLATION) == "it is of another version"
    shared.unlink()
    assert plugin_fault(profile, INSTALLATION) == "it is damaged"
    if sys.platform != "win32":
        entry.chmod(0o644)
        assert "not executable" in (plugin_fault(profile, INSTALLATION) or "")
