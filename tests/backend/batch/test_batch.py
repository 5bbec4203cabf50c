"""The command `batch` with real weights and real processes, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from backend.files import load_picture, save_picture
from backend.images import Picture
from models.stored import sha256_of
from tests.backend.batch.crews import write_photo
from tests.backend.photos import noise, scratched
from tests.backend.running import wait_until

CHECKOUT = Path(__file__).parents[3]
# A busy computer takes a minute to start a worker.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PATIENCE_SECONDS = 400
SIDE = 400


def start(scans: Path, out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "backend", "batch", str(scans), "-o", str(out), "--no-faces"]
    return subprocess.Popen(
        [*command, *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        # Shells let what they start in the background ignore Ctrl+C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def batch(scans: Path, out: Path, *arguments: str) -> tuple[int, str, str]:
    """Status, output and errors of a whole batch."""
    process = start(scans, out, *arguments)
    printed, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, printed, errors


@contextmanager
def started(scans: Path, out: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = start(scans, out, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def records(out: Path) -> list[dict[str, object]]:
    if not (out / "manifest.jsonl").exists():
        return []
    return [json.loads(line) for line in (out / "manifest.jsonl").read_bytes().splitlines()]


def count_done(out: Path) -> int:
    """Photos with a record and a result."""
    return sum((out / str(record["result"])).is_file() for record in records(out))


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(process.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]


def write_scans(folder: Path, count: int) -> list[str]:
    """Photos that take long enough to be caught at work."""
    for number in range(count):
        write_photo(folder / f"{number}.png", seed=number, side=SIDE)
    return [f"{number}.png" for number in range(count)]


def test_an_archive_is_restored_once_and_whole(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    damaged, _ = scratched(noise(60, 80, 3))
    (scans / "1920 été").mkdir(parents=True)
    for name in ("1920 été/祖母.jpg", "1920 été/祖母.png", "a.tif"):
        save_picture(Picture(damaged), scans / name)
    (scans / "bad.png").write_text("no picture")
    (scans / "copy.png").write_bytes((scans / "1920 été" / "祖母.png").read_bytes())
    status, printed, errors = batch(scans, out, "--workers", "1")
    assert status == 1
    assert printed.startswith("3 restored, 1 done before, 1 failed, in ")
    assert "[1 of 5, " in errors
    assert "bad.png is no PNG" in errors
    for name in ("1920 été/祖母.jpg", "1920 été/祖母.png", "a.tif", "copy.png"):
        restored = load_picture(out / name).pixels
        assert restored.shape == damaged.shape
        assert (restored != damaged).any()
    by_name = {record["input"]: record for record in records(out)}
    line = by_name["1920 été/祖母.png"]
    assert line["found"]
    assert set(line["weights"]) >= {"detection", "restoration"}  # type: ignore[call-overload]
    assert line["result_sha256"] == sha256_of(out / "1920 été" / "祖母.png")
    assert line["input_sha256"] == sha256_of(scans / "1920 été" / "祖母.png")
    assert (out / "contact-sheet.html").read_text("utf-8").count("data:image/webp") == 8

    (scans / "bad.png").unlink()
    before = (out / "a.tif").stat().st_mtime_ns
    status, printed, _ = batch(scans, out)
    assert status == 0
    assert printed.startswith("0 restored, 4 done before, in ")
    status, printed, _ = batch(scans, out, "--strength", "0.5")
    assert status == 0
    assert printed.startswith("3 restored, 1 done before")
    assert (out / "a.tif").stat().st_mtime_ns > before


def test_a_batch_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    names = write_scans(scans, 5)
    with started(scans, out, "--workers", "2") as process:
        wait_until(lambda: len(records(out)) >= 2, PATIENCE_SECONDS)
        workers = workers_of(process)
        assert len(workers) == 2
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert not alive, "workers end with the batch"
    # As if the computer had crashed, too.
    manifest = out / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    whole = len(manifest.read_bytes().splitlines()) - 1
    status, printed, _ = batch(scans, out, "--workers", "2")
    assert status == 0
    assert printed.startswith(f"{5 - whole} restored, {whole} done before")
    for name in names:
        assert load_picture(out / name).pixels.shape == (SIDE, SIDE, 3)


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    write_scans(scans, 4)
    with started(scans, out, "--workers", "2") as process:
        wait_until(lambda: count_done(out) >= 1, PATIENCE_SECONDS)
        workers = workers_of(process)
        # As a terminal does: all processes of the group hear it.
        for each in (*workers, process):
            os.kill(each.pid, signal.SIGINT)
        printed, errors = process.communicate(timeout=120)
        assert process.returncode == 130
        assert not psutil.wait_procs(workers, timeout=10)[1]
    assert " left, in " in printed
    assert errors.splitlines()[-1] == "restore-old-photo: stopped."
    assert "Traceback" not in errors
    assert (out / "contact-sheet.html").is_file()
    assert not (out / ".batch" / "work").exists()
    done = count_done(out)
    assert done == len(records(out)), "nothing that was finished is lost"
    status, printed, _ = batch(scans, out, "--workers", "2")
    assert status == 0
    assert printed.startswith(f"{4 - done} restored, {done} done before")


def test_a_worker_that_the_system_kills_is_replaced(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    names = write_scans(scans, 5)
    with started(scans, out, "--workers", "2") as process:
        wait_until(lambda: len(records(out)) >= 1, PATIENCE_SECONDS)
        killed = workers_of(process)[0]
        killed.send_signal(signal.SIGKILL)
        printed, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert printed.startswith("5 restored, in ")
    assert sorted(str(record["input"]) for record in records(out)) == names


def test_missing_weights_end_it_with_a_sentence(tmp_path: Path) -> None:
    write_photo(tmp_path / "scans" / "a.png")
    status, printed, errors = batch(tmp_path / "scans", tmp_path / "out", "--weights", "missing")
    assert (status, printed) == (1, "")
    assert "choose the bundled weights" in errors
    assert not (tmp_path / "out").exists()


def test_the_same_photo_looks_as_with_restore(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "scans" / "a.png", side=90)
    assert batch(photo.parent, tmp_path / "out")[0] == 0
    command = ["restore", str(photo), "-o", str(tmp_path / "alone.png"), "--no-faces"]
    subprocess.run([sys.executable, "-m", "backend", *command], cwd=CHECKOUT, check=True)
    one, other = (load_picture(tmp_path / name).pixels for name in ("out/a.png", "alone.png"))
    # Another number of threads adds in another order.
    assert np.abs(one.astype(int) - other).max() <= 1
