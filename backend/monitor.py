"""Report progress and notice a cancellation, also in the middle of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from backend.errors import Cancelled
from backend.results import IsCancelled, Note, OnEvent, Progress, Stage

SMALLEST_STEP = 0.01
"""Smaller advances are not reported: nobody sees them and each costs a message."""


class Monitor:
    """The ear and mouth of one stage.

    Args:
        stage: named in each Progress.
        on_event: receives Progress and Note.
        is_cancelled: asked at each step; it must be quick.
        start: fraction of the stage at which this part begins.
        end: fraction at which it ends.
    """

    def __init__(
        self,
        stage: Stage,
        on_event: OnEvent,
        is_cancelled: IsCancelled,
        start: float = 0.0,
        end: float = 1.0,
    ) -> None:
        self._stage = stage
        self._on_event = on_event
        self._is_cancelled = is_cancelled
        self._start, self._end = start, end
        # Shared by all parts: what was reported is never taken back.
        self._reported = [-1.0]

    def check(self) -> None:
        """Raises Cancelled when the user has stopped the job."""
        if self._is_cancelled():
            raise Cancelled("The restoration was cancelled.")

    def advance(self, fraction: float) -> None:
        """Report that `fraction` of this part is done.

        Raises:
            Cancelled: the user has stopped the job.
        """
        self.check()
        whole = self._start + (self._end - self._start) * min(1.0, fraction)
        reported = self._reported[0]
        if whole >= reported + SMALLEST_STEP or (fraction >= 1 and whole > reported):
            self._reported[0] = whole
            self._on_event(Progress(self._stage, whole))

    def note(self, code: str, template: str, **parameters: str | int | float) -> None:
        """Tell the user something that is no error; see `Note`."""
        self._on_event(Note(code, template, parameters))

    def part(self, index: int, count: int) -> Monitor:
        """The monitor of one of `count` equal parts."""
        span = (self._end - self._start) / count
        start = self._start + span * index
        part = Monitor(self._stage, self._on_event, self._is_cancelled, start, start + span)
        part._reported = self._reported
        return part

    @contextmanager
    def watching(self, *networks: nn.Module) -> Iterator[None]:
        """Advance with each layer that runs in `networks` inside the context.

        A layer is the smallest thing that can be waited for: torch cannot be interrupted within.
        """
        layers = [
            layer
            for network in networks
            for layer in network.modules()
            if not any(layer.children())
        ]
        done = 0

        def step(*_: object) -> None:
            nonlocal done
            done += 1
            self.advance(done / (len(layers) + 1))

        hooks = [layer.register_forward_pre_hook(step) for layer in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        self.advance(1.0)
