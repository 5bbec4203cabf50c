"""Messages keep their code and values on the way from where they arise to the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import RestorationError, WeightsError
from backend.failures import as_event
from backend.results import Note
from models.registry import WeightFileError, read_spec


def test_a_message_names_its_values() -> None:
    error = RestorationError("No {what} in {folder}.", code="x", what="mask", folder="{a}")
    assert str(error) == "No mask in {a}."
    assert Note("x", "At ({x}, {y}).", {"x": 3, "y": 4}).message == "At (3, 4)."


def test_braces_in_a_message_without_values_stay() -> None:
    assert str(RestorationError("No {1} here.")) == "No {1} here."
    assert Note("x", "No {1} here.").message == "No {1} here."


def test_a_failure_of_the_models_reaches_the_wire_with_code_and_values(tmp_path: Path) -> None:
    with pytest.raises(WeightFileError) as caught:
        read_spec(tmp_path / "face{0}.safetensors")
    event = as_event(WeightsError.of(caught.value), "log")
    assert event.code == "weights-file-gone"
    assert event.parameters == {"file": "face{0}.safetensors", "folder": str(tmp_path)}
    assert event.message == str(caught.value)
    assert "face{0}.safetensors is missing" in event.message


def test_a_bug_names_itself_and_the_log() -> None:
    event = as_event(ZeroDivisionError("one over nothing"), "/tmp/{log}")
    assert event.parameters == {"error": "ZeroDivisionError", "log": "/tmp/{log}"}
    assert event.message.endswith("report what /tmp/{log} says.")
