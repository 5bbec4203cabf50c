"""Other people's networks are recognised, imported and run; needs the optional spandrel.

Checkpoints are written with spandrel's own classes, as small as those allow, with random weights.
LaMa and GFPGAN have one size only.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.registry import Stage, WeightFileError
from models.spandrel_import import import_spandrel
from models.spandrel_networks import (
    read_weights,
    recognise,
    try_out,
)
from models.torchscript import is_torchscript, read_torchscript

needs_spandrel = pytest.mark.skipif(
    importlib.util.find_spec("spandrel") is None,
    reason='spandrel is not installed: "pip install --no-deps spandrel einops"',
)

FACES = {
    "GFPGAN": {
        "out_size": 512,
        "num_style_feat": 512,
        "channel_multiplier": 2,
        "decoder_load_path": None,
        "fix_decoder": False,
        "num_mlp": 8,
        "input_is_latent": True,
        "different_w": True,
        "narrow": 1,
        "sft_half": True,
    },
    "RestoreFormer": {
        "ch": 32,
        "ch_mult": (1, 1, 1, 1, 1, 1),
        "num_res_blocks": 1,
        "head_size": 8,
        "n_embed": 16,
        "embed_dim": 32,
        "z_channels": 32,
    },
}
NETWORKS: list[tuple[str, dict[str, Any], Stage, int]] = [
    ("ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 2}, "enlargement", 2),
    ("ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 4}, "enlargement", 4),
    ("ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 1}, "denoising", 1),
    (
        "SPAN",
        {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2},
        "enlargement",
        2,
    ),
    ("SCUNet", {"config": [1] * 7, "dim": 64}, "denoising", 1),
    ("FBCNN", {"nc": [8, 8, 8, 512], "nb": 2}, "denoising", 1),
    ("FBCNN", {"in_nc": 1, "out_nc": 1, "nc": [8, 8, 8, 512], "nb": 2}, "denoising", 1),
    (
        "NAFNet",
        {"width": 4, "middle_blk_num": 1, "enc_blk_nums": [1], "dec_blk_nums": [1]},
        "denoising",
        1,
    ),
    ("RestoreFormer", FACES["RestoreFormer"], "faces", 1),
]


def make(kind: str, parameters: dict[str, Any]) -> nn.Module:
    import_spandrel()
    package = importlib.import_module(f"spandrel.architectures.{kind}")
    torch.manual_seed(0)
    module: nn.Module = getattr(package, kind)(**parameters)
    return module.eval()


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@needs_spandrel
@pytest.mark.parametrize(("kind", "parameters", "stage", "scale"), NETWORKS)
def test_a_network_is_recognised_and_runs(
    tmp_path: Path, kind: str, parameters: dict[str, Any], stage: Stage, scale: int
) -> None:
    module = make(kind, parameters)
    path = save(tmp_path / "other.pth", {"params_ema": module.state_dict()})
    network = recognise(read_weights(path), path)
    assert (network.stage, network.architecture, network.scale) == (stage, kind, scale)
    try_out(network)
    side = (512, 512) if stage == "faces" else (50, 70)
    image = torch.rand(1, 3, *side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        output = network.run(image)
        again = network.run(image)
    assert output.shape == (1, 3, side[0] * scale, side[1] * scale)
    assert float(output.min()) >= 0
    assert float(output.max()) <= 1
    assert torch.equal(output, again)


@needs_spandrel
@pytest.mark.parametrize("kind", ["GFPGAN", "RestoreFormer"])
def test_faces_are_given_and_taken_in_the_range_of_the_training(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = make(kind, FACES[kind])
    path = save(tmp_path / "faces.pth", module.state_dict())
    network = recognise(read_weights(path), path)
    assert network.stage == "faces"
    seen: list[Tensor] = []

    def forward(x: Tensor, **_: object) -> tuple[Tensor, None]:
        seen.append(x)
        return x / 2, None

    monkeypatch.setattr(network.module, "forward", forward)
    image = torch.linspace(0, 1, 512).expand(1, 3, 512, 512)
    output = network.run(image)
    assert (float(seen[0].min()), float(seen[0].max())) == (-1, 1)
    torch.testing.assert_close(output, (image - 0.5) / 2 + 0.5)


@needs_spandrel
@pytest.mark.slow
def test_gfpgan_makes_the_same_face_twice(tmp_path: Path) -> None:
    path = save(
        tmp_path / "faces.pth", {"params_ema": make("GFPGAN", FACES["GFPGAN"]).state_dict()}
    )
    network = recognise(read_weights(path), path)
    image = torch.rand(1, 3, 512, 512)
    with torch.inference_mode():
        assert torch.equal(network.run(image), network.run(image))


@needs_spandrel
@pytest.mark.slow
def test_lama_fills_the_mask_and_comes_as_torchscript_too(tmp_path: Path) -> None:
    module = make("LaMa", {"in_nc": 4, "out_nc": 3})
    example = (torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    program = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
    program.save(str(tmp_path / "big-lama.pt"))
    path = tmp_path / "big-lama.pt"
    state = read_weights(path)
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())
    network = recognise(state, path)
    assert (network.stage, network.architecture) == ("inpainting", "LaMa")
    image, mask = torch.rand(1, 3, 50, 70), torch.zeros(1, 1, 50, 70)
    mask[..., 20:30, 10:60] = 1
    with torch.inference_mode():
        output = network.run(image, mask)
    torch.testing.assert_close(output * (1 - mask), image * (1 - mask))
    assert not torch.equal(output, image)


@needs_spandrel
def test_what_fits_no_stage_or_is_damaged_is_told(tmp_path: Path) -> None:
    unknown = save(tmp_path / "unknown.pth", {"layer.weight": torch.ones(3)})
    with pytest.raises(WeightFileError, match="no network that spandrel"):
        recognise(read_weights(unknown), unknown)
    gray = make("ESRGAN", {"in_nc": 4, "out_nc": 4, "num_filters": 8, "num_blocks": 1, "scale": 2})
    path = save(tmp_path / "four.pth", gray.state_dict())
    with pytest.raises(WeightFileError, match="takes 4 channels"):
        recognise(read_weights(path), path)
    state = make("ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 2}).state_dict()
    state["model.2.weight"] = torch.ones(1)
    path = save(tmp_path / "damaged.pth", state)
    with pytest.raises(WeightFileError, match="do not fit"):
        recognise(read_weights(path), path)
    (tmp_path / "half.pth").write_bytes(unknown.read_bytes()[:300])
    with pytest.raises(WeightFileError, match="incomplete"):
        read_weights(tmp_path / "half.pth")
    for content in ([1, 2], {0: torch.ones(3)}, {"state_dict": {1: torch.ones(3)}}):
        path = save(tmp_path / "list.pth", content)
        with pytest.raises(WeightFileError, match="list of named arrays"):
            read_weights(path)
    damaged = bytearray(unknown.read_bytes())
    place = damaged.rindex(b"PK\1\2")
    damaged[place : place + 4] = bytes(4)
    (tmp_path / "contents.pth").write_bytes(damaged)
    with pytest.raises(WeightFileError, match="incomplete"):
        read_weights(tmp_path / "contents.pth")


@needs_spandrel
def test_a_network_that_fails_or_computes_no_numbers_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(
        tmp_path / "x.pth",
        make("ESRGAN", {"num_filters": 8, "num_blocks": 1, "scale": 2}).state_dict(),
    )
    state = read_weights(path)
    network = recognise(state, path)
    network.module.load_state_dict(
        {k: v * float("nan") for k, v in network.module.state_dict().items()}
    )
    with pytest.raises(WeightFileError, match="no numbers"):
        try_out(network)
    network = recognise(state, path)
    monkeypatch.setattr(network.module, "forward", lambda x: x)
    with pytest.raises(WeightFileError, match=r"makes \(1, 3, 64, 64\)"):
        try_out(network)
    monkeypatch.setattr(network.module, "forward", lambda x: x @ torch.ones(3, 5))
    with pytest.raises(WeightFileError, match="fails on a picture"):
        try_out(network)


@needs_spandrel
@pytest.mark.parametrize(
    "torchvision",
    ["", "raise RuntimeError('operator torchvision::nms does not exist')"],
    ids=["missing", "built for another torch"],
)
def test_spandrel_works_without_a_working_torchvision(tmp_path: Path, torchvision: str) -> None:
    """It imports torchvision at its top level, and pip brings one that was built for CUDA."""
    if torchvision:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision" / "__init__.py").write_text(torchvision)
    else:
        (tmp_path / "torchvision.py").write_text("raise ModuleNotFoundError('torchvision')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from models.spandrel_import import import_spandrel\n"
        "spandrel = import_spandrel()\n"
        "assert 'torchvision' not in sys.modules\n"
        "from spandrel.architectures.LaMa.__arch import LaMa\n"
        "try: LaMa.rotate(1)\n"
        "except ValueError as error: print(error)\n"
        "print(len(spandrel.MAIN_REGISTRY))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    sentence, count = answer.stdout.splitlines()
    assert "needs the Python package torchvision" in sentence
    assert int(count) > 30


def test_without_spandrel_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WeightFileError, match=r'"\S+" -m pip install --no-deps spandrel einops$'):
        import_spandrel()


def test_a_broken_spandrel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise ModuleNotFoundError("No module named 'einops'")

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(WeightFileError, match=r"No module named 'einops'.*pip install"):
        import_spandrel()


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
        self.half_precision = nn.Linear(2, 2).half()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.model(x)
        return result


@pytest.mark.parametrize("way", [torch.jit.trace, torch.jit.script])
def test_torchscript_is_read_without_being_run(tmp_path: Path, way: Callable[..., Any]) -> None:
    module = Small().eval()
    arguments = [torch.rand(1, 3, 8, 8)] if way is torch.jit.trace else []
    path = tmp_path / "program.pt"
    way(module, *arguments).save(str(path))
    assert is_torchscript(path)
    state = read_torchscript(path)
    expected = module.state_dict()
    assert set(state) == set(expected)
    assert all(torch.equal(state[key], value) for key, value in expected.items())
    assert not is_torchscript(save(tmp_path / "weights.pt", expected))


def test_torchscript_with_more_than_numbers_is_refused(tmp_path: Path) -> None:
    import pickle
    import zipfile

    class Evil:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return print, ("executed",)

    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps(Evil()))
        archive.writestr("evil/code/__torch__.py", "")
    with pytest.raises(pickle.UnpicklingError, match="neither a number nor a container"):
        read_torchscript(path)
