"""A running backend quits before the files under it change."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from installer.backend_process import stop_backend
from installer.project import CHECKOUT

START_SECONDS = 60


def test_a_running_backend_is_asked_to_quit(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "backend", "serve"],
        cwd=CHECKOUT,
        env={**os.environ, "RESTORE_OLD_PHOTO_HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        # runtime.json appears when it listens; the first tries may come too early.
        while not (tmp_path / "run" / "runtime.json").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        # A child counts as gone only once its parent has asked for its exit status.
        threading.Thread(target=process.wait, daemon=True).start()
        assert stop_backend(tmp_path)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
    assert not stop_backend(tmp_path)


def test_where_none_runs_there_is_nothing_to_stop(tmp_path: Path) -> None:
    assert not stop_backend(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "runtime.json").write_text("{ half a file")
    assert not stop_backend(tmp_path)
