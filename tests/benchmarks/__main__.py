"""Measure the backend.

    python -m tests.benchmarks [-o DIR]

writes benchmark.json and benchmark.md.

Each figure comes from a process of its own. What is compared runs in turn, so that a machine that
slows down slows both; the ratio is the median of the pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from tests.benchmarks import plain
from tests.benchmarks.gimp import measure_gimp
from tests.benchmarks.report import as_markdown
from tests.benchmarks.serving import measure_serving

MEGAPIXELS = (0.25, 1.0, 4.0, 12.0, 24.0, 50.0)
ORIGINAL_SIZES = ((512, 512), (1024, 1024), (2048, 1536))
PARTS = ("bundled", "repair", "original", "serving", "gimp")
# A plain attention needs three matrices at once, and the system something, too.
PLAIN_SHARE = 0.8
CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("-o", dest="output", type=Path, default=Path(), metavar="DIR")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part alone")
    parser.add_argument("--megapixels", type=float, nargs="+", default=list(MEGAPIXELS))
    parser.add_argument("--original-up-to", type=float, default=4.0, metavar="MEGAPIXELS")
    parser.add_argument("--pairs", type=int, default=3, help="comparisons with the plain form")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS=str(chosen.threads), OMP_WAIT_POLICY="PASSIVE")
    parts = chosen.only or list(PARTS)
    report: dict[str, Any] = {"machine": machine(chosen.threads)}
    sizes = [size for size in ORIGINAL_SIZES if size[0] * size[1] <= chosen.original_up_to * 1e6]
    for part, figures in measurements(parts, chosen.megapixels, sizes, chosen.pairs):
        if isinstance(figures, list):
            report.setdefault(part, []).extend(figures)
        else:
            report[part] = figures
        # After each, so that a run that is stopped leaves what it has.
        save(report, chosen.output)
    print(as_markdown(report))
    return 0


def measurements(
    parts: Sequence[str],
    megapixels: Sequence[float],
    original_sizes: Sequence[tuple[int, int]],
    pairs: int,
) -> Iterator[tuple[str, Any]]:
    """Parts of the report; a list continues the part's rows."""
    if "bundled" in parts:
        for size in megapixels:
            yield "bundled", [sized("pipeline", size)]
    if "repair" in parts:
        for size in megapixels:
            yield "repair", [sized("repair", size)]
    if "serving" in parts:
        yield "serving", measure_serving(1000, 1000)
    if "gimp" in parts:
        yield "gimp", measure_gimp(1000, 1000)
    if "original" in parts:
        for mapping in ("quality", "scratch", "high_resolution"):
            for width_height in original_sizes:
                yield "original", [original(width_height, mapping, pairs)]


def save(report: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.json").write_text(json.dumps(report, indent=2) + "\n")
    (folder / "benchmark.md").write_text(as_markdown(report), encoding="utf-8")


def machine(threads: int) -> dict[str, Any]:
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load": [round(value, 1) for value in psutil.getloadavg()],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def sized(kind: str, megapixels: float) -> dict[str, Any]:
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = round(megapixels * 1e6 / height)
    measured = measure({"kind": kind, "width": width, "height": height})
    return {"megapixels": megapixels, "width": width, "height": height, **measured}


def original(size: tuple[int, int], mapping: str, pairs: int) -> dict[str, Any]:
    """Ours against the plain form, in turn; where that does not fit, ours once."""
    width, height = size
    fits = mapping != "scratch" or 3 * plain.matrix_bytes(*size) < (
        PLAIN_SHARE * psutil.virtual_memory().available
    )
    forms = ["plain", "float32", "bfloat16"] if fits else ["float32", "bfloat16"]
    runs: dict[str, list[dict[str, Any]]] = {form: [] for form in forms}
    differences: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(pairs if fits and width * height <= 2**20 else 1):
            for form in forms:
                case = {"kind": "original", "width": width, "height": height}
                case |= {"mapping": mapping, "formulation": form}
                runs[form].append(measure({**case, "output": f"{folder}/{form}.npy"}))
        pictures = {form: np.load(f"{folder}/{form}.npy") for form in forms}
        for form in forms[1:]:
            difference = np.abs(pictures[form] - pictures[forms[0]])
            differences[form] = {
                "largest": float(difference.max()),
                "mean_levels": float(difference.mean() * 127.5),
            }
    result: dict[str, Any] = {"width": width, "height": height, "mapping": mapping}
    result["difference_from"] = forms[0]
    for form in forms:
        result[form] = {
            "seconds": statistics.median(run["seconds"] for run in runs[form]),
            "peak_mb": max(run["peak_mb"] for run in runs[form]),
            **differences.get(form, {}),
        }
        if fits:
            result[form]["times_faster"] = statistics.median(
                slow["seconds"] / fast["seconds"]
                for slow, fast in zip(runs["plain"], runs[form], strict=True)
            )
    return result


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """Run one case in a process of its own.

    Raises:
        RuntimeError: it failed; the message is what it printed.
    """
    print(f"measuring {case}", file=sys.stderr, flush=True)
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.measure", json.dumps(case)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    if answer.returncode != 0:
        raise RuntimeError(f"{case} failed ({answer.returncode}): {answer.stderr[-2000:]}")
    measured: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return measured


if __name__ == "__main__":
    sys.exit(main())
