"""Only the page's own files are given out, whatever a path looks like on some system."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest

from backend.review import assets
from backend.review.assets import UnknownAssetError, read_asset


class WindowsFolder(PureWindowsPath):
    """A folder of a Windows computer on which every file exists."""

    def is_file(self) -> bool:
        return self != PureWindowsPath("C:/program/page")

    def read_bytes(self) -> bytes:
        return str(self).encode()


STRANGE = [
    "..\\..\\run\\runtime.json",
    "C:\\Users\\u\\run\\runtime.json",
    "C:runtime.json",
    "texts/..\\x.json",
    "../x.json",
    "texts//en.json",
    "/etc/x.json",
    ".hidden.json",
    "a\0.json",
    "a" * 300 + ".json",
    "",
    "texts",
]


def test_every_file_of_the_page_is_given_out() -> None:
    page = Path(assets.__file__).with_name("page")
    for file in page.rglob("*"):
        if file.is_file():
            name = file.relative_to(page).as_posix()
            assert read_asset(name).body == file.read_bytes(), name


@pytest.mark.parametrize("path", STRANGE)
def test_a_strange_path_names_no_file(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownAssetError):
        read_asset(path)
    monkeypatch.setattr(assets, "files", lambda _: WindowsFolder("C:/program"))
    with pytest.raises(UnknownAssetError):
        read_asset(path)
