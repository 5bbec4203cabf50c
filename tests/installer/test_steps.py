"""Steps can be repeated, resumed and taken back."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from installer.errors import InstallationError
from installer.launcher import LauncherStep, RecordStep, command_for
from installer.messages import message
from installer.processes import run_logged
from installer.report import Report, StoppedError
from installer.steps import Condition, Cost, Marker, run_steps, undo_steps


@dataclass
class PretendStep:
    key: str
    history: list[str] = field(default_factory=list)
    done: bool = False
    fails: bool = False
    title = message("step.record")
    place = None
    cost = Cost()

    def condition(self) -> Condition:
        return "done" if self.done else "absent"

    def do(self) -> None:
        self.history.append(f"do {self.key}")
        if self.fails:
            raise InstallationError("error.another")
        self.done = True

    def undo(self) -> None:
        self.history.append(f"undo {self.key}")
        self.done = False


def test_steps_are_done_in_order_and_done_ones_are_left_alone(tmp_path: Path) -> None:
    history: list[str] = []
    steps = [
        PretendStep("a", history),
        PretendStep("b", history, done=True),
        PretendStep("c", history),
    ]
    marker = Marker(tmp_path / "incomplete")
    run_steps(steps, marker, Report())
    assert history == ["do a", "do c"]
    assert marker.read() is None


def test_a_failed_step_leaves_the_marker_and_is_taken_back_before_it_is_done_again(
    tmp_path: Path,
) -> None:
    history: list[str] = []
    steps = [PretendStep("a", history), PretendStep("b", history, fails=True)]
    marker = Marker(tmp_path / "incomplete")
    with pytest.raises(InstallationError):
        run_steps(steps, marker, Report())
    assert marker.read() == "b"
    steps[1].fails = False
    run_steps(steps, marker, Report())
    assert history == ["do a", "do b", "undo b", "do b"]
    assert marker.read() is None


@pytest.mark.parametrize("text", ["a step of another version\n", ""])
def test_a_marker_that_names_no_step_takes_all_of_them_back(tmp_path: Path, text: str) -> None:
    history: list[str] = []
    steps = [PretendStep("a", history, done=True), PretendStep("b", history, done=True)]
    marker = Marker(tmp_path / "incomplete")
    marker.path.write_text(text)
    run_steps(steps, marker, Report())
    assert history == ["undo a", "undo b", "do a", "do b"]


@pytest.mark.parametrize("text", ["plug-in /of/another/profile/3.0\n", "weights\n"])
def test_a_marker_that_names_a_step_of_other_choices_takes_nothing_back(
    tmp_path: Path, text: str
) -> None:
    history: list[str] = []
    steps = [PretendStep("a", history, done=True), PretendStep("b", history)]
    marker = Marker(tmp_path / "incomplete")
    marker.path.write_text(text)
    run_steps(steps, marker, Report())
    assert history == ["do b"]


@pytest.mark.skipif(sys.platform == "win32", reason="names are no bytes there")
def test_a_step_whose_path_is_no_utf_8_is_taken_back_like_any_other(tmp_path: Path) -> None:
    history: list[str] = []
    key = "plug-in " + os.fsdecode(b"/home/j\xf6rg/3.0")
    steps = [PretendStep("a", history, done=True), PretendStep(key, history, fails=True)]
    marker = Marker(tmp_path / "incomplete")
    with pytest.raises(InstallationError):
        run_steps(steps, marker, Report())
    assert marker.read() == key
    steps[1].fails = False
    run_steps(steps, marker, Report())
    assert history == [f"do {key}", f"undo {key}", f"do {key}"]


def test_a_marker_cut_short_within_a_letter_is_read(tmp_path: Path) -> None:
    history: list[str] = []
    marker = Marker(tmp_path / "incomplete")
    marker.path.write_bytes("plug-in /home/jö".encode()[:-1])
    run_steps([PretendStep("a", history)], marker, Report())
    assert history == ["do a"]


@pytest.mark.skipif(sys.platform == "win32", reason="names are no bytes there")
def test_a_program_with_an_argument_that_is_no_utf_8_is_run_and_logged(tmp_path: Path) -> None:
    argument = os.fsdecode(b"j\xf6rg")
    assert run_logged(["echo", "-n", argument], tmp_path / "log") == "j�rg"
    assert r"$ echo -n j\udcf6rg" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_stopped_installation_ends_between_two_steps_and_goes_on_there(tmp_path: Path) -> None:
    history: list[str] = []
    marker = Marker(tmp_path / "incomplete")
    report = Report()

    class StoppingStep(PretendStep):
        def do(self) -> None:
            super().do()
            report.stop.request()

    steps = [StoppingStep("a", history), PretendStep("b", history)]
    with pytest.raises(StoppedError):
        run_steps(steps, marker, report)
    assert marker.read() is not None
    run_steps(steps, marker, Report())
    # What was whole is not done again.
    assert history == ["do a", "do b"]
    assert marker.read() is None


def test_steps_are_taken_back_from_the_last_to_the_first(tmp_path: Path) -> None:
    history: list[str] = []
    steps = [PretendStep("a", history), PretendStep("b", history)]
    undo_steps(steps, Marker(tmp_path / "incomplete"), Report())
    assert history == ["undo b", "undo a"]


def test_the_launcher_leads_to_the_program_and_is_named_by_itself_on_the_path(
    tmp_path: Path,
) -> None:
    program = tmp_path / "environment" / "restore-old-photo"
    step = LauncherStep(program, tmp_path)
    assert command_for(program, step, str(step.link.parent)) == str(program)
    step.do()
    assert step.link.readlink() == program
    assert command_for(program, step, f"/usr/bin:{step.link.parent}") == "restore-old-photo"
    assert command_for(program, step, "/usr/bin") == str(program)
    step.undo()
    assert not step.link.is_symlink()


def test_somebody_elses_program_of_that_name_is_left_alone(tmp_path: Path) -> None:
    program = tmp_path / "environment" / "restore-old-photo"
    step = LauncherStep(program, tmp_path)
    step.link.parent.mkdir(parents=True)
    step.link.write_text("theirs")
    assert step.condition() == "done"
    step.undo()
    assert step.link.read_text() == "theirs"
    assert command_for(program, step, str(step.link.parent)) == str(program)


def test_the_record_is_whole_or_absent(tmp_path: Path) -> None:
    step = RecordStep(tmp_path / "data" / "installation.json", {"version": "1"})
    assert step.condition() == "absent"
    step.do()
    assert step.condition() == "done"
    assert json.loads(step.path.read_text()) == {"version": "1"}
    assert RecordStep(step.path, {"version": "2"}).condition() == "outdated"
    step.undo()
    assert list(step.path.parent.iterdir()) == []
