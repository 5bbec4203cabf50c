"""Which Pythons and users are refused, and in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from installer import interpreter
from installer.errors import InstallationError
from installer.interpreter import check_interpreter, check_user, is_gimps_own


@pytest.mark.parametrize(
    ("base_prefix", "environment"),
    [
        ("/Applications/GIMP.app/Contents/Resources", {}),
        ("/Applications/GIMP-2.10.app/Contents/Resources", {}),
        ("/snap/gimp/525/usr", {}),
        ("/tmp/.mount_GIMP1/usr", {"APPDIR": "/tmp/.mount_GIMP1", "APPIMAGE": "/x/GIMP.AppImage"}),
    ],
)
def test_gimps_own_python_is_refused(base_prefix: str, environment: dict[str, str]) -> None:
    with pytest.raises(InstallationError, match="GIMP's own Python"):
        check_interpreter(environment, base_prefix)


def test_the_python_of_a_gimp_for_windows_is_known_by_the_programs_beside_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "GIMP 3"
    (folder / "bin").mkdir(parents=True)
    assert not is_gimps_own(str(folder), {})
    (folder / "bin" / "gimp-3.0.exe").touch()
    assert is_gimps_own(str(folder), {})


@pytest.mark.parametrize(
    "base_prefix", ["/usr", "/home/gimp/.pyenv/versions/3.12.1", "/opt/gimp-tools/python"]
)
def test_another_python_is_taken_whatever_its_folder_is_called(base_prefix: str) -> None:
    check_interpreter({}, base_prefix, Path("/nonexistent"))


def test_a_sandbox_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match=r"the Flatpak org\.gimp\.GIMP"):
        check_interpreter({"FLATPAK_ID": "org.gimp.GIMP"}, "/usr", tmp_path)


def test_the_stores_python_is_refused_because_it_hides_what_it_writes() -> None:
    store = r"C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.12_3.12.1_x64"
    with pytest.raises(InstallationError, match="Microsoft Store"):
        check_interpreter({}, store, Path("/nonexistent"))


def test_sudo_is_refused_and_root_itself_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "is_root", lambda: True)
    with pytest.raises(InstallationError, match=r"not for joerg.*without sudo"):
        check_user({"SUDO_USER": "joerg"})
    check_user({})
    check_user({"SUDO_USER": "root"})
    monkeypatch.setattr(interpreter, "is_root", lambda: False)
    check_user({"SUDO_USER": "joerg"})


def test_the_installer_starts_by_the_name_of_its_folder_from_anywhere(tmp_path: Path) -> None:
    folder = Path(interpreter.__file__).parent
    command = [sys.executable, str(folder), "--help"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "python3 -m installer" in ran.stdout
