"""The copy of the checkout that is installed."""

from __future__ import annotations

from pathlib import Path

from installer.project import CHECKOUT, copy_project, project_fingerprint, project_version
from models.registry import bundled_files
from plugin.layout import plugin_files


def test_the_version_is_that_of_pyproject() -> None:
    assert f'version = "{project_version()}"' in (CHECKOUT / "pyproject.toml").read_text()


def test_the_copy_holds_the_plug_in_and_all_that_belongs_to_the_package(tmp_path: Path) -> None:
    copy_project(tmp_path)
    needed = [CHECKOUT / "pyproject.toml", CHECKOUT / "models" / "manifest.json"]
    needed += plugin_files().values()
    needed += [path for path in bundled_files().values() if path.is_file()]
    for path in needed:
        copy = tmp_path / path.relative_to(CHECKOUT)
        assert copy.read_bytes() == path.read_bytes()
    assert not list(tmp_path.rglob("__pycache__"))


def test_the_copy_of_what_nobody_may_write_to_can_be_removed(tmp_path: Path) -> None:
    copy_project(tmp_path / "checkout")
    for path in (tmp_path / "checkout").rglob("*"):
        path.chmod(path.stat().st_mode & ~0o222)
    copy_project(tmp_path / "copy", tmp_path / "checkout")
    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "copy").rglob("*"))


def test_the_fingerprint_follows_contents_and_names_and_nothing_else(tmp_path: Path) -> None:
    copy_project(tmp_path)
    before = project_fingerprint(tmp_path)
    (tmp_path / "backend" / "__pycache__").mkdir()
    (tmp_path / "backend" / "__pycache__" / "errors.cpython-311.pyc").touch()
    assert project_fingerprint(tmp_path) == before
    options = tmp_path / "backend" / "options.py"
    options.write_text(options.read_text() + "\n")
    changed = project_fingerprint(tmp_path)
    assert changed != before
    options.rename(options.with_name("choices.py"))
    assert project_fingerprint(tmp_path) not in (before, changed)
