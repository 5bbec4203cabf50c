"""How well aligned faces are enhanced, and how little clean ones are harmed."""

from __future__ import annotations

import numpy as np
import torch

from backend.networks import Networks
from models.training.datasets import PicturePool, as_tensor, from_bgr
from models.training.degradations import recipe
from models.training.degradations.dice import Dice
from models.training.degradations.marks import FloatArray
from models.training.evaluation.metrics import PerceptualDistance, ratio, similarity
from models.training.evaluation.report import Report, Table
from models.training.train_face import degrade_faces

_SEED = 7800


def report_faces(
    report: Report, networks: Networks, faces: PicturePool, distance: PerceptualDistance
) -> None:
    """Degraded and enhanced faces against clean ones."""
    generator = networks.face("face_256")
    degraded_scores: list[tuple[float, ...]] = []
    enhanced_scores: list[tuple[float, ...]] = []
    clean_ratios: list[float] = []
    for number, levels in enumerate(faces.pictures):
        dice = Dice([_SEED, number])
        clean = recipe.developed(as_tensor(from_bgr(levels))[None], dice)
        degraded = degrade_faces(clean, dice)
        with torch.inference_mode():
            outputs = [_enhanced(generator, face) for face in (degraded, clean)]
        truth = _array(clean)
        for scores, face in ((degraded_scores, _array(degraded)), (enhanced_scores, outputs[0])):
            scores.append((ratio(truth, face), similarity(truth, face), distance(truth, face)))
        clean_ratios.append(ratio(truth, outputs[1]))
    table = Table(["faces", "PSNR", "SSIM", "perceptual"])
    for name, scores in (("degraded", degraded_scores), ("enhanced", enhanced_scores)):
        mean = np.mean(scores, axis=0)
        table.rows.append([name, f"{mean[0]:.2f}", f"{mean[1]:.3f}", f"{mean[2]:.3f}"])
    table.rows.append(["clean, enhanced", f"{np.mean(clean_ratios):.2f}", "", ""])
    report.section("Faces", "Aligned crops of 256 x 256 pixels.", table)


def _enhanced(generator: torch.nn.Module, face: torch.Tensor) -> FloatArray:
    x = face * 2 - 1
    return _array(((x + generator(x) + 1) / 2).clamp(0, 1))


def _array(image: torch.Tensor) -> FloatArray:
    return np.ascontiguousarray(image[0].permute(1, 2, 0).numpy(), dtype=np.float32)
