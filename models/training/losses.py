"""Training losses.

Pictures are (B, 3, H, W) float32 in [-1, 1], masks (B, 1, H, W) with 1 = damaged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn


def charbonnier(output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of sqrt(d² + 1e-6): L1 without the kink at zero.

    Args:
        weight: (B, 1, H, W), multiplies each pixel's loss.
    """
    distance = torch.sqrt((output - target) ** 2 + 1e-6)
    return (distance * weight).mean() if weight is not None else distance.mean()


def focal(
    logits: Tensor, target: Tensor, gamma: float = 2.0, positive_weight: float = 0.75
) -> Tensor:
    """Binary focal loss: the many easy background pixels count little.

    Args:
        logits: (B, 1, H, W) before the sigmoid.
        target: (B, 1, H, W), 1 = damaged.
        positive_weight: share of the weight that damaged pixels get, in [0, 1].

    Source:
        Lin et al., "Focal loss for dense object detection", ICCV 2017, equation (5).
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    certainty = torch.exp(-cross_entropy)
    balance = positive_weight * target + (1 - positive_weight) * (1 - target)
    return (balance * (1 - certainty) ** gamma * cross_entropy).mean()


def tversky(logits: Tensor, target: Tensor, false_alarms: float = 0.5) -> Tensor:
    """1 - Tversky index of the probability map with the target, over the whole batch.

    Args:
        false_alarms: weight of wrongly claimed pixels against missed ones, in [0, 1]; 0.5 is the
            Dice loss.

    Source:
        Salehi et al., "Tversky loss function for image segmentation", MLMI 2017, equation (4).
    """
    probability = torch.sigmoid(logits)
    hit = (probability * target).sum()
    claimed, missed = (probability * (1 - target)).sum(), ((1 - probability) * target).sum()
    return 1 - (hit + 1) / (hit + false_alarms * claimed + (1 - false_alarms) * missed + 1)


class PerceptualLoss(nn.Module):
    """L1 distance of SqueezeNet 1.1 features after fire modules 2, 4 and 7, each normalised.

    Args:
        weights: `squeezenet11_notop.npz`, kernels in (H, W, in, out) order, BGR input.

    Source:
        Johnson et al., ECCV 2016 (the idea); Iandola et al., arXiv 1602.07360 (the network).
    """

    # Channel means of the Caffe training set, BGR, levels 0 to 255.
    _MEANS = (104.0, 117.0, 123.0)

    def __init__(self, weights: Path) -> None:
        super().__init__()
        with np.load(weights) as arrays:
            for key in arrays.files:
                array = arrays[key]
                if array.ndim == 4:
                    array = array.transpose(3, 2, 0, 1)
                tensor = torch.from_numpy(np.ascontiguousarray(array))
                self.register_buffer(_buffer_name(key), tensor, persistent=False)
        self.register_buffer("means", torch.tensor(self._MEANS).view(1, 3, 1, 1), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        total = output.new_zeros(())
        for a, b in zip(self.features(output), self.features(target.detach()), strict=True):
            total = (
                total
                + functional.l1_loss(functional.normalize(a, dim=1), functional.normalize(b, dim=1))
                * a.shape[1] ** 0.5
            )
        return total

    def features(self, image: Tensor) -> list[Tensor]:
        x = (image.flip(1) + 1) * 127.5 - self.get_buffer("means")
        x = functional.relu(self._convolve("conv1", x, stride=2))
        x = functional.max_pool2d(x, 3, 2)
        taps = []
        for number in range(2, 8):
            x = self._fire(number, x)
            if number in (3, 5):
                taps.append(x)
                x = functional.max_pool2d(x, 3, 2)
        return [*taps, x]

    def _fire(self, number: int, x: Tensor) -> Tensor:
        squeezed = functional.relu(self._convolve(f"fire{number}_squeeze1x1", x))
        one = functional.relu(self._convolve(f"fire{number}_expand1x1", squeezed))
        three = functional.relu(self._convolve(f"fire{number}_expand3x3", squeezed, padding=1))
        return torch.cat([one, three], 1)

    def _convolve(self, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        kernel, bias = self.get_buffer(f"{name}_kernel"), self.get_buffer(f"{name}_bias")
        return functional.conv2d(x, kernel, bias, stride, padding)


def _buffer_name(key: str) -> str:
    """ "fire2|expand1x1|fire2|expand1x1_3|kernel:0" to "fire2_expand1x1_kernel"."""
    parts = key.split("|")
    layer = parts[0] if parts[0].startswith("conv") else f"{parts[0]}_{parts[1]}"
    return f"{layer}_{parts[-1].removesuffix(':0')}"
