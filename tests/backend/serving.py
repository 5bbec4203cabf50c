"""A real server with a make-believe restorer: `python -m tests.backend.serving serve ...`.

What it does depends on the job's weights: "bundled" echoes the picture as a layer, "slow" works for
a minute and looks for a cancel every 20 ms, "stubborn" for two seconds without looking, "failing"
refuses, "broken" has a bug, "greedy" runs out of memory, and "fatal" takes the process down.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import time

from backend.errors import Cancelled, InputError
from backend.jobs import IsCancelled, LayerData, OnEvent
from backend.server import serve
from plugin.shared import protocol


class EchoWorker:
    """Gives the picture back."""

    def status(self) -> tuple[str, str]:
        return "ready", ""

    def prepare(self) -> None:
        pass

    def unload(self) -> None:
        logging.getLogger(__name__).info("unloaded")

    def restore(
        self,
        header: protocol.RequestHeader,
        pixels: memoryview,
        mask: memoryview | None,
        on_event: OnEvent,
        is_cancelled: IsCancelled,
    ) -> protocol.Done:
        on_event(protocol.Progress("scratches", 0.5, 0.1))
        misbehave(header.options.weights, is_cancelled)
        parts = (pixels,) if mask is None else (pixels, mask)
        on_event(LayerData(layer_for(header), parts))
        on_event(protocol.Note("faces-none", "No faces were found."))
        return protocol.Done({"scratches": 0.25}, "echo")


def layer_for(header: protocol.RequestHeader) -> protocol.Layer:
    return protocol.Layer(
        index=0,
        kind="restored",
        name="Restored",
        x=0,
        y=0,
        width=header.width,
        height=header.height,
        channels=header.channels,
        depth=header.depth,
        has_mask=header.has_mask,
    )


def misbehave(weights: str, is_cancelled: IsCancelled) -> None:
    if weights == "slow":
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if is_cancelled():
                raise Cancelled("The job was cancelled.")
            time.sleep(0.02)
    elif weights == "stubborn":
        time.sleep(2)
    elif weights == "failing":
        raise InputError("The picture is too dark ({level}): choose another.", code="dark", level=3)
    elif weights == "broken":
        raise ZeroDivisionError("one over nothing")
    elif weights == "greedy":
        raise MemoryError
    elif weights == "fatal":
        # Later than the answer to the request that submits the job.
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--watch-pid", type=int)
    parser.add_argument("--idle-minutes", type=float, default=15.0)
    arguments = parser.parse_args()
    serve(
        watch_pid=arguments.watch_pid,
        idle_minutes=arguments.idle_minutes,
        worker=EchoWorker(),
    )


if __name__ == "__main__":
    main()
