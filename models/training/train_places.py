"""Train the judge of places that may be damaged: `python -m models.training.train_places`.

It learns from what a trained detector finds: `python -m models.training.train_detection` comes
first, and whenever it has changed, this follows. A place of a real old photo is an example by the
labels of that photo; places on photos with drawn marks, on undamaged ones full of writing and
wires, and on prints with thin margins are others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor, nn
from tqdm import tqdm

from backend.device import choose_device
from backend.networks import Networks
from backend.places import FEATURES, find_places
from models.place_judge import PlaceJudge
from models.registry import ModelSpec, resolve_weights
from models.training.card import export_weights
from models.training.damage_labels import LabelledPhotos, load_labels
from models.training.datasets import Batch, PicturePool, from_bgr
from models.training.degradations.marks import (
    ByteArray,
    FloatArray,
    draw_lines,
    draw_marks,
    load_sprites,
)
from models.training.evaluation.methods import damage_map, gray_of
from models.training.evaluation.pictures import (
    DrawMarks,
    lookalike_pictures,
    marked_pictures,
    scanned_prints,
)
from models.training.loop import LoopConfig, Player, Progress, Training
from models.training.settings import Settings, parse_settings
from models.training.transplants import draw_transplants, lift_damage

INFERENCE = {"least": 0.4, "threshold": 0.6}

# Pixels that a finding may lie beside a labelled piece of damage, whose edges nobody draws exactly.
_TOLERANCE = np.ones((5, 5), np.uint8)

# From so much of its area on damage a place is damage; otherwise it is none, unless so much is
# unknown, or it is a speck that could be either.
_DAMAGED_SHARE, _UNKNOWN_SHARE, _LEAST_AREA = 0.3, 0.3, 3

# Drawn marks outnumber real damage by far, and are not quite like it. What only looks like damage
# counts most: a false repair is worse than a scratch that stays.
_WEIGHT_OF_DRAWN, _WEIGHT_OF_LINES, _WEIGHT_OF_LIFTED, _WEIGHT_OF_LOOKALIKES = 0.1, 0.2, 1.0, 2.0


@dataclass(frozen=True)
class PlacesConfig(LoopConfig):
    """How the judge is trained.

    Attributes:
        weights: with the detector: "bundled", or a folder.
        width, members: of the judge.
        damaged: weight of a place that is damage against one that is not.
        left_out: share of the features that are hidden by chance, so that none is relied on.
        decay: weight of the squared weights of the networks.
    """

    steps: int = 400
    batch_size: int = 512
    learning_rate: float = 5e-3
    warm_up_steps: int = 20
    average: float = 0.98
    weights: str = "bundled"
    width: int = 64
    members: int = 16
    damaged: float = 1.6
    left_out: float = 0.2
    decay: float = 2e-3


@dataclass(frozen=True)
class Examples:
    """Places, and what they are.

    Attributes:
        features: (N, len(FEATURES)).
        is_damaged: (N,), 1 for damage, else 0.
        weight: (N,), how much each counts, from 0; 1 for a place of a real old photo.
    """

    features: FloatArray
    is_damaged: FloatArray
    weight: FloatArray

    @classmethod
    def joined(cls, parts: Iterable[Examples]) -> Examples:
        rows = [(part.features, part.is_damaged, part.weight) for part in parts]
        return cls(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def examples_of(
    probability: FloatArray, gray: FloatArray, damage: ByteArray, unknown: ByteArray
) -> Examples:
    """The places of one picture; those of which nobody knows what they are stay out.

    Args:
        probability: (H, W) in [0, 1], what the detector says.
        gray: (H, W) in [0, 1].
        damage, unknown: (H, W), 1 there.
    """
    places = find_places(probability, gray, float(INFERENCE["least"]))
    count = len(places.features) + 1

    def area(mask: ByteArray) -> FloatArray:
        sums = np.bincount(places.areas.ravel(), weights=mask.ravel(), minlength=count)
        return sums[1:].astype(np.float32)

    whole = area(np.ones_like(damage))
    damaged = area(np.asarray(cv2.dilate(damage, _TOLERANCE), np.uint8)) / whole
    is_damaged = damaged > _DAMAGED_SHARE
    is_known = is_damaged | (area(unknown) / whole <= _UNKNOWN_SHARE)
    kept = is_known & (whole >= _LEAST_AREA)
    flags = is_damaged[kept].astype(np.float32)
    return Examples(places.features[kept], flags, np.ones_like(flags))


def collect(data: Path, networks: Networks) -> Examples:
    """Let the detector look at all pictures; about a second each."""
    sprites = load_sprites(data / "damage", "train")
    old = LabelledPhotos([data / "old"], 1024, load_labels("train"))
    photos = PicturePool([data / "photos"], 768)
    photos.pictures = photos.pictures[::4]
    known = [(mask[..., 0] // 255, mask[..., 1] // 255) for mask in old.masks]

    def seen(image: FloatArray, damage: ByteArray, unknown: ByteArray, weight: float) -> Examples:
        found = examples_of(damage_map(image, networks), gray_of(image), damage, unknown)
        return replace(found, weight=found.weight * np.float32(weight))

    def of_real() -> Iterator[Examples]:
        for levels, masks in zip(old.pictures, known, strict=True):
            yield seen(from_bgr(levels), *masks, 1.0)

    def of_marked(draw: DrawMarks, weight: float) -> Iterator[Examples]:
        marked = marked_pictures(old, draw, is_old=True)
        for picture, (damage, unknown) in zip(marked, known, strict=True):
            all_damage, all_unknown = picture.damage | damage, picture.unsure | unknown
            yield seen(picture.degraded, all_damage, all_unknown, weight)
        for picture in marked_pictures(photos, draw, is_old=False):
            yield seen(picture.degraded, picture.damage, picture.unsure, weight)

    def of_lookalikes() -> Iterator[Examples]:
        for image in chain(lookalike_pictures(photos), scanned_prints(photos)):
            nothing = np.zeros(image.shape[:2], np.uint8)
            yield seen(image, nothing, nothing, _WEIGHT_OF_LOOKALIKES)

    with torch.inference_mode():
        # Few marks beside many: a photo with one scratch is the usual one.
        many, few = (partial(draw_marks, sprites=sprites, amount=amount) for amount in (1.0, 0.1))
        sources = [
            of_real(),
            of_marked(many, _WEIGHT_OF_DRAWN),
            of_marked(few, _WEIGHT_OF_DRAWN),
            of_marked(draw_lines, _WEIGHT_OF_LINES),
            of_marked(partial(draw_transplants, lifted=lift_damage(old)), _WEIGHT_OF_LIFTED),
            of_lookalikes(),
        ]
        return Examples.joined(tqdm(part for source in sources for part in source))


def make_judge(examples: Examples, config: PlacesConfig) -> PlaceJudge:
    """A fresh judge that knows the features' usual range."""
    judge = PlaceJudge(features=len(FEATURES), width=config.width, members=config.members)
    mean = np.average(examples.features, axis=0, weights=examples.weight)
    variance = np.average((examples.features - mean) ** 2, axis=0, weights=examples.weight)
    judge.get_buffer("mean").copy_(torch.from_numpy(mean))
    judge.get_buffer("spread").copy_(torch.from_numpy(np.sqrt(variance).clip(0.05)))
    return judge


