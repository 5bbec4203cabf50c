"""Weight files: complete ones are loaded, all others are refused in a clear sentence."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import loading
from models.loading import WeightFileError, official_weights
from models.pseudo_random import fill
from models.registry import (
    ModelSpec,
    Network,
    OfficialFile,
    data_folder,
    official_files,
    official_folder,
    resolve_weights,
)
from models.restoration_vae import RestorationVAE
from models.scratch_unet import ScratchUNet

SMALL_UNET = {"width": 4, "depth": 2}
SMALL_VAE = {"width": 4, "latent_channels": 16, "residual_blocks": 1}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An official layout whose detector and first VAE are small enough for a quick test."""
    small: dict[str, dict[str, Any]] = {"detection": SMALL_UNET, "vae_a": SMALL_VAE}

    def small_files() -> list[OfficialFile]:
        return [
            OfficialFile(
                ModelSpec(f.spec.network, f.spec.family, small[f.spec.network], f.spec.inference),
                *(f.path, f.size_bytes, f.sha256, f.wrapping_key),
            )
            for f in official_files()
            if f.spec.network in small
        ]

    monkeypatch.setattr(loading, "official_files", small_files)
    return tmp_path


def path_of(folder: Path, network: Network) -> Path:
    (path,) = [folder / f.path for f in official_files() if f.spec.network == network]
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def detector_state() -> dict[str, Tensor]:
    return fill(ScratchUNet(**SMALL_UNET).state_dict(), "detection")


def vae_state() -> dict[str, Tensor]:
    return fill(RestorationVAE(**SMALL_VAE).state_dict(), "VAE_A_quality")


def wrapped(state: dict[str, Tensor]) -> dict[str, Any]:
    """As the original's training wrote it."""
    adam = {"state": {0: {"step": 9, "exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-4}]}
    return {"epoch": 20, "model_state": state, "optimizer_state": adam}


def assert_holds(module: nn.Module, state: dict[str, Tensor]) -> None:
    loaded = module.state_dict()
    assert list(loaded) == list(state)
    assert all(torch.equal(loaded[key], state[key]) for key in state)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip format", "legacy format"])
def test_the_wrapped_detector_loads_and_its_optimiser_is_ignored(
    folder: Path, zipped: bool
) -> None:
    state = detector_state()
    path = path_of(folder, "detection")
    torch.save(wrapped(state), path, _use_new_zipfile_serialization=zipped)
    module = official_weights(folder).load("detection")
    assert_holds(module, state)
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip format", "legacy format"])
def test_a_plain_checkpoint_loads(folder: Path, zipped: bool) -> None:
    state = vae_state()
    torch.save(state, path_of(folder, "vae_a"), _use_new_zipfile_serialization=zipped)
    assert_holds(official_weights(folder).load("vae_a"), state)


def test_half_precision_is_widened(folder: Path) -> None:
    torch.save({k: v.half() for k, v in vae_state().items()}, path_of(folder, "vae_a"))
    module = official_weights(folder).load("vae_a")
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_loading_lets_go_of_the_file(folder: Path) -> None:
    path = path_of(folder, "vae_a")
    torch.save(vae_state(), path)
    module = official_weights(folder).load("vae_a")
    before = module.state_dict()["encoder.1.weight"].clone()
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(module.state_dict()["encoder.1.weight"], before)


def without_first(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(list(state.items())[1:])


def with_other_shape(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state | {"encoder.1.weight": torch.zeros(8, 3, 7, 7)}


def with_surplus(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state | {"encoder.99.weight": torch.zeros(1)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_first, r"encoder\.1\.weight is missing"),
        (with_other_shape, r"encoder\.1\.weight is \(8, 3, 7, 7\) instead of \(4, 3, 7, 7\)"),
        (with_surplus, r"encoder\.99\.weight is not expected"),
        (lambda _: {}, r"is missing and \d+ more"),
        (lambda _: [1, 2], "not a list of named arrays"),
        (lambda _: {"encoder.1.weight": 3.0}, "not a list of named arrays"),
    ],
    ids=["missing", "shape", "surplus", "empty", "a list", "no arrays"],
)
def test_a_file_that_fits_in_part_is_refused(folder: Path, change: Any, reason: str) -> None:
    path = path_of(folder, "vae_a")
    torch.save(change(vae_state()), path)
    with pytest.raises(WeightFileError, match=reason) as caught:
        official_weights(folder).load("vae_a")
    assert str(path) in str(caught.value)
    assert "check that the right file lies there" in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip format", "legacy format"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(folder: Path, zipped: bool, kept: float) -> None:
    path = path_of(folder, "vae_a")
    torch.save(vae_state(), path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WeightFileError, match=r"incomplete.*get it again"):
        official_weights(folder).load("vae_a")


def test_a_web_page_saved_as_weights_is_refused(folder: Path) -> None:
    path_of(folder, "vae_a").write_bytes(b"<!DOCTYPE html><html>404</html>")
    with pytest.raises(WeightFileError, match="incomplete"):
        official_weights(folder).load("vae_a")


class Attack:
    """Unpickling it would create a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip format", "legacy format"])
def test_code_in_a_checkpoint_is_not_run(folder: Path, zipped: bool) -> None:
    target = folder / "created"
    state: dict[str, Any] = {**vae_state(), "bomb": Attack(target)}
    path = path_of(folder, "vae_a")
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightFileError, match="something other than numbers"):
        official_weights(folder).load("vae_a")
    path.write_bytes(pickle.dumps(Attack(target), protocol=2))
    with pytest.raises(WeightFileError, match="something other than numbers"):
        official_weights(folder).load("vae_a")
    assert not target.exists()


def test_a_missing_file_is_named_with_its_folder(folder: Path) -> None:
    torch.save(vae_state(), path_of(folder, "vae_a"))
    weights = official_weights(folder)
    assert weights.has("vae_a")
    assert not weights.has("detection")
    assert weights.spec("detection").inference["threshold"] == 0.4
    with pytest.raises(WeightFileError, match=r"FT_Epoch_latest\.pt for detection") as caught:
        weights.load("detection")
    assert str(path_of(folder, "detection").parent) in str(caught.value)


def test_a_network_that_the_weights_do_not_have_is_refused(folder: Path) -> None:
    torch.save(vae_state(), path_of(folder, "vae_a"))
    with pytest.raises(WeightFileError, match="no network for face_512"):
        official_weights(folder).spec("face_512")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightFileError, match=r"no official weights in .*'Global'"):
        resolve_weights(str(tmp_path))


def test_official_weights_are_looked_for_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_OLD_PHOTO_HOME", str(tmp_path))
    assert data_folder() == tmp_path
    path = official_folder() / official_files()[0].path
    path.parent.mkdir(parents=True)
    path.touch()
    assert resolve_weights("official").has("detection")


def test_a_spec_of_an_unknown_family_is_refused() -> None:
    with pytest.raises(WeightFileError, match="cannot build"):
        loading.build(ModelSpec("detection", "transformer"))
    with pytest.raises(WeightFileError, match="cannot build"):
        loading.build(ModelSpec("detection", "scratch_unet", {"heads": 8}))


@pytest.mark.slow
def test_the_official_detector_file_loads_at_its_full_width(tmp_path: Path) -> None:
    state = fill(ScratchUNet().state_dict(), "detection")
    path = path_of(tmp_path, "detection")
    torch.save(wrapped(state), path, _use_new_zipfile_serialization=False)
    assert_holds(resolve_weights(str(tmp_path)).load("detection"), state)
