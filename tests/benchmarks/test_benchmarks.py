"""The benchmark measures what it says, and its plain form is the network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch

from models.latent_mapping import ScratchMapping
from models.restoration_vae import RestorationVAE
from tests.benchmarks import plain
from tests.benchmarks.photos import make_photo

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_plain_form_computes_what_the_networks_compute() -> None:
    torch.manual_seed(0)
    vae = RestorationVAE(width=4, latent_channels=8, residual_blocks=1).requires_grad_(False)
    mapping = ScratchMapping(latent_channels=8, width=16, residual_blocks=1, non_local_blocks=1)
    mapping.requires_grad_(False)
    x = torch.rand(1, 3, 48, 64) * 2 - 1
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., 10:20, 30:50] = 1
    expected = vae.decode(mapping(vae.encode(x), mask))
    result = plain.restore(x, mask, vae, mapping, vae)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4)
    assert plain.matrix_bytes(64, 48) == 4 * (16 * 12) ** 2


def test_photos_have_their_size_and_white_scratches() -> None:
    photo, damage = make_photo(700, 600)
    assert photo.shape == (600, 700, 3)
    assert (photo[damage > 0] == 255).all()
    assert 0.005 < (damage > 0).mean() < 0.2


def test_one_command_writes_both_reports(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks", "-o", str(tmp_path), "--threads", "1"]
    command += ["--only", "bundled", "--megapixels", "0.03", "0.06"]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, timeout=200)
    report = json.loads((tmp_path / "benchmark.json").read_text())
    rows = report["bundled"]
    assert [row["megapixels"] for row in rows] == [0.03, 0.06]
    assert all(row["warm"]["seconds"] > 0 and row["peak_mb"] > 100 for row in rows)
    text = (tmp_path / "benchmark.md").read_text()
    assert "| 0.03 to 0.06 |" in text
    assert f"{rows[0]['peak_mb']:,.0f}" in text
