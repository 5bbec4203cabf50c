"""Steps can be repeated, resumed and taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from installer.errors import InstallationError
from installer.launcher import LauncherStep, RecordStep, command_for
from installer.steps import Marker, run_steps, undo_steps


@dataclass
class PretendStep:
    title: str
    history: list[str] = field(default_factory=list)
    done: bool = False
    fails: bool = False

    def is_done(self) -> bool:
        return self.done

    def do(self) -> None:
        self.history.append(f"do {self.title}")
        if self.fails:
            raise InstallationError("no")
        self.done = True

    def undo(self) -> None:
        self.history.append(f"undo {self.title}")
        self.done = False


def say_nothing(_: str) -> None:
    pass


def test_steps_are_done_in_order_and_done_ones_are_left_alone(tmp_path: Path) -> None:
    history: list[str] = []
    steps = [
        PretendStep("a", history),
        PretendStep("b", history, done=True),
        PretendStep("c", history),
    ]
    marker = Marker(tmp_path / "incomplete")
    run_steps(steps, marker, say_nothing)
    assert history == ["do a", "do c"]
    assert marker.read() is None


def test_a_failed_step_leaves_the_marker_and_is_taken_back_before_it_is_done_again(
    tmp_path: Path,
) -> None:
    history: list[str] = []
    steps = [PretendStep("a", history), PretendStep("b", history, fails=True)]
    marker = Marker(tmp_path / "incomplete")
    with pytest.raises(InstallationError):
        run_steps(steps, marker, say_nothing)
    assert marker.read() == "b"
    steps[1].fails = False
    run_steps(steps, marker, say_nothing)
    assert history == ["do a", "do b", "undo b", "do b"]
    assert marker.read() is None


def test_steps_are_taken_back_from_the_last_to_the_first(tmp_path: Path) -> None:
    history: list[str] = []
    steps = [PretendStep("a", history), PretendStep("b", history)]
    undo_steps(steps, Marker(tmp_path / "incomplete"), say_nothing)
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
    assert step.is_done()
    step.undo()
    assert step.link.read_text() == "theirs"
    assert command_for(program, step, str(step.link.parent)) == str(program)


def test_the_record_is_whole_or_absent(tmp_path: Path) -> None:
    step = RecordStep(tmp_path / "data" / "installation.json", {"version": "1"})
    assert not step.is_done()
    step.do()
    assert step.is_done()
    assert json.loads(step.path.read_text()) == {"version": "1"}
    assert not RecordStep(step.path, {"version": "2"}).is_done()
    step.undo()
    assert list(step.path.parent.iterdir()) == []
