"""The project's own weight files: written, described, found and read back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from models import loading
from models.latent_mapping import ScratchMapping
from models.loading import WeightFileError, save_bundled
from models.pseudo_random import fill
from models.registry import ModelSpec, Network, read_spec, resolve_weights
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet

UNET = {"width": 4, "depth": 2}
VAE = {"width": 4, "latent_channels": 16, "residual_blocks": 1}


def test_what_is_saved_comes_back_within_half_precision(tmp_path: Path) -> None:
    module = ScratchUNet(**UNET)
    module.load_state_dict(fill(module.state_dict(), "detection"))
    spec = ModelSpec("detection", "scratch_unet", UNET, {"threshold": 0.5, "steps": 7})
    path = tmp_path / "weights" / "detection.safetensors"
    save_bundled(module, spec, path)
    assert read_spec(path) == spec
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    weights = loading.WeightSet("test", {"detection": (spec, loading._Source(path))})
    loaded = weights.load("detection").state_dict()
    for key, value in module.state_dict().items():
        assert loaded[key].dtype == value.dtype
        if value.ndim >= 2:
            torch.testing.assert_close(loaded[key], value, rtol=1e-3, atol=1e-6)
        else:
            assert torch.equal(loaded[key], value)


def test_values_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    module = nn.Conv2d(1, 1, 1)
    nn.init.constant_(module.weight, 1e5)
    with pytest.raises(ValueError, match="half precision"):
        save_bundled(module, ModelSpec("detection", "scratch_unet"), tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())


class Restorer(nn.Module):
    """A VAE and a mapping that were trained as one."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        parts = spec.hyper_parameters
        self.vae = RestorationVAE(**parts["vae"])
        self.mapping = ScratchMapping(**parts["mapping"])


RESTORER = ModelSpec(
    "restoration",
    "restorer",
    {
        "vae": VAE,
        "mapping": {"latent_channels": 16, "width": 32, "residual_blocks": 1},
    },
    {"residual": True, "hole": "inpainted", "multiple": 4},
)


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled weights with the restoration alone."""
    monkeypatch.setattr("models.registry.bundled_folder", lambda: tmp_path)
    save_bundled(Restorer(RESTORER), RESTORER, tmp_path / "restoration.safetensors")
    return tmp_path


def test_a_joint_set_serves_all_networks_of_the_restoration(bundled: Path) -> None:
    weights = resolve_weights("bundled")
    networks: list[Network] = ["vae_a", "vae_b_quality", "vae_b_scratch"]
    mappings: list[Network] = ["mapping_quality", "mapping_scratch"]
    assert all(isinstance(weights.load(name), RestorationVAE) for name in networks)
    assert all(isinstance(weights.load(name), ScratchMapping) for name in mappings)
    assert weights.spec("mapping_quality").inference == RESTORER.inference
    assert not weights.has("face_512")
    assert (bundled / "restoration.safetensors").is_file()


def test_a_missing_bundled_file_is_named(bundled: Path) -> None:
    weights = resolve_weights("bundled")
    assert not weights.has("detection")
    with pytest.raises(WeightFileError, match=r"detection\.safetensors.*is missing") as caught:
        weights.spec("detection")
    assert str(bundled) in str(caught.value)
    (bundled / "restoration.safetensors").unlink()
    with pytest.raises(WeightFileError, match="install Restore Old Photo again"):
        resolve_weights("bundled")


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}", b"PK\3\4"])
def test_a_damaged_bundled_file_is_refused(bundled: Path, content: bytes) -> None:
    (bundled / "restoration.safetensors").write_bytes(content)
    with pytest.raises(WeightFileError, match="damaged"):
        resolve_weights("bundled")


def test_a_truncated_bundled_file_is_refused(bundled: Path) -> None:
    path = bundled / "restoration.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightFileError, match="incomplete"):
        resolve_weights("bundled").load("vae_a")


def test_a_written_file_can_be_read_by_everyone_who_may_read_its_folder(tmp_path: Path) -> None:
    module, path = nn.Conv2d(1, 1, 1), tmp_path / "w.safetensors"
    save_bundled(module, ModelSpec("detection", "scratch_unet"), path)
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
