"""Train the face generator on aligned faces: `python -m models.training.train_face`.

The faces come from `align_faces`, into WORK/aligned-faces; what it gets in the pipeline are faces
of restored photos, so most of its training faces are aged at the size that faces have in photos,
restored by the bundled restoration network, and brought to the size of a crop.

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
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from backend.precision import fast_type
from models.compact_unet import CompactFaceGenerator, RestorationUNet
from models.face_generator import FaceGenerator
from models.grain_level import grain_map
from models.loading import bundled_weights
from models.registry import ModelSpec
from models.training import losses
from models.training.card import export_weights
from models.training.datasets import Batch, PicturePool, Sample, as_tensor, from_bgr
from models.training.degradations import recipe
from models.training.degradations.dice import Dice
from models.training.degradations.faces import aged_faces, common_side, printed_faces, resized
from models.training.degradations.fields import luminance
from models.training.degradations.marks import ByteArray, FloatArray
from models.training.descriptor import DescriptorNetwork, face_chip, find_descriptor, random_views
from models.training.loop import (
    LoopConfig,
    Player,
    Progress,
    Training,
    begin_with,
)
from models.training.settings import Settings, parse_settings

# Not all that the network adds: with three quarters, 91.1 % of faces come nearer to the person, in
# place of 89.9 %, for 0.07 dB.
INFERENCE = {"residual": True, "mirrored": True, "share": 0.75}

# So many faces stay as they are: the generator must know a good one when it sees it.
CLEAN_SHARE = 0.12

# So many are restored before, wholly or in part, as in the pipeline; the others are as people send
# them who left the whole picture as it is.
RESTORED_SHARE = 0.7

# An enhanced face should be nearer to the person by so much, as distances of dlib's descriptors go:
# two pictures of one person are at most 0.6 apart.
NEARER = 0.01

# Where eyes and mouth lie in aligned crops, as shares of the side, and how wide; see
# backend.alignment.TEMPLATE. A face lives by them, and they are a tenth of the crop.
_FEATURES = ((0.35, 0.42, 0.09), (0.65, 0.42, 0.09), (0.5, 0.76, 0.11))


@dataclass(frozen=True)
class FaceConfig(LoopConfig):
    """How the face generator is trained.

    Attributes:
        family: "compact_face_generator", or "face_generator" for the original's.
        width: of the network; the original has 64.
        deepest_width, blocks, up_blocks: of the compact one.
        modulation_width: of the original's, which has 128.
        perceptual: weight of the perceptual loss; 0 leaves it out.
        identity: weight of the distance between the persons, as dlib's descriptors see them; 0
            leaves it out.
        further: how much more it weighs what is hardly nearer to the person than before, or
            further away.
        features: weight of a pixel of eyes and mouth against one of the cheek.
    """

    steps: int = 8000
    batch_size: int = 8
    learning_rate: float = 6e-4
    family: str = "compact_face_generator"
    width: int = 32
    deepest_width: int = 128
    blocks: int = 2
    up_blocks: int = 2
    modulation_width: int = 128
    perceptual: float = 0.0
    identity: float = 4.0
    further: float = 4.0
    features: float = 3.0

    @property
    def hyper_parameters(self) -> dict[str, int]:
        is_original = self.family == "face_generator"
        names = ["width"]
        names += ["modulation_width"] if is_original else ["deepest_width", "blocks", "up_blocks"]
        return {name: getattr(self, name) for name in names} | {"crop_size": self.crop}


class ResidualFaceGenerator(nn.Module):
    """The generator as the enhancement stage applies it, over [-1, 1] pictures."""

    def __init__(self, config: FaceConfig) -> None:
        super().__init__()
        self.generator: CompactFaceGenerator | FaceGenerator
        if config.family == "face_generator":
            self.generator = FaceGenerator(**config.hyper_parameters)
            nn.init.normal_(self.generator.conv_img.weight, std=1e-3)
        else:
            self.generator = CompactFaceGenerator(**config.hyper_parameters)

    def forward(self, face: Tensor, photo: Tensor) -> Tensor:
        x = torch.cat([face, photo], dim=1) if self.generator.sees_photo else face
        result: Tensor = face + self.generator(x).float()
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


def finish_batch(batch: Batch, dice: Dice, restoration: RestorationUNet) -> Batch:
    """Faces in [-1, 1] as they should be and as the stage gets them, all of one size."""
    clean = printed_faces(recipe.developed(batch["image"], dice), dice)
    aged = aged_faces(clean, common_side(dice), dice)
    restored = restored_in_part(aged, dice, restoration)
    stays = dice.happens(len(clean), CLEAN_SHARE).view(-1, 1, 1, 1).to(clean.device)
    face, photo = (
        torch.where(stays, clean, resized(given, clean.shape[2])) * 2 - 1
        for given in (restored, aged)
    )
    return {"clean": clean * 2 - 1, "face": face, "photo": photo}


@torch.no_grad()
def restored_in_part(aged: Tensor, dice: Dice, restoration: RestorationUNet) -> Tensor:
    """What people send: restored wholly, by some strength, or not at all."""
    chosen = dice.happens(len(aged), RESTORED_SHARE).view(-1, 1, 1, 1).to(aged.device)
    strength = (dice.uniform(len(aged), 0.5, 1.5).clamp_max(1) * chosen).to(aged.device)
    restoration.to(aged.device)
    x, light = aged * 2 - 1, luminance(aged)
    reduced = fast_type(aged.device) == torch.bfloat16
    with torch.autocast(aged.device.type, torch.bfloat16, enabled=reduced):
        change: Tensor = restoration(x, torch.zeros_like(light), x, grain_map(light, light)).float()
    return torch.clamp(aged + strength * change / 2, 0, 1)


def compute_loss(
    module: nn.Module,
    batch: Batch,
    config: FaceConfig,
    perceptual: losses.PerceptualLoss | None,
    descriptor: DescriptorNetwork | None,
) -> dict[str, Tensor]:
    output, clean = module(batch["face"], batch["photo"]), batch["clean"]
    weight = feature_weights(clean.shape[2], config.features).to(clean.device)
    terms = {"pixels": losses.log_error(output, clean, weight.expand_as(clean[:, :1]))}
    if perceptual is not None:
        terms["perceptual"] = config.perceptual * perceptual(output, clean)
    if descriptor is not None:
        views = random_views(torch.stack([output, clean, batch["face"]]))
        shown, true, before = (descriptor(face_chip(faces)).float() for faces in views)
        loss = identity_loss(shown, true, before, config.further)
        terms["identity"] = config.identity * loss
    return terms


def identity_loss(shown: Tensor, true: Tensor, before: Tensor, further: float) -> Tensor:
    """How far enhanced faces are from the persons, and how little nearer than before.

    Args:
        shown, true, before: (B, 128), descriptors of the enhanced faces, of the true ones and of
            those that were enhanced.
        further: weight of what lacks to be nearer by NEARER.

    Returns:
        A number; the mean.
    """
    distance = (shown - true).norm(dim=1)
    lack = F.relu(distance - (before - true).norm(dim=1) + NEARER)
    loss: Tensor = (distance + further * lack).mean()
    return loss


def feature_weights(side: int, highest: float) -> Tensor:
    """(1, 1, side, side): `highest` on eyes and mouth, 1 far from them."""
    rows = ((torch.arange(side) + 0.5) / side).view(1, 1, -1, 1)
    columns = rows.transpose(2, 3)
    bumps = [
        torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2))
        for x, y, width in _FEATURES
    ]
    return 1 + (highest - 1) * torch.stack(bumps).amax(dim=0)


def export(module: nn.Module, progress: Progress, settings: Settings[FaceConfig]) -> None:
    config = settings.config
    training = progress.summary(config, ["faces"])
    spec = ModelSpec("face_256", config.family, config.hyper_parameters, INFERENCE, training)
    export_weights(module.get_submodule("generator"), spec, settings.output)


def main() -> None:
    settings = parse_settings(__doc__, "face", FaceConfig())
    config = settings.config
    torch.manual_seed(config.seed)
    perceptual = losses.open_perceptual(settings.data, config.perceptual)
    descriptor = DescriptorNetwork(find_descriptor()) if config.identity else None
    players = [
        Player(partial(compute_loss, config=config, perceptual=perceptual, descriptor=descriptor))
    ]
    network = ResidualFaceGenerator(config)
    begin_with(network.generator, settings.start)
    training = Training(network, config, players, settings.checkpoint)
    for judge in (perceptual, descriptor):
        if judge is not None:
            judge.to(training.device)
    restoration = bundled_weights().load("restoration")
    assert isinstance(restoration, RestorationUNet)
    faces = PicturePool([settings.work / "aligned-faces"], config.crop)
    training.run(
        training.stream(
            partial(draw_sample, faces=faces), partial(finish_batch, restoration=restoration)
        ),
        lambda module, progress: export(module, progress, settings),
    )


if __name__ == "__main__":
    main()
