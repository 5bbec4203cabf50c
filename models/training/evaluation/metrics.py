"""Figures that compare pictures, (H, W, 3) float32 in [0, 1], and masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity
from sklearn.metrics import roc_auc_score

from models.training.datasets import as_tensor
from models.training.degradations.marks import ByteArray, FloatArray
from models.training.squeezenet import SqueezeNet

# Some pictures are not degraded at all; an infinite ratio would hide all others in the mean.
HIGHEST_RATIO = 60.0

# Two pixels, as usual for hand-drawn scratch labels, whose edges nobody draws exactly.
_TOLERANCE = np.ones((5, 5), dtype=np.uint8)


def ratio(
    clean: FloatArray, output: FloatArray, where: npt.NDArray[np.bool_] | None = None
) -> float:
    """Peak signal-to-noise ratio in dB, at most 60; over the pixels of a (H, W) mask if given."""
    squares = ((clean - output) ** 2).mean(axis=2)
    error = float((squares if where is None else squares[where]).mean())
    return -10 * float(np.log10(max(error, 10 ** (-HIGHEST_RATIO / 10))))


def similarity(clean: FloatArray, output: FloatArray) -> float:
    """Structural similarity, window of 7 x 7, mean over the channels."""
    return float(structural_similarity(clean, output, channel_axis=2, data_range=1))


def color_drift(before: FloatArray, after: FloatArray) -> float:
    """Mean CIEDE2000 difference."""
    return float(deltaE_ciede2000(rgb2lab(before), rgb2lab(after)).mean())


class PerceptualDistance:
    """Perceptual distance (SqueezeNet): comparable within one table only.

    The features' normalised squared differences, weighted by the linear heads of LPIPS v0.1.

    Args:
        folder: with squeezenet11_notop.npz and lpips_squeeze_linear.npz.

    Source:
        R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric",
        CVPR 2018, equation (1).
    """

    _LAYERS = ("conv1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")

    def __init__(self, folder: Path) -> None:
        self.network = SqueezeNet(folder / "squeezenet11_notop.npz")
        with np.load(folder / "lpips_squeeze_linear.npz") as heads:
            self.heads = [
                torch.from_numpy(heads[f"lin{number}.model.1.weight"])
                for number in range(len(self._LAYERS))
            ]

    @torch.inference_mode()
    def __call__(self, clean: FloatArray, output: FloatArray) -> float:
        pair = torch.stack([as_tensor(clean), as_tensor(output)]) * 2 - 1
        features = self.network(pair)
        total = 0.0
        for layer, head in zip(self._LAYERS, self.heads, strict=True):
            unit = functional.normalize(features[layer], dim=1)
            total += float(functional.conv2d((unit[:1] - unit[1:]) ** 2, head).mean())
        return total


@dataclass(frozen=True)
class MarkedMap:
    """A probability map and the truth about it.

    Attributes:
        probability: (H, W) in [0, 1].
        damage: (H, W), 1 where damage can be seen.
        unsure: (H, W), 1 where nobody could tell; not counted.
    """

    probability: FloatArray
    damage: ByteArray
    unsure: ByteArray


@dataclass(frozen=True)
class Detection:
    """Precision, recall and F1 at a threshold."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def area_under_curve(maps: Sequence[MarkedMap]) -> float:
    """Area under the ROC curve over the pixels of all pictures, without tolerance."""
    known = [m.unsure == 0 for m in maps]
    truth = np.concatenate([m.damage[k] for m, k in zip(maps, known, strict=True)])
    scores = np.concatenate([m.probability[k] for m, k in zip(maps, known, strict=True)])
    return float(roc_auc_score(truth, scores))


def detection_at(claims: Sequence[ByteArray], maps: Sequence[MarkedMap]) -> Detection:
    """Compare claimed masks with the truth, two pixels tolerant, over all pictures at once."""
    right = claimed = found = wanted = 0
    for claim, truth in zip(claims, maps, strict=True):
        counted = claim * (1 - truth.unsure)
        near = cv2.dilate(truth.damage, _TOLERANCE)
        right += int((counted * near).sum())
        claimed += int(counted.sum())
        found += int((truth.damage * cv2.dilate(claim, _TOLERANCE)).sum())
        wanted += int(truth.damage.sum())
    return Detection(right / max(claimed, 1), found / max(wanted, 1))
