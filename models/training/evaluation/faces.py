"""How well aligned faces are enhanced, how little clean ones are harmed, and who they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch

from backend.color_fit import in_tone_of
from backend.face_finder import FaceFinder
from backend.geometry import Box
from backend.networks import Networks
from backend.options import Options
from backend.stages.enhancement import redraw
from backend.stages.faces import enhanced_share
from models.training.align_faces import aligned_faces
from models.training.datasets import as_tensor
from models.training.degradations import recipe
from models.training.degradations.dice import Dice
from models.training.degradations.faces import SIDES, aged_faces, printed_faces, resized
from models.training.degradations.marks import FloatArray
from models.training.evaluation.identity import FaceDescriptor
from models.training.evaluation.methods import ours
from models.training.evaluation.metrics import PerceptualDistance, ratio, similarity
from models.training.evaluation.report import Report, Table

_SEEDS = (7800, 7801, 7802)
"""Each face is aged by each of them: with one alone, whether nine of ten faces come nearer to the
person would be a matter of luck (standard error 2.3 %)."""

_SHEET_ROWS = 12

# Width of the face finder's box in an aligned crop: 180 of 256 pixels on all portraits for tests.
_BOX_SHARE = 0.7

STEPS = ("aged", "restored", "enhanced")


def open_faces(folder: Path) -> list[FloatArray]:
    """All faces on the pictures of a folder, found and aligned as in the pipeline."""
    finder = FaceFinder()
    return [
        crop.astype(np.float32)
        for file in sorted(folder.iterdir())
        for crop in aligned_faces(file, finder)
    ]


@dataclass(frozen=True)
class Scores:
    """Of one picture of a face against the true one: dB, similarity, two distances."""

    ratio: float
    similarity: float
    perceptual: float
    identity: float


def report_faces(
    report: Report,
    weights: str,
    networks: Networks,
    faces: Sequence[FloatArray],
    distance: PerceptualDistance,
) -> None:
    """Faces of several sizes: aged, restored as part of a photo, and then enhanced."""
    judge = Judge(networks, distance)
    trials = {
        side: [
            judge.try_face(face, [seed, side, number])
            for seed in _SEEDS
            for number, face in enumerate(faces)
        ]
        for side in SIDES
    }
    everything = [trial for of_side in trials.values() for trial in of_side]
    table = Table(["faces", "PSNR", "SSIM", "perceptual", "identity distance"])
    for name in STEPS:
        mean = np.mean([astuple(trial.scores[name]) for trial in everything], axis=0)
        table.rows.append([name, f"{mean[0]:.2f}", *(f"{value:.3f}" for value in mean[1:])])
    unharmed = [ratio(face, judge.enhanced(face, face)) for face in faces]
    table.rows.append(["clean, enhanced", f"{np.mean(unharmed):.2f}", "", "", ""])
    report.section(
        f"Faces, {weights}",
        f"Aligned faces, aged {len(_SEEDS)} times at each of several sizes (sides of the square "
        "that becomes a crop of 256 x 256 pixels), restored as part of a photo, then enhanced by "
        "the share that the pipeline gives to faces of that size. The identity distance is that "
        "of dlib's descriptors.",
        table,
    )
    report.section("Faces by size", "", _table_of_sizes(trials))
    middle = trials[SIDES[len(SIDES) // 2]][:_SHEET_ROWS]
    rows = [[*(trial.pictures[name] for name in STEPS), trial.clean] for trial in middle]
    report.sheet(f"Faces enhanced, {weights}", [*STEPS, "clean"], rows)


@dataclass(frozen=True)
class Trial:
    """One face on its way; pictures are (256, 256, 3)."""

    clean: FloatArray
    pictures: dict[str, FloatArray]
    scores: dict[str, Scores]


class Judge:
    """Ages faces, restores and enhances them, and measures each step."""

    def __init__(self, networks: Networks, distance: PerceptualDistance) -> None:
        self._generator, self._device = networks.face("face_256"), networks.device
        self._inference = networks.spec("face_256").inference
        self._restore = ours(networks, Options(tone=False))
        self._descriptor, self._distance = FaceDescriptor(), distance

    def try_face(self, face: FloatArray, seed: Sequence[int]) -> Trial:
        """Age one aligned face.

        Args:
            face: (256, 256, 3) in [0, 1].
            seed: of all choices; its second number is the side of the face in the photo.
        """
        dice = Dice(seed)
        clean = printed_faces(recipe.developed(as_tensor(face)[None], dice), dice)
        aged = aged_faces(clean, seed[1], dice)
        restored = self._restore(_array(aged), np.zeros(aged.shape[2:], np.uint8))
        before = _array(resized(as_tensor(restored)[None], clean.shape[2]))
        photo = _array(resized(aged, clean.shape[2]))
        share = np.float32(share_of_side(seed[1]))
        pictures = {
            "aged": photo,
            "restored": before,
            "enhanced": before + share * (self.enhanced(before, photo) - before),
        }
        truth = _array(clean)
        landmarks = self._descriptor.locate(truth)
        person = self._descriptor.describe(truth, landmarks)
        scores = {
            name: Scores(
                ratio(truth, picture),
                similarity(truth, picture),
                self._distance(truth, picture),
                float(np.linalg.norm(self._descriptor.describe(picture, landmarks) - person)),
            )
            for name, picture in pictures.items()
        }
        return Trial(truth, pictures, scores)

    @torch.inference_mode()
    def enhanced(self, face: FloatArray, photo: FloatArray) -> FloatArray:
        """The face as the network enhances it, which knows the photo that was restored."""
        shown = [face]
        if self._generator.sees_photo:
            shown.append(in_tone_of(face, photo, np.ones(face.shape[:2], np.float32)))
        x = torch.cat([as_tensor(image) for image in shown])[None] * 2 - 1
        y = redraw(self._generator, x, self._device, self._inference)
        return _array(((y.cpu() + 1) / 2).clamp(0, 1))


def share_of_side(side: int) -> float:
    """The share of the enhancement that the pipeline gives to a face of this size.

    Args:
        side: in pixels of the photo, of the square that becomes a crop.
    """
    width = round(_BOX_SHARE * side)
    return enhanced_share(Box(0, 0, width, width))


def _table_of_sizes(trials: dict[int, list[Trial]]) -> Table:
    table = Table(
        [
            "side",
            "share",
            "PSNR, restored",
            "PSNR, enhanced",
            "nearer to the person",
            "better in PSNR",
        ]
    )
    groups = {str(side): of_side for side, of_side in trials.items()}
    groups["all"] = [trial for of_side in trials.values() for trial in of_side]
    for name, group in groups.items():
        share = f"{share_of_side(int(name)):.2f}" if name != "all" else ""
        pairs = [(trial.scores["restored"], trial.scores["enhanced"]) for trial in group]
        ratios = [
            float(np.mean([scores.ratio for scores in of_step]))
            for of_step in zip(*pairs, strict=True)
        ]
        nearer = np.mean([after.identity < before.identity for before, after in pairs])
        better = np.mean([after.ratio > before.ratio for before, after in pairs])
        numbers = [*(f"{value:.2f}" for value in ratios), f"{nearer:.1%}", f"{better:.1%}"]
        table.rows.append([name, share, *numbers])
    return table


def _array(image: torch.Tensor) -> FloatArray:
    return np.ascontiguousarray(image[0].permute(1, 2, 0).numpy(), dtype=np.float32)
