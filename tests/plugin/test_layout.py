"""The files of the installed plug-in, and how they get into a profile."""

from __future__ import annotations

import json
import os
import py_compile
from pathlib import Path

import pytest

from plugin.layout import install_plugin, plugin_files

INSTALLATION = {"python": "/env/bin/python", "home": "/data", "version": "1"}


both_generations = pytest.mark.parametrize("generation", [2, 3])


@both_generations
def test_the_entry_is_named_like_its_folder_and_executable(tmp_path: Path, generation: int) -> None:
    installed = install_plugin(tmp_path, INSTALLATION, generation)
    entry = tmp_path / "restore-old-photo" / "restore-old-photo.py"
    assert entry in installed
    assert entry.read_bytes().startswith(b"#!/usr/bin/env python%d\n" % generation)
    assert os.name != "posix" or os.access(entry, os.X_OK)


def test_shared_code_lies_beside_it_under_a_name_of_its_own(tmp_path: Path) -> None:
    install_plugin(tmp_path, INSTALLATION)
    folder = tmp_path / "restore-old-photo"
    assert (folder / "restore_old_photo_shared" / "run.py").is_file()
    assert json.loads((folder / "installation.json").read_text()) == INSTALLATION


@both_generations
def test_every_installed_module_compiles_and_none_is_a_left_over(
    tmp_path: Path, generation: int
) -> None:
    installed = install_plugin(tmp_path, INSTALLATION, generation)
    modules = [path for path in installed if path.suffix == ".py"]
    for path in modules:
        py_compile.compile(str(path), cfile=str(tmp_path / "compiled"), doraise=True)
    places = plugin_files(generation)
    assert len(modules) == len([place for place in places if place.endswith(".py")])
    assert not [path for path in installed if "__pycache__" in path.parts]


def test_a_second_installation_replaces_the_first_wholly(tmp_path: Path) -> None:
    install_plugin(tmp_path, INSTALLATION)
    stale = tmp_path / "restore-old-photo" / "restore_old_photo_shared" / "stale.py"
    stale.write_text("")
    install_plugin(tmp_path, {**INSTALLATION, "version": "2"})
    assert not stale.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["restore-old-photo"]
    record = json.loads((tmp_path / "restore-old-photo" / "installation.json").read_text())
    assert record["version"] == "2"


def test_an_installation_that_broke_off_is_repaired_by_the_next(tmp_path: Path) -> None:
    (tmp_path / ".restore-old-photo.incomplete" / "half").mkdir(parents=True)
    (tmp_path / ".restore-old-photo.previous").mkdir()
    install_plugin(tmp_path, INSTALLATION)
    assert [path.name for path in tmp_path.iterdir()] == ["restore-old-photo"]


def test_a_linked_checkout_is_replaced_and_not_deleted(tmp_path: Path) -> None:
    checkout, plugins = tmp_path / "checkout", tmp_path / "plug-ins"
    checkout.mkdir()
    plugins.mkdir()
    (checkout / "mine.py").write_text("")
    (plugins / "restore-old-photo").symlink_to(checkout)
    install_plugin(plugins, INSTALLATION)
    assert (checkout / "mine.py").exists()
    assert not (plugins / "restore-old-photo").is_symlink()


def test_a_failed_installation_keeps_the_old_plug_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path, INSTALLATION)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("plugin.layout.shutil.copyfile", fail)
    with pytest.raises(OSError, match="No space left"):
        install_plugin(tmp_path, {**INSTALLATION, "version": "2"})
    record = json.loads((tmp_path / "restore-old-photo" / "installation.json").read_text())
    assert record["version"] == "1"


def test_an_update_from_gimp_2_10_to_3_leaves_nothing_of_the_other_host(tmp_path: Path) -> None:
    install_plugin(tmp_path, INSTALLATION, 2)
    install_plugin(tmp_path, INSTALLATION, 3)
    folders = sorted(path.name for path in (tmp_path / "restore-old-photo").iterdir())
    assert "restore_old_photo_gimp3" in folders
    assert "restore_old_photo_gimp2" not in folders


def test_only_the_hosts_import_what_gimp_gives() -> None:
    for place, origin in {**plugin_files(2), **plugin_files(3)}.items():
        if place.startswith("restore_old_photo_shared/"):
            assert "gi.repository" not in origin.read_text()
            assert "import gimp" not in origin.read_text()
