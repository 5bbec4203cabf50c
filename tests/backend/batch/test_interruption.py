"""Ctrl+C and its kin while a result is stored: it is stored whole, and then the batch ends."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from backend.batch.archive import Recipe
from backend.batch.interruption import interruptions_held
from backend.batch.manifest import Manifest
from tests.backend.batch.crews import RECIPE, run_here, write_photo

ENDINGS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
each_ending = pytest.mark.parametrize("number", ENDINGS)


@pytest.fixture(autouse=True)
def obeyed() -> Iterator[list[int]]:
    """All of them interrupt, as in the program; gives those that did."""
    numbers: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        numbers.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in ENDINGS}
    yield numbers
    for number, how in before.items():
        signal.signal(number, how)


@each_ending
@pytest.mark.parametrize("step", ["add", "replace"])
def test_a_result_that_is_being_stored_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    write_photo(scans / "a.png")
    run_here(scans, out)
    owner: type = Manifest if step == "add" else Path
    really: Callable[..., object] = getattr(owner, step)

    def interrupted(self: Manifest | Path, *arguments: object, **named: object) -> object:
        if isinstance(self, Manifest) or self.name == "a.png":
            signal.raise_signal(number)
        return really(self, *arguments, **named)

    monkeypatch.setattr(owner, step, interrupted)
    other = Recipe({"strength": 0.5}, RECIPE.weights)
    with pytest.raises(KeyboardInterrupt):
        run_here(scans, out, other)
    monkeypatch.undo()
    assert (out / "a.png").read_bytes() == (scans / "a.png").read_bytes()
    latest = json.loads((out / "manifest.jsonl").read_bytes().splitlines()[-1])
    assert (latest["options"], latest["result"]) == (other.options, "a.png")
    assert not run_here(scans, out, other)[0].given


@each_ending
def test_they_wait_and_one_is_obeyed(number: int, obeyed: list[int]) -> None:
    how, before_the_end = signal.getsignal(number), []

    def work() -> None:
        with interruptions_held():
            for each in (number, number, signal.SIGINT):
                signal.raise_signal(each)
            before_the_end.append(list(obeyed))

    with pytest.raises(KeyboardInterrupt):
        work()
    assert before_the_end == [[]]
    assert obeyed == [number]
    assert signal.getsignal(number) is how


@each_ending
def test_what_goes_wrong_is_told_where_nothing_came(number: int) -> None:
    how = signal.getsignal(number)
    with pytest.raises(OSError, match="full"), interruptions_held():
        raise OSError("full")
    assert signal.getsignal(number) is how


@each_ending
def test_what_is_ignored_stays_so(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)
    with interruptions_held():
        signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_IGN


def test_other_threads_hear_of_no_signals() -> None:
    done: list[bool] = []

    def work() -> None:
        with interruptions_held():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
