"""How a server begins and ends, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plugin.shared import protocol
from tests.backend.running import running_server, start_process, submit, wait_until

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX modes and signals")


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


@posix_only
def test_only_the_owner_can_read_what_it_publishes(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        assert server.runtime_file.stat().st_mode & 0o777 == 0o600
        assert server.runtime_file.parent.stat().st_mode & 0o777 == 0o700
        assert server.log.stat().st_mode & 0o777 == 0o600
        assert len(server.runtime.token) >= 43, "256 bits take 43 characters"


def test_a_second_server_refuses_and_leaves_the_first_alone(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        second = start_process(tmp_path)
        _, errors = second.communicate(timeout=30)
        assert second.returncode != 0
        assert b"is running already" in errors
        assert protocol.decode_runtime(server.runtime_file.read_bytes()) == server.runtime
        assert server.client.health().status == "ready"


def test_shutdown_ends_it_and_tidies_up(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.client.shutdown()
        assert server.process.wait(10) == 0
        assert not server.runtime_file.exists()


@posix_only
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_tidies_up(tmp_path: Path, signal_number: int) -> None:
    with running_server(tmp_path) as server:
        server.process.send_signal(signal_number)
        server.process.wait(10)
        assert not server.runtime_file.exists()
        assert "Traceback" not in server.log.read_text()


def test_shutdown_does_not_wait_for_a_job(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        events = server.client.events(submit(server, "slow"))
        next(events)
        server.client.shutdown()
        assert [event for event in events if event][-1] == protocol.Cancelled()
        assert server.process.wait(10) == 0


@posix_only
def test_after_a_kill_the_next_start_works(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
        assert server.runtime_file.exists(), "nobody could tidy up"
    with running_server(tmp_path) as server:
        assert server.client.health().status == "ready"


def test_an_idle_server_unloads_and_ends(tmp_path: Path) -> None:
    with running_server(tmp_path, "--idle-minutes", "0.02") as server:
        assert server.process.wait(10) == 0
        assert not server.runtime_file.exists()
        assert "unloaded" in server.log.read_text()


@posix_only
def test_a_computers_sleep_is_not_idleness(tmp_path: Path) -> None:
    with running_server(tmp_path, "--idle-minutes", "0.06") as server:
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(5)
        server.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        assert server.client.health().status == "ready"
        assert server.process.wait(15) == 0


def test_it_ends_after_the_watched_process(tmp_path: Path) -> None:
    watched = sleeper()
    with running_server(tmp_path, "--watch-pid", str(watched.pid)) as server:
        assert server.client.health().status == "ready"
        watched.kill()
        # Not reaped: a zombie is gone as well.
        assert wait_until(lambda: server.process.poll() is not None, 15) < 12
        assert not server.runtime_file.exists()
    watched.wait()


def test_whoever_still_asks_keeps_it_when_the_watched_process_is_gone(tmp_path: Path) -> None:
    watched = sleeper()
    with running_server(tmp_path, "--watch-pid", str(watched.pid)) as server:
        watched.kill()
        watched.wait()
        end = time.monotonic() + 8
        while time.monotonic() < end:
            assert server.client.health().status == "ready"
            time.sleep(0.3)
        assert server.process.poll() is None


def test_a_running_job_outlives_the_watched_process(tmp_path: Path) -> None:
    watched = sleeper()
    with running_server(tmp_path, "--watch-pid", str(watched.pid)) as server:
        events = server.client.events(submit(server, "stubborn"))
        next(events)
        watched.kill()
        watched.wait()
        assert isinstance([event for event in events if event][-1], protocol.Done)
        assert server.process.wait(10) == 0


@posix_only
def test_a_crash_in_native_code_leaves_a_trace(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        os.kill(server.process.pid, signal.SIGSEGV)
        _, errors = server.process.communicate(timeout=10)
        assert b"Segmentation fault" in errors
