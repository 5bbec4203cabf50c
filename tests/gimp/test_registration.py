"""What GIMP knows of the plug-in after it started."""

from __future__ import annotations

import pytest

from .harness import GimpProcess

pytestmark = pytest.mark.gimp

MENU = "<Image>/Filters/Restore Old Photo"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("plug-in-restore-old-photo", "_Restore..."),
        ("plug-in-restore-old-photo-detect", "_Detect Scratches..."),
        ("plug-in-restore-old-photo-repair", "Repair _Scratches"),
        ("plug-in-restore-old-photo-faces", "Enhance _Faces"),
    ],
)
def test_each_procedure_has_its_menu_entry(console: GimpProcess, name: str, label: str) -> None:
    found = console.procedure(name)
    assert found is not None
    assert found["menu_label"] == label
    assert found["menu_paths"] == [MENU]


def test_restore_offers_every_choice_with_its_default(console: GimpProcess) -> None:
    arguments = console.procedure("plug-in-restore-old-photo")["arguments"]
    assert {name: default for name, (_, default) in list(arguments.items())[3:]} == {
        "scratches": "automatic",
        "threshold": 0.0,
        "whole-picture": True,
        "cleaning": True,
        "tone": True,
        "strength": 1.0,
        "enhance-faces": True,
        "weights": "bundled",
        "device": "auto",
        "inpainting": "",
        "denoising": "",
        "faces": "",
    }


def test_no_argument_can_hold_a_path_or_a_token(console: GimpProcess) -> None:
    """GIMP attaches last-used values to the image, which may be given away."""
    for action in ("", "-detect", "-repair", "-faces"):
        arguments = console.procedure(f"plug-in-restore-old-photo{action}")["arguments"]
        assert not {"home", "token", "python", "path", "file"} & set(arguments)


def test_the_query_wrote_no_complaint(console: GimpProcess) -> None:
    assert "restore-old-photo" not in console.words_at_start
