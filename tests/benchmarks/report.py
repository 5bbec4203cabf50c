"""The measured figures as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

MAPPINGS = {"quality": "", "scratch": " with scratches", "high_resolution": " the same, --HR"}
STAGES = ("scratches", "restoration", "faces", "enhancement", "blending")


def as_markdown(report: dict[str, Any]) -> str:
    parts = ["# Benchmark\n", _machine(report["machine"])]
    if "bundled" in report:
        parts.append(_bundled(report["bundled"]))
    if "original" in report:
        parts.append(_original(report["original"]))
    if "repair" in report:
        parts.append(_repair(report["repair"]))
    if "serving" in report:
        parts.append(_serving(report["serving"]))
    if "gimp" in report:
        parts.append(_gimp(report["gimp"]))
    return "\n".join(parts)


def _machine(facts: dict[str, Any]) -> str:
    return (
        f"{facts['threads']} threads on {facts['cores']} cores ({facts['processor']}), "
        f"{facts['memory_gb']} GB, torch {facts['torch']}, Python {facts['python']}. Load before: "
        f"{facts['load'][0]}; what other programs took makes the times longer.\n"
    )


def _bundled(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        [
            f"{row['megapixels']:g}",
            *(f"{row['warm']['stages'].get(stage, 0.0):.2f}" for stage in STAGES),
            f"{row['warm']['seconds']:.1f}",
            f"{row['warm']['outside_networks']:.0%}",
            f"{row['cold']['seconds']:.1f}",
            f"{row['peak_mb']:,.0f}",
        ]
        for row in rows
    ]
    heads = ["MP", *STAGES, "all, s", "outside the networks", "first run, s", "peak, MB"]
    growth = [
        [
            f"{small['megapixels']:g} to {large['megapixels']:g}",
            f"{_slope(small, large, lambda r: r['warm']['seconds']):.2f}",
            f"{_slope(small, large, lambda r: r['peak_mb']):.0f}",
        ]
        for small, large in pairwise(rows)
    ]
    types = ", ".join(sorted({t.removeprefix("torch.") for t in rows[0]["types"].values()}))
    return (
        f"## Bundled weights, everything on ({types})\n\n{_table(heads, lines)}\n"
        f"Growth:\n\n{_table(['MP', 's per MP', 'MB per MP'], growth)}"
    )


def _repair(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        [f"{row['megapixels']:g}", f"{row['seconds']:.1f}", f"{row['peak_mb']:,.0f}"]
        for row in rows
    ]
    return (
        "## Bundled weights, a few short scratches on a given mask, all else untouched\n\n"
        f"{_table(['MP', 's', 'peak, MB'], lines)}"
    )


def _slope(small: dict[str, Any], large: dict[str, Any], value: Any) -> float:
    return float((value(large) - value(small)) / (large["megapixels"] - small["megapixels"]))


def _original(rows: Iterable[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        for form in ("plain", "float32", "bfloat16"):
            name = f"{row['width']}x{row['height']}{MAPPINGS[row['mapping']]}"
            figures = row.get(form)
            if figures is None:
                lines.append([name, form, "does not fit", "", "", "", ""])
                continue
            lines.append(
                [
                    name,
                    form,
                    f"{figures['seconds']:.1f}",
                    f"{figures['times_faster']:.2f}" if "times_faster" in figures else "",
                    f"{figures['peak_mb']:,.0f}",
                    f"{figures['largest']:.1e}" if "largest" in figures else "",
                    f"{figures['mean_levels']:.3f}" if "mean_levels" in figures else "",
                ]
            )
    heads = ["size", "form", "s", "times faster", "peak, MB", "largest difference", "mean, levels"]
    return (
        "## The original's widths, weights by rule, networks alone\n\n"
        "plain: torch straight from the paper's equations, in the same run. Differences (in "
        "[-1, 1], and in levels of 255) are from plain, or from float32 where plain does not fit. "
        "These untrained weights multiply every rounding; half precision is taken only where a "
        "trial with the weights in use shows a mean difference below a quarter of a level.\n\n"
        f"{_table(heads, lines)}"
    )


def _serving(facts: dict[str, Any]) -> str:
    lines = [
        ["cold start to first answer", f"{facts['first_answer']:.2f}"],
        ["cold start to ready", f"{facts['ready']:.2f}"],
    ]
    for name, job in facts["jobs"].items():
        lines.append([f"{name}: first progress", f"{job['first_progress']:.2f}"])
        lines.append([f"{name}: done", f"{job['seconds']:.2f}"])
    return f"## Backend, 1 megapixel\n\n{_table(['', 's'], lines)}"


def _gimp(facts: dict[str, Any]) -> str:
    if "missing" in facts:
        return f"## GIMP\n\nNot measured: {facts['missing']}\n"
    return (
        f"## GIMP {facts['gimp']}, 1 megapixel, from the menu to the layers\n\n"
        f"First run {facts['first']:.1f} s, same photo again {facts['again']:.1f} s.\n"
    )


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
