"""SqueezeNet 1.1 features, for the perceptual loss and the perceptual distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

_POOLED_AFTER = ("conv1", "fire3", "fire5")


class SqueezeNet(nn.Module):
    """The convolutional part of SqueezeNet 1.1 with fixed weights.

    x (B, 3, H, W) in [-1, 1] -> the outputs of its layers by name (conv1, fire2 to fire9), each
    (B, C, h, w). H and W are at least 32.

    Args:
        weights: `squeezenet11_notop.npz`, kernels in (H, W, in, out) order, for BGR input.
        deepest: number of the last fire module, 2 to 9.

    Source:
        Iandola et al., arXiv 1602.07360.
    """

    # Channel means of the Caffe training set, BGR, levels 0 to 255.
    _MEANS = (104.0, 117.0, 123.0)

    def __init__(self, weights: Path, *, deepest: int = 9) -> None:
        super().__init__()
        self.deepest = deepest
        with np.load(weights) as arrays:
            for key in arrays.files:
                array = arrays[key]
                if array.ndim == 4:
                    array = array.transpose(3, 2, 0, 1)
                tensor = torch.from_numpy(np.ascontiguousarray(array))
                self.register_buffer(_buffer_name(key), tensor, persistent=False)
        self.register_buffer("means", torch.tensor(self._MEANS).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = (image.flip(1) + 1) * 127.5 - self.get_buffer("means")
        outputs = {}
        for name in ("conv1", *(f"fire{number}" for number in range(2, self.deepest + 1))):
            if name == "conv1":
                x = functional.relu(self._convolve("conv1", x, stride=2))
            else:
                x = self._fire(name, x)
            outputs[name] = x
            if name in _POOLED_AFTER:
                x = functional.max_pool2d(x, 3, 2)
        return outputs

    def _fire(self, name: str, x: Tensor) -> Tensor:
        squeezed = functional.relu(self._convolve(f"{name}_squeeze1x1", x))
        one = functional.relu(self._convolve(f"{name}_expand1x1", squeezed))
        three = functional.relu(self._convolve(f"{name}_expand3x3", squeezed, padding=1))
        return torch.cat([one, three], 1)

    def _convolve(self, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        kernel, bias = self.get_buffer(f"{name}_kernel"), self.get_buffer(f"{name}_bias")
        return functional.conv2d(x, kernel, bias, stride, padding)


def _buffer_name(key: str) -> str:
    """ "fire2|expand1x1|fire2|expand1x1_3|kernel:0" to "fire2_expand1x1_kernel"."""
    parts = key.split("|")
    layer = parts[0] if parts[0].startswith("conv") else f"{parts[0]}_{parts[1]}"
    return f"{layer}_{parts[-1].removesuffix(':0')}"
