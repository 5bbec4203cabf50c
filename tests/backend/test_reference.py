"""The reference run: the original's steps, with what is odd about them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from backend.errors import Cancelled, InputError, WeightsError
from backend.reference import faces, pictures, reference_restore
from backend.reference import restoration as steps
from backend.reference.pictures import Bytes
from models.loading import build, bundled_weights
from models.registry import ModelSpec, Network, WeightFileError
from tests.models.shared import GOLDEN, needs_golden

VAE = {"width": 4, "latent_channels": 16, "residual_blocks": 1}
MAPPING = {"latent_channels": 16, "width": 32, "residual_blocks": 1}
WHITE = {"hole": "white", "multiple": 4}


class SmallWeights:
    """Random networks of the original's kinds at small widths."""

    def __init__(self) -> None:
        face = {"width": 2, "modulation_width": 4}
        networks: list[tuple[Network, str, dict[str, Any]]] = [
            ("detection", "scratch_unet", {"width": 4}),
            ("vae_a", "restoration_vae", VAE),
            ("vae_b_quality", "restoration_vae", VAE),
            ("vae_b_scratch", "restoration_vae", VAE),
            ("mapping_quality", "quality_mapping", MAPPING),
            ("mapping_scratch", "scratch_mapping", MAPPING),
            ("mapping_high_resolution", "high_resolution_mapping", MAPPING),
            ("face_256", "face_generator", {**face, "crop_size": 256}),
            ("face_512", "face_generator", {**face, "crop_size": 512}),
        ]
        self.specs = {name: ModelSpec(name, kind, hyper, WHITE) for name, kind, hyper in networks}
        self.loaded: list[Network] = []

    def spec(self, network: Network) -> ModelSpec:
        return self.specs[network]

    def load(self, network: Network, device: torch.device | str = "cpu") -> torch.nn.Module:
        if network not in self.specs:
            raise WeightFileError(f"The weight file for {network} is missing.")
        self.loaded.append(network)
        torch.manual_seed(len(network))
        return build(self.specs[network]).eval().to(device)


def make_photo(height: int = 70, width: int = 90) -> Bytes:
    rng = np.random.default_rng(4)
    smooth = np.linspace(40, 200, width)[None, :, None] + rng.normal(0, 8, (height, width, 3))
    return smooth.clip(0, 255).astype(np.uint8)


def make_landmarks(x: float, y: float, size: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """68 landmarks whose five important points form an upright face."""
    points = np.zeros((68, 2))
    points[[36, 39]] = [[-0.33, -0.12], [-0.13, -0.12]]
    points[[42, 45]] = [[0.13, -0.12], [0.33, -0.12]]
    points[[30, 48, 54]] = [[0, 0.12], [-0.14, 0.41], [0.14, 0.41]]
    return np.asarray((points * size + [x, y]).astype(np.int64))


@pytest.fixture
def two_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [make_landmarks(80, 80, 70), make_landmarks(120, 90, 65)]
    monkeypatch.setattr(faces, "find_landmarks", lambda _: found)


@pytest.fixture
def no_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "find_landmarks", lambda _: [])


@pytest.mark.parametrize(
    ("side", "multiple", "rounded"),
    [(24, 16, 32), (40, 16, 32), (8, 16, 0), (9, 16, 16), (6, 4, 8), (10, 4, 8), (101, 4, 100)],
)
def test_sides_are_rounded_half_to_even(side: int, multiple: int, rounded: int) -> None:
    assert pictures.rounded_size(side, 160, multiple=multiple) == (rounded, 160)


@pytest.mark.usefixtures("no_faces")
def test_the_result_has_the_rounded_size_not_the_photos() -> None:
    plain = reference_restore(make_photo(70, 90), SmallWeights(), scratches=False)
    assert plain.restored.shape == (72, 88, 3)
    assert plain.mask is None
    scratched = reference_restore(make_photo(70, 90), SmallWeights(), scratches=True)
    assert scratched.restored.shape == (64, 96, 3)
    assert scratched.mask is not None
    assert scratched.mask.shape == (64, 96)


