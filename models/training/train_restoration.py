"""Train the network that cleans and fills: `python -m models.training.train_restoration`.

It learns to undo everything but the tone: its target is the clean picture with the same fading and
shading as its input has. Tone is restored by another network, which sees the whole picture.

Under the mask it sees what the photo shows there. Some masks are rough selections around no damage
at all, which must come back as they were; others hide something opaque that looks like a picture.
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
from models.grain_level import grain_map
from models.registry import ModelSpec
from models.training import losses
from models.training.card import export_weights
from models.training.damage_labels import LabelledPhotos, load_labels
from models.training.datasets import Batch, PicturePool, Sample, as_tensor
from models.training.degradations import noise, recipe
from models.training.degradations.aging import Aging
from models.training.degradations.areas import draw_selection
from models.training.degradations.dice import Dice
from models.training.degradations.fields import is_gray, luminance
from models.training.degradations.marks import Sprites, draw_marks, load_sprites
from models.training.degradations.painting import add_marks
from models.training.loop import LoopConfig, Player, Progress, Training, begin_with
from models.training.settings import Settings, parse_settings
from models.training.transplants import Transplant, draw_transplants, lift_damage

INFERENCE = {"residual": True, "hole": "filled", "multiple": 16}

# Of the pictures: the original's four operations, the recipe of this project, nothing at all.
SHARES = (0.25, 0.4, 0.35)

FURTHER_GRAIN = 0.4
"""Share of the pictures of the second kind that get grain as strong and coarse as large scans have,
beside what the recipe does."""


LIFTED = 0.25
"""Share of the marked pictures whose marks are lifted off old photos; the others are drawn."""


@dataclass(frozen=True)
class RestorationConfig(LoopConfig):
    """How the restoration network is trained.

    Attributes:
        width, deepest_width, blocks, deepest_blocks, up_blocks: of the network.
        repair: weight of the error of masked pixels, which are few, and the only ones where more
            than cleaning is asked for.
        perceptual: weight of the perceptual loss; 0 leaves it out.
    """

    steps: int = 20000
    batch_size: int = 5
    crop: int = 256
    learning_rate: float = 5e-4
    width: int = 32
    deepest_width: int = 160
    blocks: int = 2
    deepest_blocks: int = 3
    up_blocks: int = 2
    repair: float = 2.0
    perceptual: float = 1.0

    @property
    def hyper_parameters(self) -> dict[str, int]:
        names = ("width", "deepest_width", "blocks", "deepest_blocks", "up_blocks")
        return {name: getattr(self, name) for name in names}


def draw_sample(
    rng: np.random.Generator,
    photos: PicturePool,
    old: PicturePool,
    sprites: Sprites,
    lifted: list[list[Transplant]],
    crop: int,
) -> Sample:
    """A crop and marks that are still to be laid over it.

    A third of the crops are real old photos: what a restoration must not take for grain is the
    texture of their cloth, stone, leaves and hair. They are reduced, so that their own grain is
    gone; else it would be wanted in one picture and damage in the next.

    Real damage is far fainter than what is drawn: most of the picture can still be seen through it.
    """
    is_old = rng.random() < 0.35
    image = old.crop(rng, crop, (0.3, 0.6)) if is_old else photos.crop(rng, crop, (0.35, 1.0))
    marks = torch.zeros(4, crop, crop)
    if rng.random() < 0.85:
        if lifted and rng.random() < LIFTED:
            paint = draw_transplants((crop, crop), rng, lifted)
        else:
            paint = draw_marks((crop, crop), rng, sprites, amount=rng.uniform(0.3, 1.5))
        marks = torch.from_numpy(paint.as_array())
    selection = torch.from_numpy(draw_selection((crop, crop), rng))
    return {"image": as_tensor(image), "marks": marks, "selection": selection}


def finish_batch(batch: Batch, dice: Dice) -> Batch:
    """Pictures in [-1, 1] as they are and with holes filled, the holes, what should come out."""
    clean = recipe.developed(batch["image"], dice)
    kind = torch.from_numpy(dice.choices.choice(3, len(clean), p=SHARES)).to(clean.device)
    degraded = clean.clone()
    as_original, as_photo = kind == 0, kind == 1
    if bool(as_original.any()):
        degraded[as_original] = recipe.original(clean[as_original], dice).image
    printed = Aging.of(degraded[as_photo])
    if len(printed.image):
        recipe.expose(printed, dice)
        printed.apply(noise.film_grain(0.12, coarsest=1.6), dice, FURTHER_GRAIN)
        degraded[as_photo] = printed.image
    seed = int(dice.choices.integers(2**62))
    target, aging = Aging.of(clean), Aging.of(degraded)
    for picture in (target, aging):
        recipe.age(picture, Dice(seed, dice.device), 0.4)
    add_marks(aging, batch["marks"])
    selected, covered = torch.chunk(batch["selection"], 2, dim=1)
    hide(aging, covered, dice)
    if len(printed.image):
        scanned = Aging.of(aging.image[as_photo])
        recipe.scan(scanned, dice)
        aging.image = aging.image.clone()
        aging.image[as_photo] = scanned.image
    # Masks are drawn or found a little larger than the damage. Half of them stop where it fades,
    # as detected ones do, and others know of every faint end.
    is_seen_whole = dice.happens(len(clean), 0.5).view(-1, 1, 1, 1).to(clean.device)
    damage = torch.maximum(aging.mask, aging.unsure * is_seen_whole)
    growth = int(dice.choices.integers(1, 4))
    mask = torch.maximum(F.max_pool2d(damage, 2 * growth + 1, 1, growth), selected)
    filled = fill_smoothly(aging.image, mask)
    return {
        "photo": aging.image * 2 - 1,
        "grain": grain_map(luminance(filled), luminance(aging.image)),
        "filled": filled * 2 - 1,
        "mask": mask,
        "target": target.image * 2 - 1,
    }


def hide(aging: Aging, covered: Tensor, dice: Dice) -> None:
    """Tear the picture off to the white paper, or lay parts of other pictures over it.

    What is to go may look like a photo.

    Args:
        aging: is changed.
        covered: (B, 1, H, W), 1 where something lies over the picture.
        dice: decides between the two.
    """
    other = aging.image.roll(1, 0)
    other = torch.where(is_gray(aging.image), luminance(other).expand_as(other), other)
    is_torn = dice.happens(len(other), 0.5).view(-1, 1, 1, 1).to(other.device)
    other = torch.where(is_torn, torch.ones_like(other), other)
    aging.image = torch.where(covered > 0, other, aging.image)
    aging.mask = torch.maximum(aging.mask, covered)


def compute_loss(
    module: nn.Module,
    batch: Batch,
    config: RestorationConfig,
    perceptual: losses.PerceptualLoss | None,
) -> dict[str, Tensor]:
    filled, mask, target = batch["filled"], batch["mask"], batch["target"]
    output = filled + module(filled, mask, batch["photo"], batch["grain"]).float()
    terms = {
        "pixels": losses.log_error(output, target),
        "repair": config.repair * losses.log_error(output, target, mask),
    }
    if perceptual is not None:
        terms["perceptual"] = config.perceptual * perceptual(output, target)
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
    labelled = LabelledPhotos([folder / "old"], 1024, load_labels("train"))
    return partial(
        draw_sample,
        photos=PicturePool([folder / "photos", folder / "faces"], 1024),
        # Not the labelled ones, which prefer damaged places: what is wanted would be damaged.
        old=PicturePool([folder / "old"], 1024),
        sprites=load_sprites(folder / "damage", "train"),
        lifted=lift_damage(labelled),
        crop=crop,
    )


def main() -> None:
    settings = parse_settings(__doc__, "restoration", RestorationConfig())
    config = settings.config
    torch.manual_seed(config.seed)
    network = RestorationUNet(**config.hyper_parameters)
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
