"""dlib's face descriptor in torch sees what dlib's own sees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.face_finder import landmark_model_path
from models.training.descriptor import DescriptorNetwork, face_chip, find_descriptor, random_views
from tests.backend.photos import portrait


@pytest.fixture(scope="module")
def network() -> DescriptorNetwork:
    return DescriptorNetwork(find_descriptor())


def test_the_numbers_are_those_of_dlib(network: DescriptorNetwork) -> None:
    import dlib

    picture = cv2.resize(portrait(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    (box,) = dlib.get_frontal_face_detector()(picture, 0)
    landmarks = dlib.shape_predictor(str(landmark_model_path()))(picture, box)
    chip = dlib.get_face_chip(picture, landmarks, 150, 0.25)
    model = dlib.face_recognition_model_v1(str(find_descriptor()))
    x = torch.from_numpy(chip.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    expected = np.array(model.compute_face_descriptor(chip))
    np.testing.assert_allclose(network(x)[0].numpy(), expected, atol=2e-6)


def test_its_gradient_reaches_the_picture(network: DescriptorNetwork) -> None:
    crops = torch.rand(2, 3, 256, 256, requires_grad=True)
    network(face_chip(crops)).sum().backward()
    assert crops.grad is not None
    assert float(crops.grad.abs().max()) > 0
    # What lies outside the chip says nothing.
    assert not crops.grad[..., :16].any()


def test_random_views_show_two_pictures_of_a_face_alike() -> None:
    torch.manual_seed(0)
    faces = torch.rand(3, 3, 64, 64)
    first, second = random_views(torch.stack([faces, faces + 0.25]))
    torch.testing.assert_close(second, first + 0.25)
    again, _ = random_views(torch.stack([faces, faces]))
    assert not torch.allclose(first, again, atol=0.05)


def test_random_views_lose_single_pixels_and_keep_the_features() -> None:
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    pattern = ((rows + columns) % 2 * 2.0 - 1).expand(1, 3, 128, 128)
    wide = torch.sin(rows / 128 * 6 * torch.pi).expand(1, 3, 128, 128)
    fine_view, wide_view = random_views(torch.stack([pattern, wide]))
    inner = (..., slice(16, -16), slice(16, -16))
    assert float(fine_view[inner].std()) < 0.1 * float(pattern.std())
    assert float(wide_view[inner].std()) > 0.8 * float(wide.std())


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.dat"
    other.write_bytes(find_descriptor().read_bytes()[:19800])
    with pytest.raises(ValueError, match="are expected"):
        DescriptorNetwork(other)