def test_contrast_is_stretched_to_the_full_range_and_constants_become_black() -> None:
    dull = torch.full((1, 3, 4, 4), 0.5)
    assert not pictures.stretch_to_bytes(dull).any()
    assert not pictures.stretch_to_bytes(torch.ones(1, 1, 4, 4)).any()
    dull[0, 0, 0, 0], dull[0, 2, 3, 3] = 0.4, 0.6
    stretched = pictures.stretch_to_bytes(dull)
    assert (stretched.min(), stretched.max()) == (0, 255)
    assert (pictures.to_bytes(dull).min(), pictures.to_bytes(dull).max()) == (102, 153)


def test_holes_are_white_and_fractions_are_cut_off() -> None:
    pixels = np.full((1, 3, 3), 100, np.uint8)
    mask = np.array([[0, 255, 100]], np.uint8)
    assert pictures.paint_white(pixels, mask)[0, :, 0].tolist() == [100, 255, 160]  # 160.78


def test_only_the_high_resolution_mode_grows_the_mask() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[30, 30] = 255
    weights, photo = SmallWeights(), make_photo(64, 64)
    grown = steps.restore_scratches(photo, mask, weights, high_resolution=True)
    as_given = steps.restore_scratches(photo, mask, weights)
    assert ((grown.mask > 0).sum(), (as_given.mask > 0).sum()) == (49, 1)
    assert (grown.hole[27:34, 27:34] == 255).all()


@pytest.mark.usefixtures("no_faces")
def test_a_given_mask_replaces_the_detector_and_follows_the_photos_size() -> None:
    weights = SmallWeights()
    mask = np.zeros((70, 90), np.uint8)
    mask[:, 45:] = 255
    result = reference_restore(make_photo(), weights, scratches=True, mask=mask)
    assert "detection" not in weights.loaded
    assert result.mask is not None
    assert set(np.unique(result.mask)) == {0, 255}
    assert (result.mask[:, :47] == 0).all()
    assert (result.mask[:, 49:] == 255).all()


@pytest.mark.parametrize(
    ("scratches", "high_resolution", "expected"),
    [
        (False, False, ["vae_a", "mapping_quality", "vae_b_quality", "face_256"]),
        (False, True, ["vae_a", "mapping_quality", "vae_b_quality", "face_512"]),
        (True, False, ["detection", "vae_a", "mapping_scratch", "vae_b_scratch", "face_256"]),
        (
            True,
            True,
            ["detection", "vae_a", "mapping_high_resolution", "vae_b_scratch", "face_512"],
        ),
    ],
)
@pytest.mark.usefixtures("two_faces")
def test_each_mode_uses_its_networks(
    scratches: bool, high_resolution: bool, expected: list[Network]
) -> None:
    weights = SmallWeights()
    photo = make_photo(160, 208)
    result = reference_restore(photo, weights, scratches=scratches, high_resolution=high_resolution)
    assert weights.loaded == expected
    assert len(result.faces) == 2
    size = 512 if high_resolution else 256
    assert all(face.crop.shape == face.enhanced.shape == (size, size, 3) for face in result.faces)
    changed = (result.final != result.restored).any(axis=2)
    assert changed[80, 80]
    assert not changed[150:].any()


@pytest.mark.usefixtures("no_faces")
def test_without_a_face_the_restored_picture_is_the_result() -> None:
    weights = SmallWeights()
    result = reference_restore(make_photo(), weights, scratches=False)
    assert result.faces == []
    assert np.array_equal(result.final, result.restored)
    assert "face_256" not in weights.loaded


@pytest.mark.usefixtures("two_faces")
def test_faces_can_be_left_out() -> None:
    result = reference_restore(make_photo(160, 208), SmallWeights(), scratches=False, faces=False)
    assert result.faces == []
    assert np.array_equal(result.final, result.restored)


def test_eye_centres_are_cut_off_towards_zero() -> None:
    landmarks = np.zeros((68, 2), np.int64)
    landmarks[36], landmarks[39] = (-4, 10), (-1, 13)
    assert faces.five_points(landmarks)[0].tolist() == [-2, 11]


def test_the_margin_is_in_pixels_so_that_a_small_face_vanishes() -> None:
    below, above = np.zeros((80, 80, 3)), np.full((80, 80, 3), 255.0)
    small, large = np.zeros((80, 80)), np.zeros((80, 80))
    small[30:54, 30:54], large[5:75, 5:75] = 1, 1
    assert faces.blend_blurred(above, below, small).max() == 0
    assert faces.blend_blurred(above, below, large)[40, 40, 0] == pytest.approx(1, abs=1e-3)


