"""runtime.json, the lock and the watched process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend import runtime
from backend.errors import RestorationError
from plugin.shared import protocol


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    return tmp_path


def test_what_is_published_can_be_read_back() -> None:
    runtime.run_folder()
    facts = runtime.new_runtime(4711)
    runtime.publish(facts)
    assert protocol.decode_runtime(runtime.runtime_file().read_bytes()) == facts
    assert facts.pid == os.getpid()


def test_publishing_leaves_no_other_file() -> None:
    folder = runtime.run_folder()
    runtime.publish(runtime.new_runtime(4711))
    assert [file.name for file in folder.iterdir()] == ["runtime.json"]


def test_every_start_has_another_token() -> None:
    assert runtime.new_runtime(1).token != runtime.new_runtime(1).token


def test_the_token_does_not_show_in_messages() -> None:
    facts = runtime.new_runtime(1)
    assert facts.token not in repr(facts)


def test_withdrawing_leaves_the_successors_file_alone() -> None:
    runtime.run_folder()
    old, new = runtime.new_runtime(1), runtime.new_runtime(2)
    runtime.publish(new)
    runtime.withdraw(old)
    assert runtime.runtime_file().exists()
    runtime.withdraw(new)
    assert not runtime.runtime_file().exists()
    runtime.withdraw(new)


def test_withdrawing_leaves_a_damaged_file_alone() -> None:
    runtime.run_folder()
    runtime.runtime_file().write_text("{")
    runtime.withdraw(runtime.new_runtime(1))
    assert runtime.runtime_file().exists()


def test_the_lock_can_be_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_LOCK_WAIT_SECONDS", 0.1)
    with (
        runtime.only_server(),
        pytest.raises(runtime.AlreadyRunningError),
        runtime.only_server(),
    ):
        raise AssertionError("The lock was given twice.")
    with runtime.only_server():
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes")
def test_an_open_run_folder_is_closed(home: Path) -> None:
    (home / "run").mkdir(mode=0o755)
    assert runtime.run_folder().stat().st_mode & 0o777 == 0o700


def test_a_run_folder_that_cannot_be_made_is_one_sentence(home: Path) -> None:
    (home / "run").write_text("a file in the way")
    with pytest.raises(RestorationError, match="make it writable"):
        runtime.run_folder()


def test_the_watched_process_is_gone_when_it_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watched = runtime.WatchedProcess(process.pid)
    assert not watched.is_gone()
    process.kill()
    process.communicate()
    assert watched.is_gone()


def test_a_process_that_never_was_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert runtime.WatchedProcess(process.pid).is_gone()
