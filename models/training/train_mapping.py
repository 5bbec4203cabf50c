"""Train the mapping between the latents of two VAEs: `python -m models.training.train_mapping`.

The VAEs come from `train_vae`, in WORK, and stay as they are. `--end-to-end yes` makes and trains
encoder, mapping and decoder anew and together, by the same losses on pixels: translation from
picture to picture, which the papers compare with (Pix2pix). It writes all three: give it a WORK of
its own.

Source: Wan et al., CVPR 2020, section 3.2, equations (3) to (7).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.latent_mapping import ScratchMapping
from models.registry import ModelSpec
from models.restoration_vae import RestorationVAE
from models.training import losses
from models.training.card import export_weights
from models.training.datasets import Batch, Sample
from models.training.degradations import recipe
from models.training.degradations.dice import Dice
from models.training.discriminators import PatchDiscriminator, flatten, verdicts_of
from models.training.loop import LoopConfig, Player, Progress, Training, begin_with
from models.training.settings import Settings, parse_settings
from models.training.train_restoration import open_data
from models.training.train_vae import FILES, INFERENCE, NETWORKS


@dataclass(frozen=True)
class MappingConfig(LoopConfig):
    """How the mapping is trained.

    Attributes:
        width, residual_blocks, non_local_blocks: of the mapping; the original has 512, 6 and 3.
        latent_channels, vae_width, vae_blocks: of the VAEs.
        judge_width: of the discriminator.
        judge_rate: of its learning rate; the original's is four times the mapping's.
        latents: weight of the L1 distance between latents.
        matching, perceptual: weights of feature matching and perceptual loss; perceptual may be 0.
        non_local: tell the mapping where the damage is; without, its non-local block is idle.
        end_to_end: train all three networks anew, without the latents' loss.
    """

    steps: int = 6000
    batch_size: int = 8
    crop: int = 128
    learning_rate: float = 4e-4
    width: int = 128
    residual_blocks: int = 4
    non_local_blocks: int = 1
    latent_channels: int = 32
    vae_width: int = 32
    vae_blocks: int = 2
    judge_width: int = 16
    judge_rate: float = 1.0
    latents: float = 60.0
    matching: float = 10.0
    perceptual: float = 10.0
    non_local: bool = True
    end_to_end: bool = False

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        names = ("latent_channels", "width", "residual_blocks", "non_local_blocks")
        return {name: getattr(self, name) for name in names}

    @property
    def vae_parameters(self) -> dict[str, Any]:
        return {
            "width": self.vae_width,
            "latent_channels": self.latent_channels,
            "residual_blocks": self.vae_blocks,
        }


ORIGINAL = MappingConfig(
    steps=79000,
    batch_size=36,
    crop=256,
    learning_rate=2e-4,
    width=512,
    residual_blocks=6,
    non_local_blocks=3,
    latent_channels=64,
    vae_width=64,
    vae_blocks=4,
    judge_width=64,
)
"""The original's widths, batch and crop; so many steps are its 250 epochs of 11,000 pictures."""


class MappingGame(nn.Module):
    """Encoder, mapping, decoder, and who judges the picture beside its input."""

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        self.old, self.clean = (RestorationVAE(**config.vae_parameters) for _ in range(2))
        self.mapping = ScratchMapping(**config.hyper_parameters)
        self.judge = PatchDiscriminator(6, width=config.judge_width, spectral=True)


def finish_batch(batch: Batch, dice: Dice) -> Batch:
    """Degraded pictures in [-1, 1] with white holes, the holes, and the clean pictures."""
    clean = recipe.developed(batch["image"], dice)
    aging = recipe.photo(clean, dice, batch["marks"])
    image = torch.where(aging.mask > 0, torch.ones_like(aging.image), aging.image)
    return {"image": image * 2 - 1, "mask": aging.mask, "target": clean * 2 - 1}


def mapping_loss(
    module: nn.Module, batch: Batch, config: MappingConfig, perceptual: losses.PerceptualLoss | None
) -> dict[str, Tensor]:
    """Equation (3); leaves `made` in the batch."""
    assert isinstance(module, MappingGame)
    image, target, mask = batch["image"], batch["target"], batch["mask"]
    z = module.mapping(module.old.encode(image), mask if config.non_local else mask * 0)
    made = module.clean.decode(z).float()
    judged = module.judge(torch.cat([image, made], dim=1))
    wanted = module.judge(torch.cat([image, target], dim=1))
    terms = {
        "adversarial": losses.least_squares(verdicts_of(judged), 1.0),
        "matching": config.matching * losses.feature_matching(flatten(judged), flatten(wanted)),
    }
    if perceptual is not None:
        terms["perceptual"] = config.perceptual * perceptual(made, target)
    if config.end_to_end:
        terms["pixels"] = config.latents * (made - target).abs().mean()
    else:
        with torch.no_grad():
            wanted_z = module.clean.encode(target)
        terms["latents"] = config.latents * (z - wanted_z).float().abs().mean()
    batch["made"] = made.detach()
    return terms


def judge_loss(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The discriminator's side of equation (4)."""
    assert isinstance(module, MappingGame)
    real, made = (
        module.judge(torch.cat([batch["image"], batch[name]], dim=1)) for name in ("target", "made")
    )
    return {"judge": losses.critic_loss(verdicts_of(real), verdicts_of(made))}


def export(module: nn.Module, progress: Progress, settings: Settings[MappingConfig]) -> None:
    """Write the mapping; end to end the VAEs, too, which then belong to it alone."""
    assert isinstance(module, MappingGame)
    config, folder = settings.config, settings.output.parent
    training = progress.summary(config, ["photos", "faces", "old", "damage"])
    spec = ModelSpec(
        "mapping_scratch", "scratch_mapping", config.hyper_parameters, INFERENCE, training
    )
    export_weights(module.mapping, spec, settings.output)
    if config.end_to_end:
        for domain, vae in (("old", module.old), ("clean", module.clean)):
            spec = ModelSpec(
                NETWORKS[domain], "restoration_vae", config.vae_parameters, INFERENCE, training
            )
            export_weights(vae, spec, folder / f"{FILES[domain]}.safetensors")


def load_vaes(game: MappingGame, folder: Path) -> None:
    """Give the game the two VAEs that `train_vae` wrote.

    Raises:
        FileNotFoundError, RuntimeError: a file is missing, or of another size.
    """
    for domain, vae in (("old", game.old), ("clean", game.clean)):
        file = folder / f"{FILES[domain]}.safetensors"
        begin_with(vae, file)


def train(settings: Settings[MappingConfig]) -> None:
    """Train the mapping to its last step, and export it."""
    config = settings.config
    torch.manual_seed(config.seed)
    game = MappingGame(config)
    if not config.end_to_end:
        load_vaes(game, settings.work)
    perceptual = losses.open_perceptual(settings.data, config.perceptual)
    trained = ("old", "mapping", "clean") if config.end_to_end else ("mapping",)
    players = [
        Player(
            partial(mapping_loss, config=config, perceptual=perceptual), trained, betas=(0.5, 0.999)
        ),
        Player(judge_loss, ("judge",), betas=(0.5, 0.999), rate=config.judge_rate),
    ]
    training = Training(game, config, players, settings.checkpoint)
    if perceptual is not None:
        perceptual.to(training.device)
    draw: partial[Sample] = open_data(settings.data, config.crop)
    training.run(
        training.stream(draw, finish_batch),
        lambda module, progress: export(module, progress, settings),
    )


def main() -> None:
    train(parse_settings(__doc__, "mapping", MappingConfig(), ORIGINAL))


if __name__ == "__main__":
    main()
