"""The triplet-domain method from pictures to a set of weights that restores photos."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.images import Picture
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from models.registry import resolve_weights
from models.training import losses, train_mapping, train_triplet, train_vae
from models.training.datasets import PicturePool, batches
from models.training.settings import Config, Settings
from models.training.train_mapping import MappingConfig
from models.training.train_vae import VaeConfig, VaeGame
from tests.backend.photos import portrait

VAE = VaeConfig(
    steps=4,
    batch_size=4,
    crop=32,
    width=8,
    latent_channels=8,
    residual_blocks=1,
    judge_width=4,
    perceptual=0.0,
    workers=0,
)
MAPPING = MappingConfig(
    steps=3,
    batch_size=2,
    crop=32,
    width=16,
    residual_blocks=1,
    latent_channels=8,
    vae_width=8,
    vae_blocks=1,
    judge_width=4,
    perceptual=0.0,
    workers=0,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("photos", "faces", "old"):
        place = folder / "train" / name
        place.mkdir(parents=True)
        for number in range(3):
            smooth = cv2.resize(rng.random((6, 8, 3)), (96, 80), interpolation=cv2.INTER_CUBIC)
            levels = np.clip(smooth * 255, 0, 255).astype(np.uint8)
            cv2.imwrite(str(place / f"{number}.png"), levels)
    return folder


def settings_for(data: Path, work: Path, name: str, config: Config) -> Settings[Config]:
    return Settings(
        data, work, None, work / f"{name}.checkpoint", work / f"{name}.safetensors", config
    )


def test_the_three_steps_make_a_set_that_restores_photos(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_vae, "VaeConfig", lambda: VAE)
    monkeypatch.setattr(train_mapping, "MappingConfig", lambda: MAPPING)
    arguments = ["train_triplet", "--data", str(data), "--work", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    train_triplet.main()
    networks = Networks(resolve_weights(str(tmp_path)), torch.device("cpu"))
    assert not networks.has("restoration")
    mask = np.zeros(portrait().shape[:2], dtype=np.uint8)
    mask[40:44] = 255
    options = Options(scratches="mask", enhance_faces=False, weights=str(tmp_path))
    result = restore(Picture(portrait()), mask, options, networks, lambda _: None, lambda: False)
    assert [layer.kind for layer in result.layers] == ["mask", "repair", "restored"]
    assert result.final.shape == portrait().shape


def test_end_to_end_all_three_networks_are_trained(data: Path, tmp_path: Path) -> None:
    config = replace(MAPPING, end_to_end=True)
    train_mapping.train(settings_for(data, tmp_path, "mapping", config))
    first = (tmp_path / "vae_old.safetensors").read_bytes()
    longer = replace(config, steps=6)
    train_mapping.train(settings_for(data, tmp_path, "mapping", longer))
    assert (tmp_path / "vae_old.safetensors").read_bytes() != first


def test_the_mapping_leaves_the_vaes_alone(data: Path, tmp_path: Path) -> None:
    for domain, name in train_vae.FILES.items():
        train_vae.train(settings_for(data, tmp_path, name, replace(VAE, domain=domain)))
    before = (tmp_path / "vae_clean.safetensors").read_bytes()
    train_mapping.train(settings_for(data, tmp_path, "mapping", MAPPING))
    assert (tmp_path / "vae_clean.safetensors").read_bytes() == before


def test_a_vae_learns_to_reconstruct_and_old_latents_are_judged(data: Path) -> None:
    config = replace(VAE, domain="old")
    torch.manual_seed(1)
    game = VaeGame(config)
    draw = train_vae.open_data(data, config)
    stream = batches(draw, train_vae.finish_batch, batch_size=6, seed=1, workers=0)
    optimiser = torch.optim.Adam(game.vae.parameters(), lr=3e-3)
    compute = partial(train_vae.vae_loss, config=config, perceptual=None)
    pixels = []
    for _ in range(60):
        batch = next(stream)
        terms = compute(game, batch)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
        pixels.append(float(terms["pixels"].detach()))
    assert np.mean(pixels[-10:]) < 0.8 * np.mean(pixels[:5])
    assert "latent" in terms
    assert "latent judge" in train_vae.judge_loss(game, batch, config)
    without = train_vae.vae_loss(game, next(stream), replace(config, latent=0.0), None)
    assert "latent" not in without


def test_without_the_non_local_block_the_mask_says_nothing() -> None:
    game = train_mapping.MappingGame(MAPPING).eval()
    image = torch.rand(1, 3, 32, 32)
    batch = {"image": image, "target": image, "mask": torch.ones(1, 1, 32, 32)}
    batch["mask"][..., :16] = 0
    made = []
    for non_local in (True, False):
        own = dict(batch)
        train_mapping.mapping_loss(game, own, replace(MAPPING, non_local=non_local), None)
        made.append(own["made"])
    own = {**batch, "mask": torch.zeros(1, 1, 32, 32)}
    train_mapping.mapping_loss(game, own, MAPPING, None)
    torch.testing.assert_close(made[1], own["made"])
    assert not torch.allclose(made[0], made[1])


def test_real_and_synthetic_old_photos_share_the_batches(data: Path) -> None:
    draw = train_vae.open_data(data, replace(VAE, domain="old"))
    assert isinstance(draw.keywords["old"], PicturePool)
    stream = batches(draw, train_vae.finish_batch, batch_size=16, seed=1, workers=0)
    share = torch.stack([next(stream)["is_old"].float().mean() for _ in range(4)]).mean()
    assert 0.25 < float(share) < 0.75
    assert losses.open_perceptual(data, 0.0) is None
