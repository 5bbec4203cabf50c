"""How much memory there is, and which plan for a large picture fits into it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import torch

from backend.geometry import Size
from backend.streaming.stream import Plan

SHARE = 0.7
"""Of the free memory; the rest is for the other programs, which want some more meanwhile."""

STRIPS = 8
"""Strips that are alive at once at most: a step's input, padded, its output, and copies."""

LEAST_STRIP_BYTES = 2**21
LARGEST_STRIP_BYTES = 2**23
"""What a processor's cache holds."""

LARGEST_STRIP_BYTES_BESIDE = 2**27
"""On an accelerator, which small strips keep waiting."""

LEAST_CACHE_BYTES, LARGEST_CACHE_BYTES = 2**28, 2**30
"""Results of the bundled weights for a picture of 24 megapixels, and for all sizes in practice."""

_CGROUPS = Path("/sys/fs/cgroup")
_CGROUP_LIMITS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
"""Files with a container's limit and what it uses, and where the latter says how much of that are
copies of files that the system gives up when memory is asked for."""


def free_bytes(device: torch.device) -> int:
    """Memory that is free now, in bytes: the accelerator's own, or the computer's."""
    if device.type == "cuda":
        # What torch keeps for its next tensors is free, too.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    if device.type == "xpu":
        return int(torch.xpu.mem_get_info(device)[0])
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    free = int(psutil.virtual_memory().available)
    for limit, used, details, copies in _CGROUP_LIMITS:
        # A container may have less than the computer shows; "max" and no file mean no limit.
        with suppress(OSError, ValueError):
            most, taken = (int((_CGROUPS / name).read_text()) for name in (limit, used))
            found = re.search(rf"^{copies} (\d+)$", (_CGROUPS / details).read_text(), re.MULTILINE)
            free = min(free, most - taken + (int(found[1]) if found else 0))
    return max(0, free)


def budget(device: torch.device, wanted: int | None) -> int:
    """Bytes that a stage may take: those the user named, or a share of what is free."""
    return int(SHARE * free_bytes(device)) if wanted is None else wanted


def cache_bytes() -> int:
    """Memory for results that a later job may need again: a share of what is free now."""
    free = free_bytes(torch.device("cpu"))
    return max(LEAST_CACHE_BYTES, min(LARGEST_CACHE_BYTES, free // 8))


def needed_bytes(plan: Plan, size: Size, channels: int, *, has_hole: bool) -> int:
    """Memory that a plan takes on its device, roughly.

    Args:
        plan: see there.
        size: of the picture.
        channels: most channels of the latent's maps, at a quarter of the size.
        has_hole: the attention and its residual blocks run.
    """
    is_beside = plan.device.type != "cpu" and not plan.has_maps_there
    maps = 0 if is_beside else map_bytes(plan, size, channels, has_hole=has_hole)
    return maps + STRIPS * plan.strip_bytes


def map_bytes(plan: Plan, size: Size, channels: int, *, has_hole: bool) -> int:
    """Memory that a plan's maps take, wherever they are; none in files."""
    if plan.folder is not None:
        return 0
    map_values = size.pixel_count / 16 * channels
    raw = min(plan.kept.itemsize, plan.compute.itemsize)
    # The kept map and a raw one; around the attention a second kept one, and the keys.
    in_memory = map_values * (plan.kept.itemsize + raw)
    if has_hole:
        in_memory += map_values * plan.kept.itemsize
    return int(in_memory)


def plans(
    first: Plan, size: Size, channels: int, *, has_hole: bool, available: int, folder: Path
) -> Iterator[Plan]:
    """The plans that fit, the most precise and fastest first, then those that need less.

    Args:
        first: with the device and the type to compute in.
        size: of the picture.
        channels: see needed_bytes.
        has_hole: see needed_bytes.
        available: bytes.
        folder: for maps that do not fit into memory.
    """
    is_cpu = first.device.type == "cpu"
    largest = LARGEST_STRIP_BYTES if is_cpu else LARGEST_STRIP_BYTES_BESIDE
    strips = max(LEAST_STRIP_BYTES, min(largest, available // 4 // STRIPS))
    first = replace(first, strip_bytes=strips)
    half = replace(first, kept=torch.float16)
    smaller = replace(half, strip_bytes=LEAST_STRIP_BYTES)
    on_disk = replace(half, folder=folder)
    choices = [first, half, smaller]
    if not is_cpu:
        beside = replace(first, has_maps_there=False)
        in_computer = budget(torch.device("cpu"), None)
        choices += [
            plan
            for plan in (beside, replace(beside, kept=torch.float16))
            if map_bytes(plan, size, channels, has_hole=has_hole) <= in_computer
        ]
    yield from (
        plan
        for plan in choices
        if needed_bytes(plan, size, channels, has_hole=has_hole) <= available
    )
    if _free_disk(folder) > 3 * size.pixel_count / 16 * channels * half.kept.itemsize:
        yield on_disk
        yield replace(on_disk, strip_bytes=LEAST_STRIP_BYTES)


def _free_disk(folder: Path) -> int:
    existing = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
    return 0 if existing is None else shutil.disk_usage(existing).free
