"""Train one of the two VAEs of the triplet-domain method: `python -m models.training.train_vae`.

`--domain old` is the one whose encoder reads photos: real old ones and synthetic ones share it, and
a discriminator between their latents makes them share one space. `--domain clean` is the one whose
decoder draws clean pictures.

Source: Wan et al., CVPR 2020, section 3.1, equations (1) and (2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.registry import ModelSpec, Network
from models.restoration_vae import RestorationVAE
from models.training import losses
from models.training.card import export_weights
from models.training.datasets import Batch, PicturePool, Sample, as_tensor
from models.training.degradations import recipe
from models.training.degradations.dice import Dice
from models.training.degradations.marks import Sprites, draw_marks, load_sprites
from models.training.discriminators import (
    LatentDiscriminator,
    PatchDiscriminator,
    flatten,
    verdicts_of,
)
from models.training.loop import LoopConfig, Player, Progress, Training, begin_with
from models.training.settings import Settings, parse_settings

NETWORKS: dict[str, Network] = {"old": "vae_a", "clean": "vae_b_quality"}
FILES = {"old": "vae_old", "clean": "vae_clean"}

INFERENCE = {"hole": "white", "multiple": 4}


@dataclass(frozen=True)
class VaeConfig(LoopConfig):
    """How a VAE is trained.

    Attributes:
        domain: "old" or "clean".
        width, latent_channels, residual_blocks: of the network; the original has 64, 64 and 4.
        judge_width: of the discriminators; the original has 64.
        reconstruction, matching, perceptual: weights of L1, feature matching and perceptual loss
            against the adversarial loss's 1.
        latent: weight of the adversarial loss between the latents of real and synthetic old photos;
            0 leaves it out.
    """

    steps: int = 6000
    batch_size: int = 8
    crop: int = 128
    learning_rate: float = 4e-4
    domain: str = "clean"
    width: int = 32
    latent_channels: int = 32
    residual_blocks: int = 2
    judge_width: int = 16
    reconstruction: float = 10.0
    matching: float = 10.0
    perceptual: float = 1.0
    latent: float = 1.0

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        names = ("width", "latent_channels", "residual_blocks")
        return {name: getattr(self, name) for name in names}


ORIGINAL = VaeConfig(
    steps=34000,
    batch_size=100,
    crop=256,
    learning_rate=2e-4,
    width=64,
    latent_channels=64,
    residual_blocks=4,
    judge_width=64,
    perceptual=10.0,
)
"""The original's widths, batch and crop; so many steps are its 200 epochs of 17,000 pictures."""


class VaeGame(nn.Module):
    """A VAE and those who judge it."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.vae = RestorationVAE(**config.hyper_parameters)
        self.judge = PatchDiscriminator(3, width=config.judge_width)
        self.latent_judge = LatentDiscriminator(config.latent_channels, width=config.judge_width)


def draw_sample(
    rng: np.random.Generator,
    photos: PicturePool,
    old: PicturePool | None,
    sprites: Sprites,
    crop: int,
) -> Sample:
    """A crop, and marks for synthetic old photos. Half of the crops are real where `old` is given.

    Args:
        old: None for the domain of clean pictures.
    """
    is_old = old is not None and rng.random() < 0.5
    pool = old if old is not None and is_old else photos
    marks = torch.zeros(4, crop, crop)
    if old is not None and not is_old and rng.random() < 0.5:
        marks = torch.from_numpy(draw_marks((crop, crop), rng, sprites).as_array())
    return {
        "image": as_tensor(pool.crop(rng, crop, (0.35, 1.0))),
        "marks": marks,
        "is_old": torch.tensor(is_old),
        "is_clean": torch.tensor(old is None),
    }


def finish_batch(batch: Batch, dice: Dice) -> Batch:
    """Pictures in [-1, 1] of the domain; synthetic old ones by the recipe `photo`."""
    clean = recipe.developed(batch["image"], dice)
    aged = recipe.photo(clean, dice, batch["marks"]).image
    chosen = torch.where(batch["is_clean"].view(-1, 1, 1, 1), clean, aged)
    image = torch.where(batch["is_old"].view(-1, 1, 1, 1), batch["image"], chosen)
    return {"image": image * 2 - 1, "is_old": batch["is_old"]}


def vae_loss(
    module: nn.Module, batch: Batch, config: VaeConfig, perceptual: losses.PerceptualLoss | None
) -> dict[str, Tensor]:
    """Equation (1), and the encoder's side of (2); leaves `made` and `latent` in the batch."""
    assert isinstance(module, VaeGame)
    image = batch["image"]
    z = module.vae.encode(image).float()
    made = module.vae.decode(z + torch.randn_like(z)).float()
    judged, wanted = module.judge(made), module.judge(image)
    terms = {
        "kl": losses.reduced_kl(z),
        "pixels": config.reconstruction * (made - image).abs().mean(),
        "adversarial": losses.least_squares(verdicts_of(judged), 1.0),
        "matching": config.matching * losses.feature_matching(flatten(judged), flatten(wanted)),
    }
    if perceptual is not None:
        terms["perceptual"] = config.perceptual * perceptual(made, image)
    if config.latent and _has_both(batch):
        verdict, is_old = module.latent_judge(z), batch["is_old"]
        _, fooling = losses.latent_adversarial(verdict[is_old], verdict[~is_old])
        terms["latent"] = config.latent * fooling
    batch["made"], batch["latent"] = made.detach(), z.detach()
    return terms


