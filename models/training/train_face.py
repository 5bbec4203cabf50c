"""Train the face generator on aligned faces: `python -m models.training.train_face`.

The faces come from `align_faces`, into WORK/aligned-faces.

The generator's output is added to its input, so that an untrained or unsure network leaves a face
as it is and nobody is given another face.

Source: Wan et al., TPAMI 2022, section 3.5; SPADE: Park et al., CVPR 2019.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.face_generator import FaceGenerator
from models.loading import save_bundled
from models.registry import ModelSpec
from models.training import losses
from models.training.damage import ByteArray, FloatArray
from models.training.datasets import PicturePool, Sample, as_tensor, batches, from_bgr
from models.training.degradations import Severity, degrade, develop, to_gray
from models.training.loop import LoopConfig, train
from models.training.settings import Settings, parse_settings

HYPER_PARAMETERS = {"width": 10, "modulation_width": 32, "crop_size": 256}
INFERENCE = {"residual": True}
LOOP = LoopConfig(steps=450, batch_size=4, crop=256, learning_rate=4e-4)

# The global restoration has removed most of the noise before; blur and lost resolution are left.
SEVERITY = Severity(blur_sigma=3.0, noise=0.05, reduction=4.5, jpeg_quality=35)


class ResidualFaceGenerator(nn.Module):
    """The generator as the enhancement stage applies it, over [-1, 1] pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = FaceGenerator(**HYPER_PARAMETERS)
        nn.init.normal_(self.generator.conv_img.weight, std=1e-3)

    def forward(self, face: Tensor) -> Tensor:
        result: Tensor = face + self.generator(face).float()
        return result


def make_sample(rng: np.random.Generator, faces: PicturePool) -> Sample:
    """A clean aligned face, a little turned and shifted, and its degraded copy."""
    picture = faces.pictures[int(rng.integers(len(faces.pictures)))]
    clean = _jittered(picture, rng)
    clean = to_gray(clean) if rng.random() < 0.3 else clean
    clean = develop(clean, rng) if rng.random() < 0.7 else clean
    degraded = clean if rng.random() < 0.12 else degrade(clean, rng, SEVERITY)
    return {"clean": as_tensor(clean) * 2 - 1, "degraded": as_tensor(degraded) * 2 - 1}


def _jittered(picture: ByteArray, rng: np.random.Generator) -> FloatArray:
    """Old photos give landmarks a few pixels off; the generator must stand that."""
    side = picture.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.normal(0, 4), rng.uniform(0.93, 1.12))
    turn = np.asarray(turn, dtype=np.float64) + np.array([[0, 0, 1]]) * rng.normal(0, 4, (2, 1))
    moved = cv2.warpAffine(
        picture, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return from_bgr(moved[:, ::-1] if rng.random() < 0.5 else moved)


def compute_loss(
    module: nn.Module, batch: Sample, perceptual: losses.PerceptualLoss
) -> dict[str, Tensor]:
    output = module(batch["degraded"])
    return {
        "pixels": losses.charbonnier(output, batch["clean"]),
        "perceptual": 0.03 * perceptual(output, batch["clean"]),
    }


def export(module: nn.Module, step: int, path: Path) -> None:
    spec = ModelSpec("face_256", "face_generator", HYPER_PARAMETERS, {**INFERENCE, "steps": step})
    save_bundled(module.get_submodule("generator"), spec, path)


def main() -> None:
    settings: Settings = parse_settings(__doc__, "face", LOOP)
    torch.manual_seed(settings.loop.seed)
    make = partial(make_sample, faces=PicturePool([settings.work / "aligned-faces"], 256))
    perceptual = losses.PerceptualLoss(settings.data / "perceptual" / "squeezenet11_notop.npz").to(
        "cuda" if torch.cuda.is_available() else "cpu"
    )
    train(
        ResidualFaceGenerator(),
        settings.loop,
        lambda start: batches(
            make, batch_size=settings.loop.batch_size, seed=settings.loop.seed, start=start
        ),
        partial(compute_loss, perceptual=perceptual),
        settings.checkpoint,
        lambda module, step: export(module, step, settings.output),
    )


if __name__ == "__main__":
    main()
