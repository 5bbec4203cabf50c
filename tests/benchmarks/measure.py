"""One measurement in a process of its own, so that its peak memory is its own.

python -m tests.benchmarks.measure '{"kind": "pipeline", "width": 1000, "height": 1000}'
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from backend.images import Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.planned import Modules, stream
from backend.streaming.stream import Plan
from models.pseudo_random import PseudoRandomWeights
from tests.benchmarks import plain
from tests.benchmarks.photos import make_photo


def peak_megabytes() -> float:
    """The most memory this process has had so far."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1e6 if sys.platform == "darwin" else 1e3)


class NetworkClock:
    """Adds up the time inside all networks while it is open, a call within another one once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth, self._started = 0, 0.0

    def __enter__(self) -> NetworkClock:
        self._hooks = (
            register_module_forward_pre_hook(self._begin),
            register_module_forward_hook(self._end, always_call=True),
        )
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _begin(self, *_: object) -> None:
        self._depth += 1
        if self._depth == 1:
            self._started = self._now()

    def _end(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.seconds += self._now() - self._started

    @staticmethod
    def _now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()


def measure_pipeline(width: int, height: int) -> dict[str, Any]:
    """The bundled weights with everything on: a first photo, and a second one."""
    options = Options()
    networks = Networks.for_options(options)
    before = peak_megabytes()
    runs = []
    for seed in range(2):
        photo, _ = make_photo(width, height, seed)
        started = time.perf_counter()
        with NetworkClock() as clock:
            result = restore(Picture(photo), None, options, networks, lambda _: None, lambda: False)
        seconds = time.perf_counter() - started
        runs.append(
            {
                "seconds": seconds,
                "stages": dict(result.seconds),
                "outside_networks": 1 - clock.seconds / seconds,
            }
        )
        del result
    return {
        "cold": runs[0],
        "warm": runs[1],
        "peak_mb": peak_megabytes(),
        "peak_before_mb": before,
        "types": {name: str(kind) for name, kind in networks.types.items()},
    }


def measure_repair(width: int, height: int) -> dict[str, Any]:
    """The bundled weights with six short scratches and nothing else to do."""
    options = Options(scratches="mask", whole_picture=False, enhance_faces=False)
    networks = Networks.for_options(options)
    photo, _ = make_photo(width, height)
    mask = np.zeros((height, width), np.uint8)
    for index in range(6):
        x, y = width * (index + 1) // 8, height * (2 * index % 7 + 1) // 9
        cv2.line(mask, (x, y), (x + width // 14, y + height // 20), 255, 8)
    started = time.perf_counter()
    restore(Picture(photo), mask, options, networks, lambda _: None, lambda: False)
    return {"seconds": time.perf_counter() - started, "peak_mb": peak_megabytes()}


def measure_original(
    width: int, height: int, mapping: str, formulation: str, output: str
) -> dict[str, Any]:
    """The original's widths with weights by rule.

    Args:
        mapping: quality, scratch or high_resolution.
        formulation: plain, float32 or bfloat16.
    """
    weights = PseudoRandomWeights()
    scratches = mapping != "quality"
    encoder, middle = weights.load("vae_a"), weights.load(f"mapping_{mapping}")  # type: ignore[arg-type]
    decoder = weights.load("vae_b_scratch" if scratches else "vae_b_quality")
    photo, damage = make_photo(width, height)
    if scratches:
        photo[damage > 0] = 255
    x = torch.from_numpy(photo.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None].contiguous()
    mask = torch.from_numpy((damage > 0).astype(np.float32))[None, None] * float(scratches)
    del photo, damage
    with torch.inference_mode():
        started = time.perf_counter()
        if formulation == "plain":
            result = plain.restore(x, mask, encoder, middle, decoder)  # type: ignore[arg-type]
        else:
            plan = Plan(torch.device("cpu"), compute=getattr(torch, formulation))
            modules = Modules(encoder, middle, decoder)  # type: ignore[arg-type]
            result = stream(modules, x, mask, plan, lambda _: None).picture
        seconds = time.perf_counter() - started
    np.save(output, result.numpy())
    return {"seconds": seconds, "peak_mb": peak_megabytes()}


def main(text: str) -> None:
    case: dict[str, Any] = json.loads(text)
    kind = case.pop("kind")
    threads = case.pop("threads", None)
    if threads:
        torch.set_num_threads(threads)
    measurements: dict[str, Any] = {
        "pipeline": measure_pipeline,
        "repair": measure_repair,
        "original": measure_original,
    }
    measured = measurements[kind](**case)
    sys.stdout.write(json.dumps(measured) + "\n")


if __name__ == "__main__":
    assert Path("models").is_dir(), "run this in the checkout"
    main(sys.argv[1])
