"""What a generator is shown, and what its result is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from backend.stages.enhancement import Views, photo_of, redraw
from tests.backend.photos import portrait

CPU = torch.device("cpu")


class Ramp(nn.Module):
    """Half the face, and a ramp from left to right: it treats a face and its mirror unalike."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.share * x + torch.linspace(-0.5, 0.5, x.shape[3])


@torch.inference_mode()
@pytest.mark.parametrize("is_residual", [False, True])
def test_a_mirrored_result_has_no_preferred_side(is_residual: bool) -> None:
    x = torch.rand(2, 3, 8, 8) * 2 - 1
    base = x if is_residual else torch.zeros_like(x)
    once = redraw(Ramp(), x, CPU, {"residual": is_residual})
    both = redraw(Ramp(), x, CPU, {"residual": is_residual, "mirrored": True})
    torch.testing.assert_close(once, base + 0.5 * x + torch.linspace(-0.5, 0.5, 8))
    torch.testing.assert_close(both, base + 0.5 * x)


@torch.inference_mode()
def test_a_part_of_a_change_is_added_where_the_weights_say_so() -> None:
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    inference = {"residual": True, "mirrored": True, "share": 0.75}
    torch.testing.assert_close(redraw(Ramp(), x, CPU, inference), x + 0.75 * 0.5 * x)


@torch.inference_mode()
def test_a_face_is_changed_whatever_else_a_generator_sees() -> None:
    x = torch.rand(1, 6, 8, 8) * 2 - 1

    class Second(Ramp):
        def forward(self, x: Tensor) -> Tensor:
            return self.share * x[:, 3:]

    after = redraw(Second(), x, CPU, {"residual": True, "mirrored": True})
    torch.testing.assert_close(after, x[:, :3] + 0.5 * x[:, 3:])


# A crop of a quarter of a picture, unturned.
QUARTER = np.array([[1.0, 0.0, -60.0], [0.0, 1.0, -60.0]])


def crop_of(picture: np.ndarray) -> np.ndarray:
    return picture[60:188, 60:188].astype(np.float32) / 255


def test_the_photo_of_a_face_has_the_tone_of_the_restored_one() -> None:
    restored = portrait()
    faded = (restored * [0.5, 0.4, 0.3] + [90, 80, 60]).astype(np.uint8)
    grain = np.random.default_rng(1).integers(-12, 13, restored.shape)
    photo = np.clip(faded + grain, 0, 255).astype(np.uint8)
    views = Views(restored, photo, np.zeros(restored.shape[:2], np.uint8))
    shown = photo_of(views, QUARTER, crop_of(restored))
    difference = shown - crop_of(restored)
    # Grain stays, with the contrast that the picture got back.
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.01
    expected = grain[60:188, 60:188].std(axis=(0, 1)) / 255 / [0.5, 0.4, 0.3]
    np.testing.assert_allclose(difference.std(axis=(0, 1)), expected, rtol=0.15)


def test_damage_in_the_photo_of_a_face_is_not_shown() -> None:
    restored = portrait()
    photo, damage = restored.copy(), np.zeros(restored.shape[:2], np.uint8)
    photo[100:110], damage[100:110] = 255, 255
    before = crop_of(restored)
    shown = photo_of(Views(restored, photo, damage), QUARTER, before)
    np.testing.assert_allclose(shown, before, atol=0.01)
    everywhere = np.full_like(damage, 255)
    shown = photo_of(Views(restored, photo, everywhere), QUARTER, before)
    np.testing.assert_array_equal(shown, before)
