"""Train the scratch detector on drawn damage: `python -m models.training.train_detection`.

Source: Wan et al., TPAMI 2022, section 3.4 (a U-Net on the luminance, focal loss).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.loading import save_bundled
from models.registry import ModelSpec
from models.scratch_unet import ScratchUNet
from models.training import losses
from models.training.damage import FloatArray, Sprites, add_damage, load_sprites
from models.training.datasets import PicturePool, Sample, as_tensor, batches
from models.training.degradations import LUMINANCE, Severity, degrade, develop
from models.training.distractors import add_distractors
from models.training.loop import LoopConfig, train
from models.training.settings import Settings, parse_settings

HYPER_PARAMETERS = {"width": 12, "depth": 4, "convolutions": 2}
# The threshold is high because a false alarm costs more than a miss; what is found is followed down
# to this share of it.
INFERENCE = {"threshold": 0.97, "continuation": 0.6, "short_side": 1024}
LOOP = LoopConfig(steps=2150, batch_size=4, crop=256, learning_rate=1e-3)

# Film and scanner come before dust: damage lies on top of grain and blur.
SEVERITY = Severity(blur_sigma=1.5, noise=0.06, reduction=2.0, jpeg_quality=45)


def make_sample(
    rng: np.random.Generator,
    photos: PicturePool,
    old: PicturePool,
    sprites: Sprites,
    crop: int,
) -> Sample:
    """One gray crop in [-1, 1] and its damage mask.

    Half of the crops are real old photos taken as if undamaged: window frames, railings and
    spokes of their time are what a detector must learn to leave alone. A quarter of all crops
    carry no damage.
    """
    if rng.random() < 0.5:
        image = old.crop(rng, crop, (0.5, 1.0))
    else:
        image = degrade(develop(photos.crop(rng, crop, (0.4, 1.0)), rng), rng, SEVERITY)
    if rng.random() < 0.5:
        image = add_distractors(image, rng)
    mask: FloatArray = np.zeros(image.shape[:2], dtype=np.float32)
    if rng.random() < 0.75:
        damaged = add_damage(image, rng, sprites, amount=rng.uniform(0.3, 1.5))
        image, mask = damaged.image, damaged.mask
    if rng.random() < 0.5:
        mild = Severity(blur_sigma=0.8, noise=0.025, reduction=1.3, jpeg_quality=60)
        image = degrade(image, rng, mild)
    gray = np.asarray(image @ LUMINANCE, dtype=np.float32)
    return {"gray": as_tensor(gray) * 2 - 1, "mask": as_tensor(mask)}


def compute_loss(module: nn.Module, batch: Sample) -> dict[str, Tensor]:
    """Both terms count a false alarm more than a miss: a missed scratch can be painted into the
    mask by hand, a railing that was taken for one is gone from the restored picture."""
    logits = module(batch["gray"]).float()
    return {
        "focal": 4 * losses.focal(logits, batch["mask"], positive_weight=0.35),
        "overlap": losses.tversky(logits, batch["mask"], false_alarms=0.75),
    }


def export(module: nn.Module, step: int, path: Path) -> None:
    spec = ModelSpec("detection", "scratch_unet", HYPER_PARAMETERS, {**INFERENCE, "steps": step})
    save_bundled(module, spec, path)


def main() -> None:
    settings: Settings = parse_settings(__doc__, "detection", LOOP)
    torch.manual_seed(settings.loop.seed)
    train_folder = settings.data / "train"
    make = partial(
        make_sample,
        photos=PicturePool([train_folder / "photos", train_folder / "faces"], 768),
        old=PicturePool([train_folder / "old"], 1024),
        sprites=load_sprites(train_folder / "damage"),
        crop=settings.loop.crop,
    )
    train(
        ScratchUNet(**HYPER_PARAMETERS),
        settings.loop,
        lambda start: batches(
            make, batch_size=settings.loop.batch_size, seed=settings.loop.seed, start=start
        ),
        compute_loss,
        settings.checkpoint,
        lambda module, step: export(module, step, settings.output),
    )


if __name__ == "__main__":
    main()
