"""What a batch hands to its workers, and what comes back. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backend.batch.inputs import Input

MOST_FAILED_STARTS = 3
"""Workers that were lost before they were ready, after which a further one would be, too."""


@dataclass(frozen=True)
class Task:
    """One photo to restore.

    Attributes:
        photo: what to restore.
        sha256: of its content.
        changed: when it was last changed, in nanoseconds since 1970, as its folder says.
        target: where the result is to be written at first; its folder exists.
        picture_bytes: memory that its restoration takes, roughly, besides the networks.
    """

    photo: Input
    sha256: str
    changed: int
    target: Path
    picture_bytes: int


@dataclass(frozen=True)
class Report:
    """What a worker made of a photo.

    Attributes:
        seconds: that it took.
        found: in words, for example "no face".
        notes: sentences that are no errors.
        before: the photo as a small WebP picture.
        after: the result as one.
        error: why there is no result, in one sentence; None where there is one.
        error_code: a stable word for the error.
        trace: where in this program, if the error is one of it.
    """

    seconds: float
    found: str = ""
    notes: tuple[str, ...] = ()
    before: bytes = b""
    after: bytes = b""
    error: str | None = None
    error_code: str | None = None
    trace: str | None = None


@dataclass(frozen=True)
class Loss:
    """A worker ended before it could report.

    Attributes:
        cause: what is known of it, to be read behind "because".
    """

    cause: str


class Crew(Protocol):
    """Workers, each of which restores one photo at a time; one that is lost is replaced.

    Attributes:
        shares_memory: all workers use the memory of one computer, so that a photo whose worker was
            lost has a better chance alone.
    """

    shares_memory: bool

    def takes(self, task: Task) -> bool:
        """Whether a worker is free for this photo, and the memory suffices."""

    def give(self, task: Task) -> None:
        """Begin with a photo that the crew takes.

        Raises:
            InputError: the photo cannot be read any more.
        """

    def wait(self) -> Sequence[tuple[Task, Report | Loss]]:
        """What has ended; waits until there is something new, perhaps only a free worker.

        Raises:
            RestorationError: no worker can work at all.
        """

    def close(self) -> None:
        """End all workers at once, whatever they are doing."""
