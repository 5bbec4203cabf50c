"""Train the face generator on aligned faces: `python -m models.training.train_face`.

The faces come from `align_faces`, into WORK/aligned-faces.

The generator's output is added to its input, so that an untrained or unsure network leaves a face
as it is and nobody is given another face.

Source: Wan et al., TPAMI 2022, section 3.5; SPADE: Park et al., CVPR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.face_generator import FaceGenerator
from models.registry import ModelSpec
from models.training import losses
from models.training.card import export_weights
from models.training.datasets import Batch, PicturePool, Sample, as_tensor, from_bgr
from models.training.degradations import noise, optics, recipe
from models.training.degradations.aging import Aging
from models.training.degradations.dice import Dice
from models.training.degradations.jpeg import compression
from models.training.degradations.marks import ByteArray, FloatArray
from models.training.loop import LoopConfig, Player, Progress, Training, begin_with
from models.training.settings import Settings, parse_settings

INFERENCE = {"residual": True}

# So many faces stay as they are: the generator must know a good one when it sees it.
CLEAN_SHARE = 0.12


@dataclass(frozen=True)
class FaceConfig(LoopConfig):
    """How the face generator is trained.

    Attributes:
        width, modulation_width: of the generator; the original has 64 and 128.
        perceptual: weight of the perceptual loss.
    """

    steps: int = 5000
    batch_size: int = 4
    learning_rate: float = 4e-4
    width: int = 10
    modulation_width: int = 32
    perceptual: float = 0.03

    @property
    def hyper_parameters(self) -> dict[str, int]:
        return {
            "width": self.width,
            "modulation_width": self.modulation_width,
            "crop_size": self.crop,
        }


class ResidualFaceGenerator(nn.Module):
    """The generator as the enhancement stage applies it, over [-1, 1] pictures."""

    def __init__(self, config: FaceConfig) -> None:
        super().__init__()
        self.generator = FaceGenerator(**config.hyper_parameters)
        nn.init.normal_(self.generator.conv_img.weight, std=1e-3)

    def forward(self, face: Tensor) -> Tensor:
        result: Tensor = face + self.generator(face).float()
        return result


def draw_sample(rng: np.random.Generator, faces: PicturePool) -> Sample:
    """A clean aligned face, a little turned and shifted."""
    picture = faces.pictures[int(rng.integers(len(faces.pictures)))]
    return {"image": as_tensor(_jittered(picture, rng))}


def _jittered(picture: ByteArray, rng: np.random.Generator) -> FloatArray:
    """Old photos give landmarks a few pixels off; the generator must stand that."""
    side = picture.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.normal(0, 4), rng.uniform(0.93, 1.12))
    turn = np.asarray(turn, dtype=np.float64) + np.array([[0, 0, 1]]) * rng.normal(0, 4, (2, 1))
    moved = cv2.warpAffine(
        picture, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return from_bgr(moved[:, ::-1] if rng.random() < 0.5 else moved)


def degrade_faces(clean: Tensor, dice: Dice) -> Tensor:
    """What is left to do for faces after the whole picture was restored: blur, lost resolution.

    Args:
        clean: (B, 3, H, W) in [0, 1].
    """
    aging = Aging.of(clean)
    aging.apply(optics.soft_focus(3.0), dice, 0.6)
    aging.apply(optics.lost_resolution(4.5), dice, 0.5)
    aging.apply(noise.film_grain(0.05), dice, 0.5)
    aging.apply(compression(35, 95), dice, 0.4)
    return aging.image


def finish_batch(batch: Batch, dice: Dice) -> Batch:
    clean = recipe.developed(batch["image"], dice)
    stays = dice.happens(len(clean), CLEAN_SHARE).view(-1, 1, 1, 1).to(clean.device)
    degraded = torch.where(stays, clean, degrade_faces(clean, dice))
    return {"clean": clean * 2 - 1, "degraded": degraded * 2 - 1}


def compute_loss(
    module: nn.Module, batch: Batch, config: FaceConfig, perceptual: losses.PerceptualLoss
) -> dict[str, Tensor]:
    output = module(batch["degraded"])
    return {
        "pixels": losses.charbonnier(output, batch["clean"]),
        "perceptual": config.perceptual * perceptual(output, batch["clean"]),
    }


def export(module: nn.Module, progress: Progress, settings: Settings[FaceConfig]) -> None:
    training = progress.summary(settings.config, ["faces"])
    spec = ModelSpec(
        "face_256", "face_generator", settings.config.hyper_parameters, INFERENCE, training
    )
    export_weights(module.get_submodule("generator"), spec, settings.output)


def main() -> None:
    settings = parse_settings(__doc__, "face", FaceConfig())
    config = settings.config
    torch.manual_seed(config.seed)
    perceptual = losses.PerceptualLoss(settings.data / "perceptual" / "squeezenet11_notop.npz")
    players = [Player(partial(compute_loss, config=config, perceptual=perceptual))]
    network = ResidualFaceGenerator(config)
    begin_with(network.generator, settings.start)
    training = Training(network, config, players, settings.checkpoint)
    perceptual.to(training.device)
    faces = PicturePool([settings.work / "aligned-faces"], config.crop)
    training.run(
        training.stream(partial(draw_sample, faces=faces), finish_batch),
        lambda module, progress: export(module, progress, settings),
    )


if __name__ == "__main__":
    main()
