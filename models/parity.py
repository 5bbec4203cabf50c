"""Compare our networks and reference steps with recorded runs of the original.

    python -m models.parity [DIR]

DIR holds pairs: .npz files with inputs and the original's outputs, computed with the weights of
models/pseudo_random.py, and maybe an index.json with tolerances. The default is ../shared/golden
beside the checkout. The start of a file's name says what kind of pair it is.

Prints a row per pair, with the output that comes closest to its bound or breaks it, and ends with
1 when any pair fails, cannot be read, or is of no known kind.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models import parity_networks, parity_steps
from models.parity_outputs import Arrays, Kind, Output
from models.pseudo_random import PseudoRandomWeights

KINDS: dict[str, Kind] = parity_networks.KINDS | parity_steps.KINDS


@dataclass(frozen=True)
class Comparison:
    """How far one output is from the original's.

    Attributes:
        strain: share of the tolerance that is used up; above 1 is a failure.
        is_float: whether the values are floating-point numbers; whole ones use up all or nothing.
    """

    name: str
    largest: float
    bound: float
    mean: float
    mean_bound: float | None
    strain: float
    is_float: bool

    def __str__(self) -> str:
        mean = "" if self.mean_bound is None else f", mean {self.mean:.1e} of {self.mean_bound:.0e}"
        return f"{self.name}: {self.largest:.2e} of {self.bound:.0e}{mean}"


@dataclass(frozen=True)
class Verdict:
    """The row of one pair; `problem` says why it could not be compared, "" if it could."""

    pair: str
    comparisons: list[Comparison]
    problem: str = ""
    uncompared: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        return not self.problem and all(c.strain <= 1 for c in self.comparisons)

    def __str__(self) -> str:
        word = "ok" if self.is_ok else "FAIL"
        if self.problem:
            return f"{self.pair:<38} {'-':>9} {'-':>9}  {word:<4}  {self.problem}"
        worst = max(self.comparisons, key=lambda c: (c.strain > 1, c.is_float, c.strain))
        named = [c for c in self.comparisons if c.strain > 1] or [worst]
        details = "; ".join(str(c) for c in named)
        if self.uncompared:
            details += f" (not compared: {', '.join(self.uncompared)})"
        return f"{self.pair:<38} {worst.largest:>9.2e} {worst.bound:>9.1e}  {word:<4}  {details}"


def compare(name: str, output: Output, original: npt.NDArray[Any]) -> Comparison:
    """Measure one output.

    Raises:
        ValueError: the shapes differ.
    """
    if output.values.shape != original.shape:
        raise ValueError(
            f"{name} has the shape {output.values.shape}, the original's {original.shape}"
        )
    difference = np.abs(output.values.astype(np.float64) - original.astype(np.float64))
    if output.relative:
        difference = difference / max(float(np.abs(original).max()), np.finfo(np.float64).tiny)
    if output.undecided is not None:
        difference = np.where(output.undecided, 0.0, difference)
    # NaN compares false with everything, so it must become a large number to be noticed.
    difference = np.where(np.isnan(difference), np.inf, difference)
    largest, mean = float(difference.max(initial=0.0)), float(difference.mean())
    strain = _used(largest, output.largest)
    if output.mean is not None:
        strain = max(strain, _used(mean, output.mean))
    is_float = np.issubdtype(original.dtype, np.floating)
    return Comparison(name, largest, output.largest, mean, output.mean, strain, is_float)


def _used(value: float, bound: float) -> float:
    if bound > 0:
        return value / bound
    return 0.0 if value == 0 else float("inf")


def with_index(output: Output, name: str, entry: dict[str, Any]) -> Output:
    """The tolerance that the index gives for this output of a pair, where it gives one."""
    own = entry.get("outputs", {}).get(name, {})
    largest = own.get("tol_abs")
    if largest is None and output.largest > 0 and not output.relative:
        # Bounds for a whole file mean its floating-point outputs.
        common = entry.get("tol_abs")
        largest = common if np.issubdtype(output.values.dtype, np.floating) else None
    return replace(
        output,
        largest=output.largest if largest is None else float(largest),
        mean=output.mean if own.get("tol_mean") is None else float(own["tol_mean"]),
    )


def find_kind(name: str) -> Kind | None:
    """The kind with the longest name that `name` begins with."""
    fitting = [prefix for prefix in KINDS if name == prefix or name.startswith(prefix + "_")]
    return KINDS[max(fitting, key=len)] if fitting else None


@torch.no_grad()
def check(path: Path, entry: dict[str, Any], weights: PseudoRandomWeights) -> Verdict:
    """Compute one pair and compare every array of the original that we know."""
    kind = find_kind(path.stem)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        return Verdict(path.stem, [], f"no kind of pair is called so; known are {known}")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays: Arrays = {name: file[name] for name in file.files}
        missing = [name for name in kind.needs if name not in arrays]
        if missing:
            return Verdict(path.stem, [], f"the input {missing[0]} is missing")
        outputs = kind.compute(arrays, weights)
        comparisons = [
            compare(name, with_index(output, name, entry), arrays[name])
            for name, output in outputs.items()
            if name in arrays
        ]
    except Exception as error:  # one broken pair must not hide the others' rows
        return Verdict(path.stem, [], f"{type(error).__name__}: {error}")
    if not comparisons:
        return Verdict(path.stem, [], f"none of {', '.join(outputs)} is in the file")
    return Verdict(path.stem, comparisons, uncompared=_uncompared(arrays, outputs, kind))


def _uncompared(arrays: Arrays, outputs: dict[str, Output], kind: Kind) -> tuple[str, ...]:
    """Arrays of a pair that are neither inputs, by name, nor outputs that we compute."""
    inputs = ("in_", "x_", "src_", "ref_", "face_", "mask_gray_u8", *kind.needs)
    return tuple(n for n in arrays if n not in outputs and not n.startswith(inputs))


def main(arguments: list[str]) -> int:
    checkout = Path(__file__).resolve().parent.parent
    folder = Path(arguments[0]) if arguments else checkout.parent / "shared" / "golden"
    pairs = sorted(folder.glob("*.npz"))
    if not pairs:
        print(f"There are no pairs (.npz) in {folder}: name the folder that has them.")
        return 1
    index_file = folder / "index.json"
    index = json.loads(index_file.read_text(encoding="utf-8")) if index_file.is_file() else {}
    weights = PseudoRandomWeights()
    print(f"{'pair':<38} {'error':>9} {'tolerance':>9}")
    failures = 0
    for path in pairs:
        verdict = check(path, index.get("files", {}).get(path.name, {}), weights)
        print(verdict, flush=True)
        failures += not verdict.is_ok
    print(f"{len(pairs)} pairs, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
