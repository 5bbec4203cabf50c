"""Train the scratch detector on drawn damage: `python -m models.training.train_detection`.

Source: Wan et al., TPAMI 2022, section 3.4 (a U-Net on the luminance, focal loss).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.compact_unet import CompactScratchUNet
from models.registry import ModelSpec
from models.training import losses
from models.training.card import export_weights
from models.training.damage_labels import LabelledPhotos, load_labels
from models.training.datasets import Batch, PicturePool, Sample, as_tensor
from models.training.degradations import recipe
from models.training.degradations.aging import Aging
from models.training.degradations.dice import Dice
from models.training.degradations.fields import luminance
from models.training.degradations.lookalikes import add_print_edges, draw_lookalikes
from models.training.degradations.marks import (
    Sprites,
    draw_lines,
    draw_marks,
    load_sprites,
)
from models.training.degradations.painting import add_marks, lay_over
from models.training.loop import LoopConfig, Player, Progress, Training, begin_with
from models.training.settings import Settings, parse_settings
from models.training.transplants import Transplant, draw_transplants, lift_damage

# What is found is followed down to `continuation` of the threshold.
INFERENCE = {
    "threshold": 0.8,
    "continuation": 0.95,
    "short_side": 1024,
    "scales": [[1.0, 2.0], [0.6, 1.0]],
}


@dataclass(frozen=True)
class DetectionConfig(LoopConfig):
    """How the detector is trained.

    Attributes:
        width, deepest_width, blocks: of the network.
        focal_positive: share of the focal loss's weight on damaged pixels.
        false_alarms: weight of false alarms against misses in the Tversky loss.
    """

    steps: int = 12000
    batch_size: int = 8
    crop: int = 224
    learning_rate: float = 6e-4
    width: int = 32
    deepest_width: int = 96
    blocks: int = 2
    focal_positive: float = 0.6
    false_alarms: float = 0.7

    @property
    def hyper_parameters(self) -> dict[str, int]:
        names = ("width", "deepest_width", "blocks")
        return {name: getattr(self, name) for name in names}


def draw_sample(
    rng: np.random.Generator,
    photos: PicturePool,
    old: LabelledPhotos,
    sprites: Sprites,
    lifted: list[list[Transplant]],
    crop: int,
) -> Sample:
    """A crop, the damage it has, lookalikes and marks that are still to be laid over it.

    Half of the crops are real old photos, with the damage that is labelled: clothes lines, window
    frames, railings and spokes of their time are what a detector must learn to leave alone. Many
    get no marks besides, since most old photos have few. Two fifths of the marks are real, too.
    """
    shape = (crop, crop)
    is_old = rng.random() < 0.55
    if is_old:
        image, damaged, unknown = old.labelled_crop(rng, crop, (0.5, 1.2))
    else:
        image = photos.crop(rng, crop, (0.4, 1.0))
        damaged = unknown = np.zeros(shape, np.float32)
    nothing = torch.zeros(4, crop, crop)
    lookalikes = marks = nothing
    # What is drawn over a real scratch would hide it, and where the scratch ends nobody would know.
    if not damaged.any() and rng.random() < 0.4:
        drawn = draw_lookalikes(shape, rng)
        if rng.random() < 0.5:
            add_print_edges(drawn, shape, rng)
        lookalikes = torch.from_numpy(drawn.as_array())
    if rng.random() < (0.55 if is_old else 0.8):
        kind = rng.random()
        if kind < 0.25:
            paint = draw_lines(shape, rng)
        elif lifted and kind < 0.65:
            paint = draw_transplants(shape, rng, lifted)
        else:
            paint = draw_marks(shape, rng, sprites, amount=rng.uniform(0.3, 1.5))
        marks = torch.from_numpy(paint.as_array())
    return {
        "image": as_tensor(image),
        "lookalikes": lookalikes,
        "marks": marks,
        "damaged": as_tensor(damaged),
        "unknown": as_tensor(unknown),
        "is_old": torch.tensor(is_old),
    }


def finish_batch(batch: Batch, dice: Dice) -> Batch:
    """Gray pictures in [-1, 1], masks of their damage, and how much each pixel counts."""
    old = batch["is_old"].view(-1, 1, 1, 1)
    image = lay_over(batch["image"], batch["lookalikes"])
    # Old photos have been through all this; they only get new marks and another scan.
    printed = Aging.of(recipe.developed(image, dice))
    recipe.expose(printed, dice, 0.8)
    recipe.age(printed, dice, 0.5)
    aging = Aging.of(torch.where(old, image, printed.image))
    add_marks(aging, batch["marks"])
    recipe.scan(aging, dice)
    mask = torch.maximum(aging.mask, batch["damaged"])
    # What nobody can see, or knows, is neither a hit nor a miss.
    weight = torch.where(mask > 0, 1.0, (1 - aging.unsure) * (1 - batch["unknown"]))
    return {"gray": luminance(aging.image) * 2 - 1, "mask": mask, "weight": weight}


def compute_loss(module: nn.Module, batch: Batch, config: DetectionConfig) -> dict[str, Tensor]:
    """Focal loss for the imbalance, Tversky loss for whole scratches."""
    logits = module(batch["gray"]).float()
    mask, weight = batch["mask"], batch["weight"]
    return {
        "focal": 10 * losses.focal(logits, mask, weight, positive_share=config.focal_positive),
        "overlap": 0.5 * losses.tversky(logits, mask, weight, false_alarms=config.false_alarms),
    }


def make_network(config: DetectionConfig) -> CompactScratchUNet:
    network = CompactScratchUNet(**config.hyper_parameters)
    assert network.last.bias is not None
    # Few pixels are damaged; starting from their true share spares the first hundred steps.
    nn.init.constant_(network.last.bias, -3.0)
    return network


def export(module: nn.Module, progress: Progress, settings: Settings[DetectionConfig]) -> None:
    training = progress.summary(settings.config, ["photos", "faces", "old", "damage"])
    spec = ModelSpec(
        "detection",
        "compact_scratch_unet",
        settings.config.hyper_parameters,
        INFERENCE,
        training,
    )
    export_weights(module, spec, settings.output)


def open_data(data: Path, crop: int) -> partial[Sample]:
    """The function that draws samples from the training folders."""
    folder = data / "train"
    old = LabelledPhotos([folder / "old"], 1024, load_labels("train"))
    return partial(
        draw_sample,
        photos=PicturePool([folder / "photos", folder / "faces"], 768),
        old=old,
        sprites=load_sprites(folder / "damage", "train"),
        lifted=lift_damage(old),
        crop=crop,
    )


def main() -> None:
    settings = parse_settings(__doc__, "detection", DetectionConfig())
    config = settings.config
    torch.manual_seed(config.seed)
    players = [Player(partial(compute_loss, config=config))]
    network = make_network(config)
    begin_with(network, settings.start)
    training = Training(network, config, players, settings.checkpoint)
    draw = open_data(settings.data, config.crop)
    training.run(
        training.stream(draw, finish_batch),
        lambda module, progress: export(module, progress, settings),
    )


if __name__ == "__main__":
    main()
