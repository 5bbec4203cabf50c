"""Stand-ins for other people's networks, which do something that a test can compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from backend.networks import Networks
from models.registry import Stage
from models.spandrel_networks import OtherNetwork
from models.stored import ImportedModel
from tests.backend.networks import RandomWeights


class Calls(nn.Module):
    """A network of one function, which remembers what it was given."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function
        self.seen: list[Tensor] = []

    def forward(self, *given: Tensor, **_: Any) -> Tensor:
        self.seen.append(given[0])
        return self.function(*given)


def networks_with(
    models: dict[Stage, Callable[..., Tensor]],
    *,
    like: str = "bundled",
    strength: float = 0.0,
    scale: int = 1,
    channels: int = 3,
) -> Networks:
    """Tiny networks and one stand-in for each given stage; faces see and give [-1, 1]."""
    records = {
        stage: ImportedModel(f"my-{stage}", stage, "Test", scale, "", "x.pth", "", 0)
        for stage in models
    }
    networks = Networks(RandomWeights(like, strength), torch.device("cpu"), records)
    for stage, function in models.items():
        module = Calls((lambda x, f=function: (f(x),)) if stage == "faces" else function)
        architecture = "GFPGAN" if stage == "faces" else "Test"
        networks._others[stage] = OtherNetwork(stage, architecture, scale, module, channels, module)
    return networks


def seen_by(networks: Networks, stage: Stage) -> list[Tensor]:
    module = networks.model(stage).module
    assert isinstance(module, Calls)
    return module.seen
