"""What the terminal shows of a download."""

from __future__ import annotations

import io

import pytest

from installer.console import Speed, is_agreed, transfer_line
from installer.messages import size_text
from installer.report import Transfer


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_the_speed_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    speed = Speed(clock)
    speed.add(0)
    assert speed.bytes_per_second is None
    for second in range(1, 20):
        clock.seconds = second
        # Fast at first, then slow.
        speed.add(min(second, 10) * 1_000_000 + max(second - 10, 0) * 100_000)
    assert speed.bytes_per_second == pytest.approx(100_000)


def test_a_line_tells_size_speed_and_time_left() -> None:
    clock = Clock()
    speed = Speed(clock)
    speed.add(20_000_000)
    clock.seconds = 2.0
    speed.add(30_000_000)
    line = transfer_line(Transfer("torch.whl", 30_000_000, 180_000_000), speed)
    assert line.strip() == "torch.whl  30 of 180 MB, 5.0 MB/s, 30 s left"
    unknown = transfer_line(Transfer("torch.whl", 30_000_000, None), Speed(clock))
    assert unknown.strip() == "torch.whl  30 MB"


@pytest.mark.parametrize(
    ("size", "text"), [(5, "1 MB"), (532_000_000, "532 MB"), (3_100_000_000, "3.1 GB")]
)
def test_sizes_are_rounded_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize("stdin", [None, "a terminal that says that nobody is there"])
def test_who_cannot_be_asked_agrees_and_who_hangs_up_does_not(
    monkeypatch: pytest.MonkeyPatch, stdin: str | None
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", None if stdin is None else Terminal(""))
    assert is_agreed("Go on?", yes=False) is (stdin is None)
