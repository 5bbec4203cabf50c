"""Progress on the command line: a bar in a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn

from tqdm import tqdm

from backend.results import STAGE_SHARES, Event, Note, Progress, Stage

SAID = {
    "scratches": "looking for scratches",
    "restoration": "restoring",
    "faces": "looking for faces",
    "enhancement": "enhancing faces",
    "blending": "blending faces",
    "enlargement": "enlarging",
}


class PhotoProgress:
    """Shows the progress of one photo while it is open.

    Args:
        name: of the photo.
        stages: that will run.
    """

    def __init__(self, name: str, stages: list[Stage]) -> None:
        self._name = name
        self._stages = stages
        self._stage: Stage | None = None
        self.notes: list[Note] = []
        self._bar = (
            tqdm(
                total=1.0,
                desc=name,
                leave=False,
                bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}",
            )
            if sys.stderr.isatty()
            else None
        )

    def __enter__(self) -> PhotoProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, event: Event) -> None:
        """Take an event of the pipeline."""
        if isinstance(event, Note):
            self.notes.append(event)
        elif isinstance(event, Progress):
            self.advance(event.stage, event.fraction)

    def advance(self, stage: Stage, fraction: float) -> None:
        is_new = stage != self._stage
        self._stage = stage
        if stage not in self._stages:
            return
        if self._bar is None:
            if is_new:
                print(f"{self._name}: {SAID[stage]}", file=sys.stderr, flush=True)
            return
        total = sum(STAGE_SHARES[planned] for planned in self._stages)
        before = self._stages[: self._stages.index(stage)]
        done = sum(STAGE_SHARES[earlier] for earlier in before) + fraction * STAGE_SHARES[stage]
        self._bar.set_description_str(f"{self._name}: {SAID[stage]}", refresh=False)
        # Only forwards: a bar that runs back looks like an error.
        self._bar.update(max(0.0, done / total - self._bar.n))


class DownloadMeter:
    """Shows how far one download is, how fast, and how long it will take.

    Args:
        name: what is fetched.
        source: from where.
    """

    def __init__(self, name: str, source: str) -> None:
        self._label = f"{name} from {source}"
        self._bar: tqdm[NoReturn] | None = None

    def begin(self, total_bytes: int | None, done_bytes: int) -> None:
        """A connection stands; called again for each that follows a broken one."""
        self.end()
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=total_bytes,
                initial=done_bytes,
                desc=self._label,
                unit="B",
                unit_scale=True,
                leave=False,
            )
            return
        size = "" if total_bytes is None else f", {total_bytes / 1e6:,.1f} MB"
        kept = f", {done_bytes / 1e6:,.1f} MB of it are here already" if done_bytes else ""
        print(f"{self._label}{size}{kept}", file=sys.stderr, flush=True)

    def advance(self, count: int) -> None:
        if self._bar is not None:
            self._bar.update(count)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
