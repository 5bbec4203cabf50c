"""Find or start the backend: real processes, started through a stand-in for the interpreter."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend import runtime
from models import registry
from plugin.shared import installation as installations
from plugin.shared import protocol
from plugin.shared.client import Client
from plugin.shared.compat import free_bytes, process_exists, try_lock
from plugin.shared.errors import ConnectionLostError, NotInstalledError, StartError
from plugin.shared.launcher import connect
from tests.backend.running import ROOT, read_runtime
from tests.gimp.fake_backend import FakeBackend

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")

# Like the real interpreter, called with "-m backend serve ..."; PYTHONPATH is scrubbed before.
STAND_IN = """#!/bin/sh
echo "$@" >> "{home}/starts"
shift 2
{before}
PYTHONPATH="{root}" exec "{python}" -m tests.backend.serving "$@"
"""


@dataclass
class Setup:
    """An installation in a folder of its own, and what was started from it."""

    home: Path
    script_folder: Path
    environment: dict[str, str]
    pids: set[int] = field(default_factory=set)

    def install(self, before: str = "") -> None:
        stand_in = self.home / "my python"
        text = STAND_IN.format(home=self.home, root=ROOT, python=sys.executable, before=before)
        stand_in.write_text(text)
        stand_in.chmod(0o755)
        facts = {"python": str(stand_in), "home": str(self.home), "version": "1"}
        (self.script_folder / "installation.json").write_text(json.dumps(facts))

    def connect(self, timeout_seconds: float = 30.0) -> Client:
        client = connect(
            str(self.script_folder), os.getpid(), None, self.environment, timeout_seconds
        )
        self.pids.add(client.health().pid)
        return client

    @property
    def starts(self) -> list[str]:
        file = self.home / "starts"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def runtime(self) -> protocol.Runtime:
        return read_runtime(self.home)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    home, script_folder = tmp_path / "Zuhause für Ömer", tmp_path / "plug-in"
    home.mkdir()
    script_folder.mkdir()
    setup = Setup(home, script_folder, {**os.environ, "RESTORE_OLD_PHOTO_HOME": str(home)})
    yield setup
    for pid in setup.pids:
        if process_exists(pid):
            os.kill(pid, signal.SIGKILL)


def test_the_first_call_starts_it_and_the_second_finds_it(setup: Setup) -> None:
    setup.install()
    first, second = setup.connect(), setup.connect()
    assert first.health().pid == second.health().pid == setup.runtime.pid
    assert setup.starts == [f"-m backend serve --watch-pid {os.getpid()}"]


def test_it_outlives_the_plug_in_that_started_it(setup: Setup) -> None:
    setup.install()
    setup.connect()
    assert os.getsid(setup.runtime.pid) != os.getsid(0)
    assert os.getpgid(setup.runtime.pid) != os.getpgid(0)


def test_two_plug_ins_at_once_start_one(setup: Setup) -> None:
    setup.install(before="sleep 0.3")
    program = (
        "import sys; from plugin.shared.launcher import connect;"
        "print(connect(sys.argv[1], int(sys.argv[2])).health().pid)"
    )
    command = [sys.executable, "-c", program, str(setup.script_folder), str(os.getpid())]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=setup.environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    answers = {process.communicate(timeout=60)[0] for process in processes}
    setup.pids.add(setup.runtime.pid)
    assert answers == {b"%d\n" % setup.runtime.pid}
    assert len(setup.starts) == 1


def test_after_a_kill_the_next_call_starts_another(setup: Setup) -> None:
    setup.install()
    setup.connect()
    old = setup.runtime
    os.kill(old.pid, signal.SIGKILL)
    assert setup.runtime == old, "nobody could tidy up"
    assert setup.connect().health().pid != old.pid


def test_a_stranger_on_the_old_port_is_not_asked(setup: Setup) -> None:
    setup.install()
    setup.connect()
    stale = setup.runtime
    # Alive, so only the answer can tell that it is no backend.
    stale.pid, stale.port = os.getpid(), 9
    (setup.home / "run" / "runtime.json").write_bytes(protocol.encode_runtime(stale))
    with pytest.raises(StartError, match="running already"):
        setup.connect(timeout_seconds=20)


def test_a_damaged_runtime_file_does_not_matter(setup: Setup) -> None:
    setup.install()
    (setup.home / "run").mkdir()
    (setup.home / "run" / "runtime.json").write_text('{"pid": "none"}')
    assert setup.connect().health().status == "ready"


def test_one_with_another_protocol_is_asked_to_quit(setup: Setup) -> None:
    setup.install()
    setup.connect()
    other = setup.runtime
    other.protocol = 99
    (setup.home / "run" / "runtime.json").write_bytes(protocol.encode_runtime(other))
    assert setup.connect().health().pid != other.pid
    with pytest.raises(ConnectionLostError):
        Client(other.port, other.token).health()


def test_a_program_of_another_version_says_how_to_update(setup: Setup) -> None:
    """Right after its start, so that nobody waits in vain for an answer that is understood."""
    setup.install(before=other_version(setup))
    with pytest.raises(StartError, match=r"different versions \(protocols \d+ and 99\)") as caught:
        setup.connect()
    assert caught.value.code == "versions"


def other_version(setup: Setup) -> str:
    """Shell commands of a backend that publishes another protocol and stays for a moment."""
    facts = protocol.Runtime(os.getpid(), 0.0, 9, "token", 99, "9.9")
    text = protocol.encode_runtime(facts).decode()
    return f"echo '{text}' > '{setup.home}/run/runtime.json'\nexec sleep 2"


def test_not_installed_says_the_one_thing_to_do(setup: Setup) -> None:
    with pytest.raises(NotInstalledError, match="python3 -m installer"):
        setup.connect()


def test_an_installation_whose_interpreter_is_gone_counts_as_none(setup: Setup) -> None:
    setup.install()
    (setup.home / "my python").unlink()
    with pytest.raises(NotInstalledError, match="not completely"):
        setup.connect()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"python": "x"}', '{"python": 1, "home": 2}'])
def test_a_damaged_installation_file_counts_as_none(setup: Setup, text: str) -> None:
    (setup.script_folder / "installation.json").write_text(text)
    with pytest.raises(NotInstalledError):
        setup.connect()


def test_the_installation_is_also_found_in_the_data_folder(setup: Setup) -> None:
    setup.install()
    beside = setup.script_folder / "installation.json"
    beside.rename(setup.home / "installation.json")
    found = installations.find_installation(str(setup.script_folder), setup.environment)
    assert found.home == str(setup.home)


def test_a_failed_start_names_reason_and_log(setup: Setup) -> None:
    setup.install(before="echo 'ImportError: no module named torch' >&2; exit 3")
    with pytest.raises(StartError, match="no module named torch") as caught:
        setup.connect()
    assert str(setup.home / "run" / "backend.log") in caught.value.message


def test_a_start_that_ends_without_a_word_is_not_explained_by_an_older_one(setup: Setup) -> None:
    setup.install(before="kill -9 $$")
    (setup.home / "run").mkdir()
    (setup.home / "run" / "backend.log").write_text("Nobody used this backend for 900 s\n")
    with pytest.raises(StartError, match="with exit code -9"):
        setup.connect()


def test_a_full_disk_is_told_where_it_leaves_no_room_for_a_word(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.install(before="exit 120")
    monkeypatch.setattr("plugin.shared.start_errors.free_bytes", lambda _: 4096)
    with pytest.raises(StartError, match="is full: free some space") as caught:
        setup.connect()
    assert str(setup.home / "run") in caught.value.message


@pytest.mark.parametrize("refused", ["os.makedirs", "os.open", "io.open"])
def test_a_full_disk_is_told_where_nothing_can_be_made(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    setup.install()
    module, name = refused.split(".")
    original = getattr(sys.modules[module], name)

    def full(path: str, *arguments: object, **named: object) -> object:
        if str(setup.home / "run") in str(path) and arguments and not str(path).endswith("json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, *arguments, **named)

    monkeypatch.setattr(refused, full)
    with pytest.raises(StartError, match="is full: free some space") as caught:
        setup.connect()
    assert caught.value.code == "disk-full"


def test_a_lock_that_cannot_be_opened_is_one_sentence(setup: Setup) -> None:
    setup.install()
    lock = setup.home / "run" / "launch.lock"
    lock.mkdir(parents=True)
    with pytest.raises(StartError, match="cannot be written") as caught:
        setup.connect()
    assert str(lock) in caught.value.message
    assert setup.starts == []


def test_the_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    assert abs(free_bytes(str(tmp_path)) - shutil.disk_usage(tmp_path).free) < 1 << 30
    assert free_bytes(str(tmp_path / "missing")) == sys.maxsize


def test_an_interpreter_that_cannot_run_is_one_sentence(setup: Setup) -> None:
    setup.install()
    (setup.home / "my python").chmod(0o644)
    with pytest.raises(StartError, match="could not be started"):
        setup.connect()


def test_a_start_that_takes_too_long_is_one_sentence(setup: Setup) -> None:
    setup.install(before="exec sleep 2")
    with pytest.raises(StartError, match="was started but does not answer"):
        setup.connect(timeout_seconds=0.3)


def test_whoever_waits_is_told_and_may_give_up(setup: Setup) -> None:
    setup.install(before="sleep 0.5")
    seconds: list[float] = []

    def give_up(waited: float) -> None:
        seconds.append(waited)
        if len(seconds) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        connect(str(setup.script_folder), os.getpid(), give_up, setup.environment)
    assert seconds == sorted(seconds)
    assert setup.connect().health().status == "ready", "the next call works all the same"


@pytest.mark.parametrize("mark", [{"FLATPAK_ID": "org.gimp.GIMP"}, {"SNAP_NAME": "gimp"}])
def test_a_sandbox_says_what_to_start_outside(setup: Setup, mark: dict[str, str]) -> None:
    setup.install()
    setup.environment.update(mark)
    with pytest.raises(StartError, match="restore-old-photo serve") as caught:
        setup.connect()
    assert caught.value.code == "sandbox"
    assert setup.starts == []


def test_a_sandbox_with_another_version_outside_says_how_to_update(setup: Setup) -> None:
    setup.install()
    setup.environment["SNAP_NAME"] = "gimp"
    outside = FakeBackend()
    outside.publish(setup.home)
    other = setup.runtime
    other.protocol = 99
    (setup.home / "run" / "runtime.json").write_bytes(protocol.encode_runtime(other))
    with pytest.raises(StartError, match="different versions"):
        setup.connect()
    outside.close()
    with pytest.raises(StartError, match="restore-old-photo serve"):
        setup.connect()


def test_a_sandbox_uses_what_runs_outside(setup: Setup) -> None:
    setup.install()
    setup.connect()
    setup.environment["SNAP_NAME"] = "gimp"
    assert setup.connect().health().pid == setup.runtime.pid


def test_gimps_own_environment_stays_behind() -> None:
    poison = {
        "PYTHONHOME": "/gimp",
        "PYTHONPATH": "/gimp",
        "LD_PRELOAD": "x.so",
        "LD_LIBRARY_PATH": "/gimp",
        "DYLD_LIBRARY_PATH": "/gimp",
        "GI_TYPELIB_PATH": "/gimp",
        "GIO_MODULE_DIR": "/gimp",
        "GDK_PIXBUF_MODULE_FILE": "/gimp",
        "GTK_PATH": "/gimp",
        "FONTCONFIG_PATH": "/gimp",
        "SSL_CERT_FILE": "/gimp",
        "APPDIR": "/gimp",
        "APPIMAGE": "/gimp",
    }
    clean = installations.clean_environment({**poison, "PATH": "/bin", "LANG": "C"}, "/home/data")
    assert clean == {
        "PATH": "/bin",
        "LANG": "C",
        "RESTORE_OLD_PHOTO_HOME": "/home/data",
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
    }


@pytest.mark.parametrize("chosen", [None, "/somewhere/else"])
def test_both_sides_choose_the_same_data_folder(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    monkeypatch.delenv("RESTORE_OLD_PHOTO_HOME", raising=False)
    if chosen is not None:
        monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", chosen)
    assert installations.data_folder(os.environ) == str(registry.data_folder())


def test_a_long_log_is_set_aside(tmp_path: Path) -> None:
    log = tmp_path / "backend.log"
    log.write_bytes(b"x" * (installations.MAX_LOG_BYTES + 1))
    with installations.open_log(str(log)) as file:
        file.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "backend.log.1").stat().st_size == installations.MAX_LOG_BYTES + 1
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("fault", "is_free"), [(errno.ENOLCK, True), (errno.EWOULDBLOCK, False)])
def test_a_disk_that_cannot_lock_counts_as_free(
    fault: int, is_free: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(fault, "no")

    monkeypatch.setattr("fcntl.flock", refuse)
    with (tmp_path / "lock").open("ab") as file:
        assert try_lock(file) == is_free
        assert runtime.try_lock(file) == is_free


def test_the_lock_is_free_again_when_its_holder_dies(setup: Setup) -> None:
    setup.install()
    (setup.home / "run").mkdir()
    program = (
        "import sys, time; from plugin.shared.compat import try_lock;"
        "file = open(sys.argv[1], 'ab'); print(try_lock(file), flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(setup.home / "run" / "launch.lock")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"True\n"
    threading.Timer(0.3, holder.kill).start()
    start = time.monotonic()
    assert setup.connect().health().status == "ready"
    assert time.monotonic() - start > 0.3
    holder.communicate()
