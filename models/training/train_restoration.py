"""Train the network that cleans and fills: `python -m models.training.train_restoration`.

It learns to undo everything but the tone: its target is the clean picture with the same fading and
shading as its input has. Tone is restored by another network, which sees the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn

from models.compact_unet import RestorationUNet
from models.filling import fill_smoothly
from models.registry import ModelSpec
from models.training import losses
from models.training.card import export_weights
from models.training.datasets import Batch, PicturePool, Sample, as_tensor
from models.training.degradations import recipe
from models.training.degradations.aging import Aging
from models.training.degradations.dice import Dice
from models.training.degradations.marks import Sprites, draw_marks, load_sprites
from models.training.degradations.painting import add_marks
from models.training.loop import LoopConfig, Player, Progress, Training, begin_with
from models.training.settings import Settings, parse_settings

INFERENCE = {"residual": True, "hole": "filled", "multiple": 16}

# Of the pictures: the original's four operations, the recipe of this project, nothing at all.
SHARES = (0.3, 0.55, 0.15)


@dataclass(frozen=True)
class RestorationConfig(LoopConfig):
    """How the restoration network is trained.

    Attributes:
        width, deepest_width, blocks: of the network.
        mask_weight: masked pixels are few, and the only ones where more than cleaning is asked for.
        perceptual: weight of the perceptual loss; 0 leaves it out.
    """

    steps: int = 20000
    batch_size: int = 8
    crop: int = 192
    learning_rate: float = 5e-4
    width: int = 32
    deepest_width: int = 160
    blocks: int = 2
    mask_weight: float = 3.0
    perceptual: float = 0.0

    @property
    def hyper_parameters(self) -> dict[str, int]:
        names = ("width", "deepest_width", "blocks")
        return {name: getattr(self, name) for name in names}


def draw_sample(
    rng: np.random.Generator, photos: PicturePool, old: PicturePool, sprites: Sprites, crop: int
) -> Sample:
    """A crop and marks that are still to be laid over it.

    A quarter of the crops are real old photos, reduced so far that little of their grain is left:
    what a restoration must not take for grain is the texture of their cloth, stone and hair.
    """
    is_old = rng.random() < 0.25
    image = old.crop(rng, crop, (0.3, 0.75)) if is_old else photos.crop(rng, crop, (0.35, 1.0))
    marks = torch.zeros(4, crop, crop)
    if rng.random() < 0.55:
        paint = draw_marks((crop, crop), rng, sprites, amount=rng.uniform(0.3, 1.5))
        marks = torch.from_numpy(paint.as_array())
    return {"image": as_tensor(image), "marks": marks}


def finish_batch(batch: Batch, dice: Dice) -> Batch:
    """Pictures in [-1, 1] with holes filled, the holes, and what should come out."""
    clean = recipe.developed(batch["image"], dice)
    kind = torch.from_numpy(dice.choices.choice(3, len(clean), p=SHARES)).to(clean.device)
    degraded = clean.clone()
    as_original, as_photo = kind == 0, kind == 1
    if bool(as_original.any()):
        degraded[as_original] = recipe.original(clean[as_original], dice).image
    printed = Aging.of(degraded[as_photo])
    if len(printed.image):
        recipe.expose(printed, dice)
        degraded[as_photo] = printed.image
    seed = int(dice.choices.integers(2**62))
    target, aging = Aging.of(clean), Aging.of(degraded)
    for picture in (target, aging):
        recipe.age(picture, Dice(seed, dice.device), 0.4)
    add_marks(aging, batch["marks"])
    if len(printed.image):
        scanned = Aging.of(aging.image[as_photo])
        recipe.scan(scanned, dice)
        aging.image = aging.image.clone()
        aging.image[as_photo] = scanned.image
    # Masks are drawn or found a little larger than the damage; smears beside it are damage, too.
    damage = torch.maximum(aging.mask, aging.unsure)
    growth = int(dice.choices.integers(1, 4))
    mask = F.max_pool2d(damage, 2 * growth + 1, 1, growth)
    filled = fill_smoothly(aging.image, mask)
    return {"image": filled * 2 - 1, "mask": mask, "target": target.image * 2 - 1}


def compute_loss(
    module: nn.Module,
    batch: Batch,
    config: RestorationConfig,
    perceptual: losses.PerceptualLoss | None,
) -> dict[str, Tensor]:
    output = batch["image"] + module(batch["image"], batch["mask"]).float()
    weight = 1 + (config.mask_weight - 1) * batch["mask"]
    terms = {"pixels": losses.charbonnier(output, batch["target"], weight)}
    if perceptual is not None:
        terms["perceptual"] = config.perceptual * perceptual(output, batch["target"])
    return terms


def export(module: nn.Module, progress: Progress, settings: Settings[RestorationConfig]) -> None:
    training = progress.summary(settings.config, ["photos", "faces", "old", "damage"])
    spec = ModelSpec(
        "restoration", "restoration_unet", settings.config.hyper_parameters, INFERENCE, training
    )
    export_weights(module, spec, settings.output)


def open_data(data: Path, crop: int) -> partial[Sample]:
    """The function that draws samples from the training folders."""
    folder = data / "train"
    return partial(
        draw_sample,
        photos=PicturePool([folder / "photos", folder / "faces"], 1024),
        old=PicturePool([folder / "old"], 1024),
        sprites=load_sprites(folder / "damage", "train"),
        crop=crop,
    )


def main() -> None:
    settings = parse_settings(__doc__, "restoration", RestorationConfig())
    config = settings.config
    torch.manual_seed(config.seed)
    network = RestorationUNet(
        width=config.width, deepest_width=config.deepest_width, blocks=config.blocks
    )
    begin_with(network, settings.start)
    perceptual = losses.open_perceptual(settings.data, config.perceptual)
    players = [Player(partial(compute_loss, config=config, perceptual=perceptual))]
    training = Training(network, config, players, settings.checkpoint)
    if perceptual is not None:
        perceptual.to(training.device)
    draw = open_data(settings.data, config.crop)
    training.run(
        training.stream(draw, finish_batch),
        lambda module, progress: export(module, progress, settings),
    )


if __name__ == "__main__":
    main()
