"""A crash, a kill or a refusal at any moment leaves the document and the backend usable."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from .document import RESTORE, Document, noise
from .fake_backend import FakeBackend
from .harness import GimpProcess
from .provision import Tree
from .window import wait_for

pytestmark = pytest.mark.gimp

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def rewritten(path: Path, **changes: str) -> Iterator[None]:
    """Another installation.json for a moment."""
    before = path.read_text()
    path.write_text(json.dumps({**json.loads(before), **changes}))
    try:
        yield
    finally:
        path.write_text(before)


def test_the_backends_own_sentence_reaches_the_user(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30))
    backend.fail = "The weights are missing: install them."
    assert document.refusal() == "The weights are missing: install them."


def test_an_absent_backend_is_told_with_the_one_thing_to_do(document: Document) -> None:
    document.open(noise(40, 30))
    gimp = document.gimp
    (gimp.home / "run" / "runtime.json").unlink()
    installation = gimp.plugins / "restore-old-photo" / "installation.json"
    with rewritten(installation, python="/nowhere/bin/python"):
        words = document.refusal()
    assert "not installed" in words
    assert "python3 -m installer" in words


def test_a_backend_that_ends_at_once_is_told_with_its_log(document: Document) -> None:
    """The tree's own Python has no backend, so it ends with an error."""
    document.open(noise(40, 30))
    (document.gimp.home / "run" / "runtime.json").unlink()
    words = document.refusal()
    assert "No module named" in words
    assert "backend.log" in words


def test_a_killed_backend_leaves_the_document_as_it_was(
    document: Document, backend: FakeBackend
) -> None:
    document.open(noise(40, 30))
    home = document.gimp.home
    command = [sys.executable, "-m", "tests.gimp.fake_backend", str(home), "restoration"]
    runtime = home / "run" / "runtime.json"
    runtime.unlink()
    process = subprocess.Popen(command, cwd=PROJECT)
    try:
        wait_for(runtime.exists, 20, "the backend process")
        killer = threading.Timer(1.5, process.kill)
        killer.start()
        words = document.refusal()
        assert process.wait(5) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
    assert "stopped answering" in words
    backend.publish(home)
    document.run(RESTORE)


def test_a_killed_plug_in_cancels_its_job_and_can_be_run_again(
    document: Document, backend: FakeBackend
) -> None:
    """The status bar's own Cancel does this."""
    document.open(noise(40, 30))
    before = document.layers()
    backend.stall_at = "restoration"
    killer = threading.Timer(1.5, kill_plug_in, (document.gimp,))
    killer.start()
    status, group, _ = document.gimp.run(RESTORE, document.image, [document.photo])
    killer.join()
    assert (status, group) != ("success", group)
    assert backend.last.cancelled.wait(1)
    assert document.layers() == before
    backend.stall_at = None
    document.run(RESTORE)


def kill_plug_in(gimp: GimpProcess) -> None:
    assert gimp.process is not None
    for child in psutil.Process(gimp.process.pid).children(recursive=True):
        if any(word.endswith("restore-old-photo.py") for word in child.cmdline()):
            child.kill()


def test_a_killed_gimp_cancels_its_job(tree: Tree, shared_backend: FakeBackend) -> None:
    shared_backend.reset()
    gimp = GimpProcess(tree)
    try:
        gimp.start()
        shared_backend.publish(gimp.home)
        shared_backend.stall_at = "restoration"
        document = Document(gimp)
        document.open(noise(40, 30))
        call = threading.Thread(target=run_and_ignore, args=(document,), daemon=True)
        call.start()
        wait_for(lambda: shared_backend.jobs, 20, "the job")
        time.sleep(0.3)
        assert not shared_backend.last.cancelled.is_set()
        assert gimp.process is not None
        gimp.process.kill()
        assert shared_backend.last.cancelled.wait(3)
    finally:
        gimp.stop()


def run_and_ignore(document: Document) -> None:
    with suppress(AssertionError, OSError):
        document.gimp.run(RESTORE, document.image, [document.photo])


def test_a_model_name_that_is_none_is_refused_in_words(document: Document) -> None:
    document.open(noise(20, 20))
    words = document.refusal(RESTORE, inpainting="../../ümlaut")
    assert "The model '../../ümlaut' was not imported: import it" in words