def judge_loss(module: nn.Module, batch: Batch, config: VaeConfig) -> dict[str, Tensor]:
    """The discriminators' sides."""
    assert isinstance(module, VaeGame)
    real, made = module.judge(batch["image"]), module.judge(batch["made"])
    terms = {"judge": losses.critic_loss(verdicts_of(real), verdicts_of(made))}
    if config.latent and _has_both(batch):
        verdict, is_old = module.latent_judge(batch["latent"]), batch["is_old"]
        terms["latent judge"], _ = losses.latent_adversarial(verdict[is_old], verdict[~is_old])
    return terms


def _has_both(batch: Batch) -> bool:
    return bool(batch["is_old"].any()) and not bool(batch["is_old"].all())


def export(module: nn.Module, progress: Progress, settings: Settings[VaeConfig]) -> None:
    config = settings.config
    folders = ["photos", "faces"] + (["old", "damage"] if config.domain == "old" else [])
    spec = ModelSpec(
        NETWORKS[config.domain],
        "restoration_vae",
        config.hyper_parameters,
        INFERENCE,
        progress.summary(config, folders),
    )
    export_weights(module.get_submodule("vae"), spec, settings.output)


def open_data(data: Path, config: VaeConfig) -> partial[Sample]:
    """The function that draws samples from the training folders."""
    folder = data / "train"
    return partial(
        draw_sample,
        photos=PicturePool([folder / "photos", folder / "faces"], 768),
        old=PicturePool([folder / "old"], 1024) if config.domain == "old" else None,
        sprites=load_sprites(folder / "damage", "train"),
        crop=config.crop,
    )


def train(settings: Settings[VaeConfig]) -> None:
    """Train one VAE to its last step, and export it."""
    config = settings.config
    torch.manual_seed(config.seed)
    perceptual = losses.open_perceptual(settings.data, config.perceptual)
    # Betas as in the original: adversaries chase each other, and much momentum lets them circle.
    players = [
        Player(
            partial(vae_loss, config=config, perceptual=perceptual), ("vae",), betas=(0.5, 0.999)
        ),
        Player(partial(judge_loss, config=config), ("judge", "latent_judge"), betas=(0.5, 0.999)),
    ]
    game = VaeGame(config)
    begin_with(game.vae, settings.start)
    training = Training(game, config, players, settings.checkpoint)
    if perceptual is not None:
        perceptual.to(training.device)
    training.run(
        training.stream(open_data(settings.data, config), finish_batch),
        lambda module, progress: export(module, progress, settings),
    )


def main() -> None:
    train(parse_settings(__doc__, lambda config: FILES[config.domain], VaeConfig(), ORIGINAL))


if __name__ == "__main__":
    main()
