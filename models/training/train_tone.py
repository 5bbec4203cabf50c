"""Train the network that gives pictures their tone back: `python -m models.training.train_tone`.

It sees thumbnails of whole pictures and undoes complex shading: fading, clouds, vignettes, casts,
yellowing, stains. Noise and blur are not its business and hardly there at that size.

From random weights it is trained in three runs, each from the result of the one before:

    --steps 3000 --alone 1 --enough 3e-2
    --steps 8500 --alone 0.4 --enough 1e-2
    --steps 4500 --alone 0.3 --enough 5e-4 --learning-rate 7e-4
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.registry import ModelSpec
from models.tone_grid import ToneGrid, apply_grid
from models.training import losses
from models.training.card import export_weights
from models.training.datasets import Batch, PicturePool, Sample, as_tensor
from models.training.degradations import noise, recipe
from models.training.degradations.aging import Aging
from models.training.degradations.dice import Dice
from models.training.degradations.lookalikes import add_print_edges
from models.training.degradations.marks import Paint
from models.training.degradations.painting import lay_over
from models.training.loop import LoopConfig, Player, Progress, Training, begin_with
from models.training.settings import Settings, parse_settings

# A third more than the side of the crops: on photos, trained on or not, good ones change far less
# than at that side, and shaded ones gain about as much.
INFERENCE = {"side": 128}

# Of the pictures that are not for one fault alone: shading for sure, whatever the years bring,
# nothing at all.
SHARES = (0.45, 0.35, 0.2)


@dataclass(frozen=True)
class ToneConfig(LoopConfig):
    """How the tone network is trained.

    Attributes:
        width, bins, statistics_width: of the network.
        enough: mean squared error, on [-1, 1], below which a picture is good enough; 5e-4 is 39 dB.
            From random weights begin with 3e-2: as long as good pictures count most, the network
            learns to leave everything as it is.
        alone: share of the pictures that have one fault and no more. From random weights begin
            with 1: clouds are learned within 800 steps where they come alone, and hardly in 45,000
            where most pictures have other faults as well.
        local_contrast: weight of the differences between neighbouring pixels, which say more of
            contrast than of brightness.
    """

    steps: int = 20000
    batch_size: int = 16
    crop: int = 96
    learning_rate: float = 1.2e-3
    width: int = 96
    bins: int = 6
    statistics_width: int = 256
    enough: float = 5e-4
    alone: float = 0.3
    local_contrast: float = 0.3

    @property
    def hyper_parameters(self) -> dict[str, int]:
        names = ("width", "bins", "statistics_width")
        return {name: getattr(self, name) for name in names}


# Share of the pictures that show a print's edges and what it lies on, and of these the share in
# which only the picture between them is faded.
EDGES, NOT_FADED = 0.3, 0.5


def draw_sample(rng: np.random.Generator, photos: PicturePool, crop: int) -> Sample:
    """Half of a picture to all of it, and the edges that are still to be laid over it."""
    edges = Paint.nothing((crop, crop))
    if rng.random() < EDGES:
        add_print_edges(edges, (crop, crop), rng)
    return {
        "image": as_tensor(photos.crop(rng, crop, (0.3, 0.54))),
        "edges": torch.from_numpy(edges.as_array()),
    }


def finish_batch(batch: Batch, dice: Dice, *, alone: float) -> Batch:
    """Thumbnails in [-1, 1] as given and as wanted.

    Args:
        alone: share of the pictures that have one fault and no more.
    """
    clean = recipe.developed(batch["image"], dice, own_contrast=False)
    clean = lay_over(clean, batch["edges"])
    kind = torch.from_numpy(dice.choices.choice(3, len(clean), p=SHARES)).to(clean.device)
    kind[dice.happens(len(clean), alone)] = 3
    shaded = clean.clone()
    if bool((kind == 0).any()):
        shaded[kind == 0] = recipe.shading(clean[kind == 0], dice).image
    if bool((kind == 1).any()):
        aging = Aging.of(clean[kind == 1])
        recipe.age(aging, dice)
        shaded[kind == 1] = aging.image
    if bool((kind == 3).any()):
        shaded[kind == 3] = recipe.one_fault(clean[kind == 3], dice).image
    is_fresh = dice.happens(len(clean), NOT_FADED)
    shaded[is_fresh] = lay_over(shaded[is_fresh], batch["edges"][is_fresh])
    aging = Aging.of(shaded)
    aging.apply(noise.film_grain(0.04), dice, 0.3)
    return {"image": aging.image * 2 - 1, "target": clean * 2 - 1}


def compute_loss(module: nn.Module, batch: Batch, config: ToneConfig) -> dict[str, Tensor]:
    image, target = batch["image"], batch["target"]
    output = apply_grid(image, module(image).float())
    steps = [losses.log_error(output.diff(dim=d), target.diff(dim=d)) for d in (2, 3)]
    return {
        "pixels": losses.log_error(output, target, enough=config.enough),
        "contrast": config.local_contrast * torch.stack(steps).mean(),
    }


def export(module: nn.Module, progress: Progress, settings: Settings[ToneConfig]) -> None:
    training = progress.summary(settings.config, ["photos", "faces"])
    spec = ModelSpec("tone", "tone_grid", settings.config.hyper_parameters, INFERENCE, training)
    export_weights(module, spec, settings.output)


def open_data(data: Path, crop: int) -> partial[Sample]:
    """The function that draws samples from the training folders."""
    folder = data / "train"
    # Twice, since there are more portraits than photos, and portraits are much alike in tone.
    photos = PicturePool([folder / "photos", folder / "photos", folder / "faces"], 320)
    return partial(draw_sample, photos=photos, crop=crop)


def main() -> None:
    settings = parse_settings(__doc__, "tone", ToneConfig())
    config = settings.config
    torch.manual_seed(config.seed)
    players = [Player(partial(compute_loss, config=config))]
    network = ToneGrid(**config.hyper_parameters)
    begin_with(network, settings.start)
    training = Training(network, config, players, settings.checkpoint)
    draw = open_data(settings.data, config.crop)
    training.run(
        training.stream(draw, partial(finish_batch, alone=config.alone)),
        lambda module, progress: export(module, progress, settings),
    )


if __name__ == "__main__":
    main()
