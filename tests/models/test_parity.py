"""The parity command: it passes what is right, and notices what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models import parity
from models.pseudo_random import make_values
from tests.models.shared import GOLDEN, needs_golden

Arrays = dict[str, npt.NDArray[Any]]


@pytest.fixture
def hole() -> Arrays:
    """A pair whose right answer is plain: white where the mask is, the picture elsewhere."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mask = np.where(rng.random((20, 30)) > 0.7, 255, 0).astype(np.uint8)
    white = np.where(mask[..., None] > 0, 255, image).astype(np.uint8)
    return {"image_u8": image, "mask_u8": mask, "hole_binary": white}


def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = parity.main([str(folder)])
    return code, capsys.readouterr().out


def write(path: Path, arrays: Arrays) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]


@needs_golden
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_recorded_runs_are_reproduced() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "models.parity"],
        cwd=Path(parity.__file__).parents[1],
        capture_output=True,
        text=True,
    )
    rows = answer.stdout.splitlines()[1:-1]
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert {row.split()[0] for row in rows} == {path.stem for path in GOLDEN.glob("*.npz")}
    assert all(row.split()[3] == "ok" for row in rows)


def test_a_right_pair_passes_without_an_index(
    tmp_path: Path, hole: Arrays, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "hole_synthesize_20x30.npz", hole)
    code, output = run(tmp_path, capsys)
    assert (code, "1 pairs, 0 failed" in output) == (0, True)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("hole_synthesize", {"hole_binary": lambda a: a ^ 1}, "1.00e+00 of 0e+00"),
        ("hole_synthesize", {"hole_binary": lambda a: a[1:]}, "shape"),
        ("hole_synthesize", {"mask_u8": None}, "input mask_u8 is missing"),
        ("hole_synthesize", {"hole_binary": None}, "none of hole_binary"),
        ("holes", {}, "no kind of pair is called so"),
        ("hole_synthesized", {}, "no kind of pair is called so"),
        ("detection_unet", {}, "input x is missing"),
    ],
)
def test_a_wrong_pair_fails_with_its_reason(
    tmp_path: Path,
    hole: Arrays,
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: dict[str, Any],
    reason: str,
) -> None:
    for key, function in change.items():
        original = hole.pop(key)
        if function is not None:
            hole[key] = function(original)
    write(tmp_path / f"{name}.npz", hole)
    code, output = run(tmp_path, capsys)
    assert code == 1
    assert "FAIL" in output
    assert reason in output


def test_a_broken_file_fails_and_the_others_are_still_compared(
    tmp_path: Path, hole: Arrays, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hole_synthesize_a.npz").write_bytes(b"PK")
    write(tmp_path / "hole_synthesize_b.npz", hole)
    code, output = run(tmp_path, capsys)
    assert code == 1
    assert "2 pairs, 1 failed" in output


def test_a_folder_without_pairs_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, output = run(tmp_path, capsys)
    assert code == 1
    assert "no pairs" in output


def test_not_a_number_is_a_failure() -> None:
    output = parity.Output(np.array([1.0, np.nan]), 1.0)
    assert parity.compare("y", output, np.array([1.0, 1.0])).strain == float("inf")


def test_the_mean_is_bounded_too() -> None:
    output = parity.Output(np.full(9, 0.5), 1.0, 0.1)
    assert parity.compare("y", output, np.zeros(9)).strain == pytest.approx(5)


def test_the_index_replaces_the_tolerances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.random.default_rng(0).standard_normal((1, 1, 48, 80)).astype(np.float32)
    shape = np.array([1, 1, 256, 432])
    write(tmp_path / "scale_tensor.npz", {"x_0": x, "y_0": np.zeros(shape), "y_shape_0": shape})
    assert run(tmp_path, capsys)[0] == 1
    entry = {"outputs": {"y_0": {"tol_abs": 9.0, "tol_mean": 9.0}}}
    index = {"files": {"scale_tensor.npz": entry}}
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert run(tmp_path, capsys)[0] == 0


def test_the_rule_for_weights_does_what_it_says() -> None:
    kernel = make_values("VAE_A_quality/encoder.1.weight", (64, 3, 7, 7))
    assert kernel.std() == pytest.approx(np.sqrt(2 / 147), rel=0.05)
    u = make_values("FaceSR_512/up_0.conv_0.weight_u", (512,))
    assert np.linalg.norm(u) == pytest.approx(1)
    assert (make_values("detection/a.running_var", (50,)) >= 1).all()
    assert make_values("detection/last.1.bias", (1,)) == [-1.2]
    assert make_values("detection/down_sample.0.4.filt", (7, 1, 3, 3)).sum() == pytest.approx(7)
    with pytest.raises(ValueError, match="no rule"):
        make_values("detection/a.scale", (3,))
