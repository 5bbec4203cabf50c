"""What --stages writes, and what it never replaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.cli import main
from backend.files import load_picture, save_picture
from backend.images import Picture
from backend.networks import Networks
from tests.backend.networks import random_networks
from tests.backend.photos import noise

FAST = ["--no-faces"]


@pytest.fixture(autouse=True)
def _tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Networks, "for_options", lambda _: random_networks("bundled"))


@pytest.fixture
def photo(tmp_path: Path) -> str:
    save_picture(Picture(noise(40, 50, 3)), tmp_path / "a.png")
    return str(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["final", "restored", "mask", "face-1"])
def test_a_stage_never_takes_the_place_of_the_result(
    photo: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    arguments = ["restore", photo, "-o", str(folder / f"{name}.png"), "--stages", str(folder)]
    assert main([*arguments, *FAST]) == 1
    assert "name another folder after --stages" in capsys.readouterr().err
    assert not (folder / f"{name}.png").exists()


def test_files_of_the_user_are_no_stages(
    photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mask.png").write_text("mine")
    assert main(["restore", photo, "--stages", str(tmp_path), *FAST]) == 1
    assert "mask.png is there already" in capsys.readouterr().err
    assert (tmp_path / "mask.png").read_text() == "mine"
    assert not (tmp_path / "final.png").exists()


def test_stages_are_written_anew_and_none_is_left_of_an_earlier_run(
    photo: str, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    arguments = ["restore", photo, "-o", str(tmp_path / "r.png"), "--stages", str(folder), *FAST]
    assert main(arguments) == 0
    first = load_picture(folder / "final.png")
    save_picture(first, folder / "face-3.png")
    (folder / "notes.txt").write_text("mine")
    assert main([*arguments, "--scratches", "none"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        ".restore-old-photo",
        "final.png",
        "notes.txt",
        "restored.png",
    ]