def make_batches(examples: Examples, config: PlacesConfig, step: int) -> Iterator[Batch]:
    """Batches for ever, from that of step number `step` on.

    Each network of the judge weighs the examples by chance (Bayesian bootstrap, D. Rubin, Annals
    of Statistics 9(1), 1981), so that they become different.
    """
    votes = np.random.default_rng(config.seed).exponential(
        size=(len(examples.weight), config.members)
    )
    votes *= (examples.weight / examples.weight.mean())[:, None]
    votes *= np.where(examples.is_damaged > 0, config.damaged, 1.0)[:, None]
    while True:
        rng = np.random.default_rng([config.seed, step])
        chosen = rng.integers(len(votes), size=config.batch_size)
        yield {
            "features": torch.from_numpy(examples.features[chosen]),
            "is_damaged": torch.from_numpy(examples.is_damaged[chosen]),
            "weight": torch.from_numpy(votes[chosen].T.astype(np.float32)),
            "is_hidden": torch.from_numpy(
                rng.random((config.batch_size, len(FEATURES))) < config.left_out
            ),
        }
        step += 1


def compute_loss(module: nn.Module, batch: Batch, config: PlacesConfig) -> dict[str, Tensor]:
    assert isinstance(module, PlaceJudge)
    mean = module.get_buffer("mean").expand_as(batch["features"])
    votes = module.votes(torch.where(batch["is_hidden"], mean, batch["features"]))
    truth = batch["is_damaged"].expand_as(votes)
    # Summed over a network, mean over the networks.
    squares = ((module.hidden**2).sum() + (module.output**2).sum()) / config.members
    return {
        "places": F.binary_cross_entropy_with_logits(votes, truth, weight=batch["weight"]),
        "decay": config.decay * squares,
    }


def export(module: nn.Module, progress: Progress, settings: Settings[PlacesConfig]) -> None:
    config = settings.config
    sizes = {"features": len(FEATURES), "width": config.width, "members": config.members}
    training = progress.summary(config, ["old", "photos", "damage"])
    spec = ModelSpec("places", "place_judge", sizes, INFERENCE, training)
    export_weights(module, spec, settings.output)


def train(examples: Examples, settings: Settings[PlacesConfig]) -> nn.Module:
    config = settings.config
    # It takes seconds, and a finished run with another detector's places must not be taken up.
    settings.checkpoint.unlink(missing_ok=True)
    players = [Player(partial(compute_loss, config=config))]
    training = Training(make_judge(examples, config), config, players, settings.checkpoint)
    return training.run(
        partial(make_batches, examples, config),
        lambda module, progress: export(module, progress, settings),
    )


def main() -> None:
    settings = parse_settings(
        __doc__, "places", PlacesConfig(), unused=("start", "crop", "workers")
    )
    torch.manual_seed(settings.config.seed)
    networks = Networks(resolve_weights(settings.config.weights), choose_device("auto"))
    train(collect(settings.data / "train", networks), settings)


if __name__ == "__main__":
    main()
