"""The networks: names and shapes in checkpoints, small widths, sizes that do not fit."""

from __future__ import annotations

import json

import pytest
import torch

from models.face_generator import FaceGenerator
from models.latent_mapping import HighResolutionMapping, QualityMapping, ScratchMapping
from models.loading import build
from models.registry import OfficialFile, official_files
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet
from tests.models.shared import GOLDEN, needs_golden

FILES = official_files()


@needs_golden
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.spec.network))
def test_names_and_shapes_are_those_of_the_official_checkpoint(file: OfficialFile) -> None:
    manifest = json.loads((GOLDEN / "manifest.json").read_text(encoding="utf-8"))
    (published,) = [c for c in manifest["checkpoints"] if c["path"] == file.path]
    with torch.device("meta"):
        state = build(file.spec).state_dict()
    ours = [(k, list(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in state.items()]
    assert ours == [tuple(entry[:3]) for entry in published["state_dict"]]
    assert file.wrapping_key == published["wrapping_key"]


def test_a_compact_set_restores_a_picture_of_odd_size() -> None:
    vae = RestorationVAE(width=8, latent_channels=32, residual_blocks=1).eval()
    mapping = ScratchMapping(
        latent_channels=32, width=48, residual_blocks=1, non_local_blocks=1
    ).eval()
    mask = torch.zeros(2, 1, 37, 50)
    mask[:, :, 10:20, 10:20] = 1
    with torch.no_grad():
        latent = vae.encode(torch.rand(2, 3, 37, 50) * 2 - 1)
        picture = vae.decode(mapping(latent, mask))
    assert latent.shape == (2, 32, 9, 12)
    assert picture.shape == (2, 3, 36, 48)
    assert picture.isfinite().all()
    assert picture.abs().max() <= 1


def test_all_mappings_have_compact_forms() -> None:
    z, mask = torch.randn(1, 32, 9, 13), torch.zeros(1, 1, 36, 52)
    mask[..., 20:] = 1
    small = {"latent_channels": 32, "width": 64, "residual_blocks": 1}
    with torch.no_grad():
        assert QualityMapping(**small)(z).shape == z.shape
        assert HighResolutionMapping(**small)(z, mask).shape == z.shape


def test_an_empty_mask_makes_the_scratch_mapping_a_plain_one() -> None:
    mapping = ScratchMapping(latent_channels=16, width=32, residual_blocks=1, non_local_blocks=1)
    z = torch.randn(1, 16, 6, 6)
    with torch.no_grad():
        plain = mapping.after_NL(mapping.before_NL(z))
        assert torch.equal(mapping(z, torch.zeros(1, 1, 24, 24)), plain)


def test_a_compact_detector_finds_one_value_per_pixel() -> None:
    unet = ScratchUNet(width=4, depth=3, convolutions=1).eval()
    with torch.no_grad():
        assert unet(torch.zeros(2, 1, 32, 48)).shape == (2, 1, 32, 48)


def test_the_detector_refuses_sizes_it_cannot_halve() -> None:
    with pytest.raises(ValueError, match=r"multiples of 16, but got 32x40"):
        ScratchUNet(width=4)(torch.zeros(1, 1, 32, 40))


def test_the_face_generator_refuses_sizes_it_cannot_reach() -> None:
    with pytest.raises(ValueError, match=r"multiples of 32, but got 64x60"):
        FaceGenerator(width=4, modulation_width=4)(torch.zeros(1, 3, 64, 60))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RestorationVAE(width=8, latent_channels=64), "reaches 32 channels"),
        (lambda: QualityMapping(latent_channels=8, width=512), "double to 128"),
    ],
)
def test_hyper_parameters_that_contradict_each_other_are_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()


def test_dividing_by_the_spectral_norm_once_changes_nothing() -> None:
    generator = FaceGenerator(width=4, modulation_width=8).eval()
    face = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = generator(face)
        after = generator.fix_spectral_norm()(face)
    assert torch.equal(before, after)
    assert not [key for key in generator.state_dict() if key.endswith(("_orig", "_u", "_v"))]


def test_training_a_face_generator_updates_norms_and_statistics() -> None:
    generator = FaceGenerator(width=4, modulation_width=8).train()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    generator(torch.rand(2, 3, 64, 64)).sum().backward()
    after = generator.state_dict()
    assert not torch.equal(before["up_0.conv_0.weight_u"], after["up_0.conv_0.weight_u"])
    mean = "head_0.norm_0.param_free_norm.running_mean"
    assert not torch.equal(before[mean], after[mean])
    assert all(p.grad is not None and p.grad.isfinite().all() for p in generator.parameters())
