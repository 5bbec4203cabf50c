"""What a generator's result is made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from backend.stages.enhancement import redraw

CPU = torch.device("cpu")


class Ramp(nn.Module):
    """Half the face, and a ramp from left to right: it treats a face and its mirror unalike."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.share * x + torch.linspace(-0.5, 0.5, x.shape[3])


@torch.inference_mode()
@pytest.mark.parametrize("is_residual", [False, True])
def test_a_mirrored_result_has_no_preferred_side(is_residual: bool) -> None:
    x = torch.rand(2, 3, 8, 8) * 2 - 1
    base = x if is_residual else torch.zeros_like(x)
    once = redraw(Ramp(), x, CPU, {"residual": is_residual})
    both = redraw(Ramp(), x, CPU, {"residual": is_residual, "mirrored": True})
    torch.testing.assert_close(once, base + 0.5 * x + torch.linspace(-0.5, 0.5, 8))
    torch.testing.assert_close(both, base + 0.5 * x)
