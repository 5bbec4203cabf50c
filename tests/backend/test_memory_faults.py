"""A lack of memory is said in one sentence, whichever library meets it and wherever."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest

from backend import assembly, command_restore, files
from backend.cli import main
from backend.device import is_out_of_memory, memory_errors_explained
from backend.errors import DeviceError
from backend.files import load_picture, save_picture
from backend.images import Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from tests.backend.networks import random_networks
from tests.backend.photos import noise


def enlarge_beyond_all_memory() -> None:
    """OpenCV's own complaint about a terabyte."""
    cv2.resize(np.zeros((2, 2), np.uint8), (2**20, 2**20))


def lack(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    save_picture(Picture(noise(40, 50, 3)), path)
    return path


def test_opencv_and_memory() -> None:
    with pytest.raises(DeviceError, match="memory is too small"), memory_errors_explained():
        enlarge_beyond_all_memory()
    with pytest.raises(cv2.error), memory_errors_explained():
        cv2.resize(np.zeros((2, 2), np.uint8), (0, 0))
    assert not is_out_of_memory(cv2.error("another"))


def test_the_working_copy_of_a_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "to_image", lack)
    with pytest.raises(DeviceError, match="memory is too small"):
        restore(
            Picture(noise(40, 50, 3)),
            None,
            Options(enhance_faces=False),
            random_networks("bundled"),
            lambda _: None,
            lambda: False,
        )


def test_decoding_is_not_taken_for_damage(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "eight_bit_pixels", lambda *_: enlarge_beyond_all_memory())
    with pytest.raises(MemoryError):
        load_picture(photo)


@pytest.mark.parametrize("step", ["load_picture", "restore_photo", "save_picture"])
def test_a_command_says_it_at_every_step(
    step: str, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Networks, "for_options", lambda _: random_networks("bundled"))
    monkeypatch.setattr(command_restore, step, lack)
    assert main(["restore", str(photo), "--no-faces"]) == 1
    said = capsys.readouterr().err
    assert "memory is too small" in said
    assert "Traceback" not in said


def test_the_search_for_scratches_says_it(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_restore, "load_picture", lack)
    assert main(["detect", str(photo)]) == 1
    assert "memory is too small" in capsys.readouterr().err
