"""In which type to compute: half the bytes where the processor has units for it and nobody sees it.

Whether it is fast is asked of the processor, not timed: a busy machine must not change a result.
Whether it is good enough depends on the weights, and is tried once on a small picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

LARGEST_DIFFERENCE = 0.25 / 255
"""Mean difference of the trial picture up to which half precision is taken: half of what anybody
is promised, since other pictures may differ more."""

TRIAL_SIDE = 128


def fast_type(device: torch.device) -> torch.dtype:
    """bfloat16 where convolutions are at least twice as fast in it, else float32."""
    if device.type == "cpu":
        # Without these units bfloat16 is emulated, and slower than float32.
        names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        asked = (getattr(torch.cpu, name, None) for name in names)
        return torch.bfloat16 if any(ask is not None and ask() for ask in asked) else torch.float32
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
        return torch.bfloat16
    return torch.float32


def choose_type(fast: torch.dtype, run: Callable[[torch.dtype], Tensor]) -> torch.dtype:
    """`fast` where the trial's result is as good as that in float32, else float32.

    Args:
        fast: the type in question.
        run: computes the trial in a type, (1, C, H, W) with black at 0 and white at 1.
    """
    if fast == torch.float32:
        return fast
    difference = (run(fast).clamp(0, 1) - run(torch.float32).clamp(0, 1)).abs().mean()
    return fast if bool(difference <= LARGEST_DIFFERENCE) else torch.float32


def trial_picture(side: int) -> Tensor:
    """(1, 3, side, side) in [0, 1]: structures of all sizes, as photos have them."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.zeros(1, 3, side, side)
    cells = 2
    while cells <= side:
        noise = torch.randn(1, 3, cells, cells, generator=generator)
        picture += F.interpolate(noise, (side, side), mode="bilinear", align_corners=False) / cells
        cells *= 2
    low, high = picture.min(), picture.max()
    return (picture - low) / (high - low)


def type_of(network: nn.Module) -> torch.dtype:
    """The type that a network's inputs must have."""
    return next(network.parameters()).dtype
