"""Signals that end the program, held back while something must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# The last one is Windows' closed terminal.
_ENDINGS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def interruptions_held() -> Iterator[None]:
    """Ctrl+C, a closed terminal and a shutdown wait until this is over, and end the program then.

    Nothing is done outside the main thread, which alone hears of signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        arrived.append(number)

    numbers = [getattr(signal, name) for name in _ENDINGS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    # What is ignored stays so, and what was not set by Python (None) could not be set again.
    before = {n: how for n, how in before.items() if how not in (signal.SIG_IGN, None)}
    try:
        # Handlers, and no mask: another thread would take the signal, and Python would obey it.
        for number in before:
            signal.signal(number, note)
        yield
    finally:
        for number, how in before.items():
            signal.signal(number, how)
        if arrived:
            # One of them ends the program, however many came.
            signal.raise_signal(arrived[0])
