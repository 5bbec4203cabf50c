"""Turn a network into a list of steps that can be computed strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from backend.streaming.convolutions import Convolution, Pointwise, Transposed
from models.layers import PartialNonLocalBlock, PatchAttention, ResidualBlock


class FixedNormalization(nn.Module):
    """Instance normalization with statistics that are known already."""

    def __init__(self, mean: Tensor, variance: Tensor, epsilon: float) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("variance", variance)
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.get_buffer("mean"), self.get_buffer("variance")
        return F.batch_norm(x, mean, variance, training=False, eps=self.epsilon)


@dataclass(eq=False)
class Normalize:
    """Statistics over the whole map are needed before anything can go on."""

    module: nn.InstanceNorm2d


@dataclass(eq=False)
class Residual:
    """x + steps(x)."""

    steps: list[AnyStep]


@dataclass(eq=False)
class NonLocal:
    """Attention over the whole map, and the steps behind it."""

    module: PartialNonLocalBlock
    steps: list[AnyStep] = field(default_factory=list)


@dataclass(eq=False)
class Patches:
    """Steps that make features, copies of similar patches in those, and a convolution over both.

    Attributes:
        module: the block.
        steps: what makes the features.
        parts: the last convolution cut in three: for the map, its features, and the damaged cells.
    """

    module: PatchAttention
    steps: list[AnyStep]
    parts: tuple[Convolution, Convolution, Convolution] = field(init=False)

    def __post_init__(self) -> None:
        whole = self.module.F_Combine
        count = whole.out_channels
        cuts = [(0, count), (count, 2 * count), (2 * count, 2 * count + 1)]
        first, second, third = (_part(whole, *cut) for cut in cuts)
        self.parts = first, second, third


RowStep: TypeAlias = Convolution | Transposed | Pointwise
AnyStep: TypeAlias = RowStep | Normalize | Residual | NonLocal | Patches


def list_steps(*networks: nn.Module) -> list[AnyStep]:
    """The steps of networks that run one after the other.

    Args:
        networks: built from the layers of models.layers and torch's convolutions, activations,
            instance normalization without parameters, and reflecting padding.

    Raises:
        TypeError: a layer of another kind.
    """
    steps: list[AnyStep] = []
    padding = 0
    for layer in _layers(networks):
        if isinstance(layer, nn.ReflectionPad2d):
            padding = int(layer.padding[0])
            continue
        if padding and not isinstance(layer, nn.Conv2d):
            raise TypeError(f"Padding before {type(layer).__name__} cannot be streamed.")
        steps.append(_make_step(layer, padding))
        padding = 0
    return steps


def _layers(networks: tuple[nn.Module, ...]) -> Iterator[nn.Module]:
    for network in networks:
        if isinstance(network, nn.Sequential):
            yield from _layers(tuple(network))
        else:
            yield network


def _part(whole: nn.Conv2d, start: int, stop: int) -> Convolution:
    """The share of some input channels in a convolution; the first has the bias."""
    with torch.device("meta"):
        part = nn.Conv2d(stop - start, whole.out_channels, 3, padding=1, bias=start == 0)
    part.weight = nn.Parameter(whole.weight.detach()[:, start:stop], requires_grad=False)
    if start == 0:
        part.bias = whole.bias
    return Convolution(part, 1, reflects=False)


def _make_step(layer: nn.Module, padding: int) -> AnyStep:
    if isinstance(layer, nn.Conv2d):
        return Convolution(layer, padding or int(layer.padding[0]), reflects=padding > 0)
    if isinstance(layer, nn.ConvTranspose2d):
        return Transposed(layer)
    if isinstance(layer, nn.ReLU | nn.LeakyReLU | nn.Tanh | FixedNormalization):
        return Pointwise(layer)
    if isinstance(layer, nn.InstanceNorm2d) and not (layer.affine or layer.track_running_stats):
        return Normalize(layer)
    if isinstance(layer, ResidualBlock):
        return Residual(list_steps(layer.conv_block))
    if isinstance(layer, PartialNonLocalBlock):
        return NonLocal(layer, list_steps(layer.res_block))
    if isinstance(layer, PatchAttention):
        return Patches(layer, list_steps(layer.res_block))
    raise TypeError(f"{type(layer).__name__} cannot be streamed.")
