"""The window calls the installed program for an example, and for the page to restore a photo."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from backend.demo import AGED_NAME, RESTORED_NAME
from installer.errors import InstallationError
from installer.report import Stop, StoppedError
from installer.window.program import EXAMPLE_FILES, InstalledProgram

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
PATIENCE_SECONDS = 60


def program_that(folder: Path, body: str) -> InstalledProgram:
    path = folder / "restore-old-photo"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return InstalledProgram(path, folder / "example", folder / "install.log")


def test_the_example_is_looked_for_where_the_program_puts_it() -> None:
    assert EXAMPLE_FILES == {"before": AGED_NAME, "after": RESTORED_NAME}


@posix_only
def test_an_example_that_fails_is_told_with_the_last_words_of_the_program(tmp_path: Path) -> None:
    program = program_that(tmp_path, "echo 'Looking'; echo 'The weights are damaged.'; exit 1")
    with pytest.raises(InstallationError, match=r"example was not restored \(The weights are"):
        program.make_example(Stop())
    assert "Looking" in program.log.read_text()


@posix_only
def test_an_example_can_be_stopped(tmp_path: Path) -> None:
    program = program_that(tmp_path, "exec sleep 60")
    stop = Stop()
    stop.request()
    with pytest.raises(StoppedError):
        program.make_example(stop)


@posix_only
@pytest.mark.parametrize(
    ("body", "photo", "said"),
    [
        ('test "$*" = review', None, None),
        ('test "$1 $2" = "review /a photo.png"', Path("/a photo.png"), None),
        ("echo 'Nothing listens.'; exit 3", None, "(Nothing listens.)"),
        ("exit 3", None, "(status 3)"),
    ],
)
def test_how_the_page_to_restore_a_photo_ended_is_told(
    tmp_path: Path, body: str, photo: Path | None, said: str | None
) -> None:
    ends: list[InstallationError | None] = []
    ended = threading.Event()

    def on_end(error: InstallationError | None) -> None:
        ends.append(error)
        ended.set()

    program_that(tmp_path, body).open_review(photo, on_end)
    assert ended.wait(PATIENCE_SECONDS)
    (error,) = ends
    assert (error is None) == (said is None)
    assert said is None or said in str(error)


def test_a_program_that_is_gone_is_an_error_at_once(tmp_path: Path) -> None:
    program = InstalledProgram(tmp_path / "gone", tmp_path / "example", tmp_path / "log")
    with pytest.raises(InstallationError, match="page could not be opened"):
        program.open_review(None, lambda _: None)
