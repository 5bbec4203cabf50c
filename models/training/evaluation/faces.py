"""How well aligned faces are enhanced, how little clean ones are harmed, and who they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from backend.face_finder import FaceFinder
from backend.networks import Networks
from models.training.align_faces import aligned_faces
from models.training.datasets import as_tensor
from models.training.degradations import recipe
from models.training.degradations.dice import Dice
from models.training.degradations.marks import FloatArray
from models.training.evaluation.identity import FaceDescriptor
from models.training.evaluation.metrics import PerceptualDistance, ratio, similarity
from models.training.evaluation.report import Report, Table
from models.training.train_face import degrade_faces

_SEED = 7800
_SHEET_ROWS = 12


def open_faces(folder: Path) -> list[FloatArray]:
    """All faces on the pictures of a folder, found and aligned as in the pipeline."""
    finder = FaceFinder()
    return [
        crop.astype(np.float32)
        for file in sorted(folder.iterdir())
        for crop in aligned_faces(file, finder)
    ]


def report_faces(
    report: Report,
    weights: str,
    networks: Networks,
    faces: Sequence[FloatArray],
    distance: PerceptualDistance,
) -> None:
    """Degraded and enhanced faces against clean ones."""
    generator, descriptor = networks.face("face_256"), FaceDescriptor()
    scores: dict[str, list[tuple[float, ...]]] = {"degraded": [], "enhanced": []}
    clean_ratios, rows = [], []
    for number, face in enumerate(faces):
        dice = Dice([_SEED, number])
        clean = recipe.developed(as_tensor(face)[None], dice)
        degraded = degrade_faces(clean, dice)
        with torch.inference_mode():
            outputs = [_enhanced(generator, picture) for picture in (degraded, clean)]
        truth, given = _array(clean), _array(degraded)
        landmarks = descriptor.locate(truth)
        person = descriptor.describe(truth, landmarks)
        for name, picture in (("degraded", given), ("enhanced", outputs[0])):
            apart = float(np.linalg.norm(descriptor.describe(picture, landmarks) - person))
            figures = ratio(truth, picture), similarity(truth, picture), distance(truth, picture)
            scores[name].append((*figures, apart))
        clean_ratios.append(ratio(truth, outputs[1]))
        rows.append([given, outputs[0], truth])
    table = Table(["faces", "PSNR", "SSIM", "perceptual", "identity distance"])
    for name, figures_of_all in scores.items():
        mean = np.mean(figures_of_all, axis=0)
        table.rows.append([name, f"{mean[0]:.2f}", *(f"{value:.3f}" for value in mean[1:])])
    table.rows.append(["clean, enhanced", f"{np.mean(clean_ratios):.2f}", "", "", ""])
    nearer = np.mean([e[3] < d[3] for d, e in zip(*scores.values(), strict=True)])
    report.section(
        f"Faces, {weights}",
        "Aligned crops of 256 x 256 pixels. The identity distance is that of dlib's descriptors; "
        f"enhancement brings {nearer:.0%} of the faces nearer to the true person.",
        table,
    )
    report.sheet(
        f"Faces enhanced, {weights}", ["degraded", "enhanced", "clean"], rows[:_SHEET_ROWS]
    )


def _enhanced(generator: torch.nn.Module, face: torch.Tensor) -> FloatArray:
    x = face * 2 - 1
    return _array(((x + generator(x) + 1) / 2).clamp(0, 1))


def _array(image: torch.Tensor) -> FloatArray:
    return np.ascontiguousarray(image[0].permute(1, 2, 0).numpy(), dtype=np.float32)