def test_faces_are_not_shrunk_at_the_frame() -> None:
    everywhere = np.ones((60, 60))
    blended = faces.blend_blurred(np.full((60, 60, 3), 255.0), np.zeros((60, 60, 3)), everywhere)
    assert blended.min() == pytest.approx(1)


def test_later_faces_lie_over_earlier_ones_and_match_the_unblended_picture() -> None:
    photo = make_photo(240, 320)
    matrix = faces.alignment(faces.five_points(make_landmarks(150, 120, 150)), 256)
    black, white = np.zeros((256, 256, 3), np.uint8), np.full((256, 256, 3), 255, np.uint8)
    alone = faces.blend_face(photo.astype(float), photo, matrix, white)
    both = faces.blend_face(
        faces.blend_face(photo.astype(float), photo, matrix, black), photo, matrix, white
    )
    assert np.abs(both[120, 150] - alone[120, 150]).max() < 1


@pytest.mark.usefixtures("two_faces")
def test_progress_goes_through_the_stages_in_order() -> None:
    seen: list[tuple[str, float]] = []
    reference_restore(
        make_photo(160, 208),
        SmallWeights(),
        scratches=True,
        on_progress=lambda stage, fraction: seen.append((stage, fraction)),
    )
    order = ["scratches", "restoration", "faces", "enhancement", "blending"]
    assert list(dict.fromkeys(stage for stage, _ in seen)) == order
    assert all(a[1] <= b[1] for a, b in pairwise(seen) if a[0] == b[0])


@pytest.mark.parametrize("allowed", range(7))
@pytest.mark.usefixtures("two_faces")
def test_it_stops_between_any_two_steps(allowed: int) -> None:
    answers = iter([False] * allowed + [True])

    def stop(*_: object) -> None:
        if next(answers):
            raise Cancelled("The restoration was stopped.")

    with pytest.raises(Cancelled):
        reference_restore(make_photo(96, 96), SmallWeights(), scratches=True, on_progress=stop)


@pytest.mark.parametrize(
    ("height", "width", "scratches"), [(5, 50, False), (50, 4, False), (8, 50, True)]
)
def test_a_photo_that_would_round_to_nothing_is_refused(
    height: int, width: int, scratches: bool
) -> None:
    with pytest.raises(InputError, match=rf"{width} x {height} pixels, too few"):
        reference_restore(make_photo(height, width), SmallWeights(), scratches=scratches)


@pytest.mark.usefixtures("no_faces")
def test_the_smallest_photo_is_restored() -> None:
    result = reference_restore(make_photo(6, 6), SmallWeights(), scratches=False)
    assert result.final.shape == (8, 8, 3)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"mask has 90 x 60 pixels and the photo 90 x 70"):
        reference_restore(
            make_photo(), SmallWeights(), scratches=True, mask=np.zeros((60, 90), np.uint8)
        )


def test_weights_of_another_kind_are_refused() -> None:
    with pytest.raises(WeightsError, match="'bundled' have no network for vae_a"):
        reference_restore(make_photo(), bundled_weights(), scratches=True)


@pytest.mark.usefixtures("no_faces")
def test_a_missing_weight_file_is_reported_as_such() -> None:
    weights = SmallWeights()
    del weights.specs["detection"]
    with pytest.raises(WeightsError, match="detection is missing"):
        reference_restore(make_photo(), weights, scratches=True)


@needs_golden
@pytest.mark.parametrize("name", ["one", "border", "hr", "two_overlap"])
def test_recorded_faces_are_put_back_to_the_level(name: str) -> None:
    pair = np.load(GOLDEN / f"stage24_{name}.npz")
    pixels = pair["image_u8"]
    final = pixels.astype(np.float64)
    for number, landmarks in enumerate(pair["landmarks68"]):
        face = pair[f"face_{number}_u8"]
        matrix = faces.alignment(faces.five_points(landmarks), face.shape[0])
        crop = faces.crop_face(pixels, matrix, face.shape[0]).astype(int)
        assert np.abs(crop - pair[f"crop_{number}_u8"]).max() <= 1
        final = faces.blend_face(final, pixels, matrix, face)
    assert np.abs(faces.to_bytes(final).astype(int) - pair["result_u8"]).max() <= 1
