"""The small networks that judge whether a place is damaged."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

FARTHEST = 4.0
"""Standard deviations from the mean up to which a feature counts; few examples lie further."""


class PlaceJudge(nn.Module):
    """Estimate how likely a place is damaged.

    x (N, features), as `backend.places` describes places -> logits (N): the mean over
    several networks with a hidden layer each, which disagree where there was little to learn from.

    Args:
        features: numbers that describe a place.
        width: of the hidden layers.
        members: how many networks.

    Source:
        B. Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using
        deep ensembles", NeurIPS 2017.
    """

    def __init__(self, *, features: int = 24, width: int = 32, members: int = 8) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.hidden = nn.Parameter(torch.randn(members, features, width) / features**0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(members, 1, width))
        self.output = nn.Parameter(torch.randn(members, width, 1) / width**0.5)
        self.output_bias = nn.Parameter(torch.zeros(members, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.votes(x).mean(dim=0)

    def votes(self, x: Tensor) -> Tensor:
        """The logits of each network, (members, N)."""
        mean, spread = self.get_buffer("mean"), self.get_buffer("spread")
        known = ((x - mean) / spread).clamp(-FARTHEST, FARTHEST)
        hidden = F.gelu(torch.matmul(known, self.hidden) + self.hidden_bias)
        votes: Tensor = torch.matmul(hidden, self.output) + self.output_bias
        return votes.squeeze(2)
