"""How far a batch is, and how long it will take: a bar in a terminal, plain lines in a pipe."""

from __future__ import annotations

import io
import sys
import time

from tqdm import tqdm

from backend.batch.inputs import Input

PLAIN_BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt} of {total_fmt}, {elapsed}, {remaining} left"


def printable(name: str) -> str:
    """A name that can be shown: no control characters, nothing that is no Unicode."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


class BatchProgress:
    """Counts the photos of a batch, and tells of each that has ended.

    Args:
        total: how many there are.
    """

    def __init__(self, total: int) -> None:
        for stream in (sys.stdout, sys.stderr):
            # Some consoles do not know all letters of all names.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        self.restored = self.skipped = self.failed = 0
        self._total = total
        self._started = time.monotonic()
        self._bar = (
            # The mean of all so far: scans come in all sizes.
            tqdm(total=total, desc="restoring", leave=False, bar_format=PLAIN_BAR, smoothing=0)
            if sys.stderr.isatty()
            else None
        )

    def skip(self) -> None:
        """A photo was done before; it says nothing about the speed."""
        self.skipped += 1
        if self._bar is not None:
            self._bar.total = self._total - self.skipped
            self._bar.refresh()

    def restore(self, photo: Input, found: str, seconds: float) -> None:
        """A photo is restored."""
        self.restored += 1
        self._advance()
        if self._bar is None:
            self._say(f"{self._counted()} {printable(photo.name)} ({found}, {seconds:.1f} s)")

    def fail(self, photo: Input, reason: str) -> None:
        """A photo could not be restored."""
        self.failed += 1
        self._advance()
        name, reason = printable(photo.name), printable(reason)
        text = reason if name in reason else f"{name}: {reason}"
        self._say(text if self._bar is not None else f"{self._counted()} {text}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    @property
    def ended(self) -> int:
        """Photos that this batch need not look at again."""
        return self.restored + self.skipped + self.failed

    def summary(self) -> str:
        """All of it in one line."""
        parts = [f"{self.restored} restored"]
        if self.skipped:
            parts.append(f"{self.skipped} done before")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.ended < self._total:
            parts.append(f"{self._total - self.ended} left")
        return f"{', '.join(parts)}, in {duration(time.monotonic() - self._started)}"

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def _say(self, text: str) -> None:
        if self._bar is not None:
            tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)

    def _counted(self) -> str:
        worked = self.restored + self.failed
        left = self._total - self.ended
        seconds = (time.monotonic() - self._started) / worked * left
        rest = f", {duration(seconds)} left" if left else ""
        return f"[{self.ended} of {self._total}{rest}]"


def duration(seconds: float) -> str:
    """In two units at most, for example "3 h 20 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"
