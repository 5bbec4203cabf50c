"""The project's own weight files: written, described, found and read back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from models import loading
from models.compact_unet import RestorationUNet
from models.loading import WeightFileError, build, bundled_network, save_bundled
from models.pseudo_random import fill
from models.registry import ModelSpec, read_spec, resolve_weights
from models.scratch_unet import ScratchUNet

UNET = {"width": 4, "depth": 2}


def test_what_is_saved_comes_back_within_half_precision(tmp_path: Path) -> None:
    module = ScratchUNet(**UNET)
    module.load_state_dict(fill(module.state_dict(), "detection"))
    spec = ModelSpec("detection", "scratch_unet", UNET, {"threshold": 0.5, "steps": 7})
    path = tmp_path / "weights" / "detection.safetensors"
    save_bundled(module, spec, path)
    assert read_spec(path) == spec
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    weights = loading.WeightSet("test", {"detection": loading.Source(path, spec)})
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


RESTORATION = ModelSpec(
    "restoration",
    "restoration_unet",
    {"width": 8, "deepest_width": 16, "blocks": 1},
    {"residual": True, "hole": "filled", "multiple": 16},
)


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled weights with the restoration alone."""
    monkeypatch.setattr("models.registry.bundled_folder", lambda: tmp_path)
    save_bundled(build(RESTORATION), RESTORATION, tmp_path / "restoration.safetensors")
    return tmp_path


def test_a_folder_with_files_named_as_the_bundled_ones_is_read_like_them(
    bundled: Path, tmp_path: Path
) -> None:
    for choice in ("bundled", str(tmp_path)):
        weights = resolve_weights(choice)
        assert weights.name == choice
        assert isinstance(weights.load("restoration"), RestorationUNet)
        assert weights.spec("restoration").inference == RESTORATION.inference
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


def test_a_bundled_file_of_another_network_is_refused_and_spoils_no_other(bundled: Path) -> None:
    shutil.copy(bundled / "restoration.safetensors", bundled / "tone.safetensors")
    with pytest.raises(WeightFileError, match=r"tone\.safetensors belongs to another network"):
        resolve_weights("bundled")
    assert isinstance(bundled_network(bundled / "restoration.safetensors"), RestorationUNet)
    with pytest.raises(WeightFileError, match="says that it is restoration"):
        bundled_network(bundled / "tone.safetensors")


def test_a_truncated_bundled_file_is_refused(bundled: Path) -> None:
    path = bundled / "restoration.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightFileError, match="incomplete"):
        resolve_weights("bundled").load("restoration")


def test_a_written_file_can_be_read_by_everyone_who_may_read_its_folder(tmp_path: Path) -> None:
    module, path = nn.Conv2d(1, 1, 1), tmp_path / "w.safetensors"
    save_bundled(module, ModelSpec("detection", "scratch_unet"), path)
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
