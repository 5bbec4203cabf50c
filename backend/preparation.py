"""Make a loaded network fast: merge layers, and choose the type and order of its weights."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from backend.device import device_of
from backend.streaming.stream import Known
from models.layers import PartialNonLocalBlock

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def prepare(network: AnyModule, dtype: torch.dtype) -> AnyModule:
    """A network that computes the same, faster.

    Args:
        network: float32, in eval mode; its values stay, and are shared where they can be.
        dtype: of weights, inputs and outputs.
    """
    prepared = _copy(network) if dtype == torch.float32 else copy.deepcopy(network)
    for module in prepared.modules():
        if isinstance(module, nn.Sequential):
            _merge(module, fuses=device_of(network).type == "cpu" and can_fuse())
    # channels_last: a fifth faster on a CPU, much more on a graphics card.
    prepared.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return prepared


def with_statistics(network: AnyModule, known: Known) -> AnyModule:
    """A copy that shares the weights, and normalizes with statistics known beforehand."""
    result = _copy(network)
    pairs = list(zip(network.modules(), result.modules(), strict=True))
    for original, module in pairs:
        for name, child in original.named_children():
            if child in known:
                setattr(module, name, known[child])
        if isinstance(module, PartialNonLocalBlock):
            # No value is carried further than through its convolutions any more.
            module.reach = 2 * len(module.res_block)
    return result


def _copy(network: AnyModule) -> AnyModule:
    shared = {id(parameter): parameter for parameter in network.parameters()}
    return copy.deepcopy(network, shared)


def _merge(layers: nn.Sequential, *, fuses: bool) -> None:
    """Merge what follows a convolution into it: fixed batch normalization, activation."""
    for index, convolution in enumerate(layers):
        if not isinstance(convolution, nn.Conv2d):
            continue
        following = index + 1
        while following < len(layers):
            layer = layers[following]
            if isinstance(layer, nn.BatchNorm2d):
                convolution = fuse_conv_bn_eval(convolution, layer)
            elif fuses and isinstance(layer, nn.ReLU | nn.LeakyReLU):
                convolution = ActivatedConvolution(convolution, layer)
            elif not isinstance(layer, nn.Identity):
                break
            layers[following] = nn.Identity()
            following += 1
            if isinstance(convolution, ActivatedConvolution):
                break
        layers[index] = convolution


class ActivatedConvolution(nn.Conv2d):
    """A convolution and its activation in one pass over the memory, by oneDNN.

    Args:
        convolution: with padding by zeros; its weights are shared.
        activation: ReLU or LeakyReLU.
    """

    def __init__(self, convolution: nn.Conv2d, activation: nn.ReLU | nn.LeakyReLU) -> None:
        with torch.device("meta"):
            super().__init__(convolution.in_channels, convolution.out_channels, 1)
        self.weight, self.bias = convolution.weight, convolution.bias
        self._padding = list(convolution.padding)
        self._stride = list(convolution.stride)
        self._dilation = list(convolution.dilation)
        self._groups = convolution.groups
        leaks = isinstance(activation, nn.LeakyReLU)
        self._attribute = "leaky_relu" if leaks else "relu"
        self._scalars = [activation.negative_slope] if isinstance(activation, nn.LeakyReLU) else []

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x,
            self.weight,
            self.bias,
            self._padding,
            self._stride,
            self._dilation,
            self._groups,
            self._attribute,
            self._scalars,
            "",
        )
        return result


@lru_cache
def can_fuse() -> bool:
    """Whether this torch has the fused convolution and it computes what it should."""
    layers = nn.Conv2d(2, 2, 3, padding=1), nn.LeakyReLU(0.2)
    x = torch.linspace(-1, 1, 2 * 5 * 5).reshape(1, 2, 5, 5)
    with torch.no_grad():
        try:
            fused = ActivatedConvolution(*layers)(x)
        # An operator without a promise: it may be absent, or take other arguments.
        except (AttributeError, RuntimeError, TypeError):
            return False
        return bool((fused - layers[1](layers[0](x))).abs().max() < 1e-5)
