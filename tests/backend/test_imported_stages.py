"""What a model of the user's own does to a photo, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from backend.alignment import FFHQ_TEMPLATE, align, five_points
from backend.cli import main
from backend.errors import Cancelled, OptionsError, WeightsError
from backend.face_finder import FaceFinder
from backend.files import load_picture, save_picture
from backend.files_metadata import parse_exif
from backend.geometry import transform
from backend.images import Mask, Metadata, Picture, Pixels
from backend.monitor import Monitor
from backend.networks import Networks
from backend.options import Options
from backend.pipeline import restore
from backend.results import Result
from backend.stages.enlargement import enlarge
from backend.stages.faces import find_faces
from tests.backend.networks import random_networks
from tests.backend.other_networks import networks_with, seen_by
from tests.backend.photos import noise, portrait, scratched

OPTIONS = Options(tone=False, enhance_faces=False)
ONLY_MASK = Options(scratches="mask", whole_picture=False, enhance_faces=False)
RED = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
SIZES = [(1, 1), (1, 300), (37, 53), (700, 40), (801, 803)]


def run(pixels: Pixels, networks: Networks, options: Options, mask: Mask | None = None) -> Result:
    return restore(Picture(pixels), mask, options, networks, lambda _: None, lambda: False)


def monitor() -> Monitor:
    return Monitor("restoration", lambda _: None, lambda: False)


def paint_red(image: Tensor, mask: Tensor) -> Tensor:
    return image * (1 - mask) + RED * mask


def blur(image: Tensor) -> Tensor:
    """Looks two pixels around each pixel."""
    return avg_pool2d(pad(image, (2, 2, 2, 2), mode="replicate"), 5, stride=1)


@pytest.mark.parametrize("size", SIZES)
def test_inpainting_replaces_the_damage_and_nothing_else(size: tuple[int, int]) -> None:
    pixels = noise(*size, 3)
    mask = np.zeros(size, dtype=np.uint8)
    mask[: size[0] // 2 + 1, size[1] // 2 :] = 255
    networks = networks_with({"inpainting": paint_red})
    # The weights change nothing here, so that what the model filled is what comes out.
    final = run(pixels, networks, replace(OPTIONS, scratches="mask"), mask).final
    assert (final[mask > 0] == (255, 0, 0)).all()
    np.testing.assert_array_equal(final[mask == 0], pixels[mask == 0])


@pytest.mark.parametrize("value", [3, 60, 127])
def test_what_is_hardly_selected_beside_damage_is_not_invented(value: int) -> None:
    pixels = noise(40, 50, 3)
    mask = np.full((40, 50), value, dtype=np.uint8)
    mask[20:24, 20:24] = 255
    networks = networks_with({"inpainting": paint_red})
    final = run(pixels, networks, replace(OPTIONS, scratches="mask"), mask).final
    assert (final[20:24, 20:24] == (255, 0, 0)).all()
    np.testing.assert_array_equal(final[:18], pixels[:18])


def test_half_the_strength_of_a_denoising_model_leaves_the_repair_whole() -> None:
    pixels, drawn = scratched(noise(60, 70, 3))
    soft = np.asarray(cv2.GaussianBlur(drawn, (0, 0), 3), np.uint8)
    networks = networks_with({"inpainting": paint_red, "denoising": lambda x: x})
    options = replace(OPTIONS, scratches="mask")
    whole = run(pixels, networks, options, soft).final
    half = run(pixels, networks, replace(options, strength=0.5), soft).final
    np.testing.assert_array_equal(half, whole)


def test_the_weights_restore_what_was_filled_like_the_rest() -> None:
    """They get no mask: their own repair would replace what the model put there."""
    pixels, drawn = scratched(noise(60, 70, 3))
    networks = networks_with({"inpainting": paint_red}, strength=0.1)
    plain = random_networks(strength=0.1)
    whole = run(pixels, networks, replace(OPTIONS, scratches="mask"), drawn).final
    filled = pixels.copy()
    filled[drawn > 0] = (255, 0, 0)
    np.testing.assert_array_equal(
        whole, run(filled, plain, replace(OPTIONS, scratches="none")).final
    )


@pytest.mark.parametrize("like", ["bundled", "official"])
def test_only_the_repair_of_filled_scratches_touches_nothing_else(like: str) -> None:
    pixels, drawn = scratched(noise(60, 70, 3))
    networks = networks_with({"inpainting": paint_red}, like=like, strength=0.1)
    result = run(pixels, networks, ONLY_MASK, drawn)
    np.testing.assert_array_equal(result.final[drawn == 0], pixels[drawn == 0])
    assert [layer.kind for layer in result.layers] == ["mask", "repair"]
    assert (result.final[drawn > 0] != pixels[drawn > 0]).any()


def test_without_damage_the_inpainting_model_is_not_even_loaded() -> None:
    networks = networks_with({"inpainting": paint_red})
    run(noise(40, 50, 3), networks, OPTIONS)
    assert seen_by(networks, "inpainting") == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("depth", [8, 16])
def test_denoising_takes_the_place_of_the_weights(size: tuple[int, int], depth: int) -> None:
    pixels = noise(*size, 3, depth)
    networks = networks_with({"denoising": lambda x: 1 - x}, strength=0.3)
    result = run(pixels, networks, replace(OPTIONS, scratches="none"))
    np.testing.assert_allclose(result.final, np.iinfo(pixels.dtype).max - pixels, atol=1)
    assert networks._loaded == {}
    assert result.model == "random, my-denoising"


def test_tiles_leave_no_seam() -> None:
    pixels = noise(1100, 700, 3, 16)
    networks = networks_with({"denoising": blur})
    final = run(pixels, networks, replace(OPTIONS, scratches="none")).final
    assert len(seen_by(networks, "denoising")) > 4
    whole = blur(torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None])
    expected = whole[0].permute(1, 2, 0).numpy()
    # At the picture's edge the tiles are continued, there the expectation is not.
    inside = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(final[inside], expected[inside], atol=1)


def test_scratches_are_repaired_before_the_denoising() -> None:
    pixels, drawn = scratched(np.full((60, 70, 3), 90, dtype=np.uint8))
    networks = networks_with({"denoising": lambda x: x})
    result = run(pixels, networks, replace(OPTIONS, scratches="mask"), drawn)
    (seen,) = seen_by(networks, "denoising")
    assert float(seen.max()) < 0.5  # the scratches are white
    assert np.abs(result.final.astype(int) - 90).max() <= 2
    assert [layer.kind for layer in result.layers] == ["mask", "repair", "restored"]


def test_filled_scratches_need_no_weights_when_a_model_denoises() -> None:
    pixels, drawn = scratched(noise(60, 70, 3))
    networks = networks_with({"inpainting": paint_red, "denoising": lambda x: x})
    final = run(pixels, networks, replace(OPTIONS, scratches="mask"), drawn).final
    assert (final[drawn > 0] == (255, 0, 0)).all()
    assert networks._loaded == {}


def test_a_gray_photo_stays_gray() -> None:
    networks = networks_with({"denoising": lambda x: x * RED})
    final = run(noise(40, 50, 1), networks, replace(OPTIONS, scratches="none")).final
    assert final.shape == (40, 50, 1)


def test_faces_are_enhanced_in_ffhq_aligned_crops() -> None:
    networks = networks_with({"faces": lambda x: x.flip(3)})
    pixels = portrait()
    options = Options(scratches="none", whole_picture=False)
    result = run(pixels, networks, options)
    (crop,) = seen_by(networks, "faces")
    assert crop.shape == (1, 3, 512, 512)
    assert float(crop.min()) < -0.5  # its range is [-1, 1]
    (layer,) = result.layers
    outside = np.ones(pixels.shape[:2], dtype=bool)
    outside[layer.box.slices] = False
    assert layer.kind == "face"
    np.testing.assert_array_equal(result.final[outside], pixels[outside])
    assert (result.final[layer.box.slices] != pixels[layer.box.slices]).any()


def test_a_face_model_that_changes_nothing_leaves_the_photo_as_it_is() -> None:
    networks = networks_with({"faces": lambda x: x})
    final = run(portrait(), networks, Options(scratches="none", whole_picture=False)).final
    assert np.abs(final.astype(int) - portrait()).max() <= 1


def test_the_alignment_is_that_of_the_ffhq_photos() -> None:
    """The crop that the makers of FFHQ cut by their own rule is the one that we cut.

    Source: T. Karras et al., "A Style-Based Generator Architecture for Generative Adversarial
    Networks", CVPR 2019, appendix C: from eyes and mouth to an oriented square.
    """
    (face,) = find_faces(portrait(), FaceFinder(), monitor())
    points = five_points(face.landmarks)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across, down = points[1] - points[0], mouth - eyes
    right = across + np.array([down[1], -down[0]])
    right *= max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down)) / np.hypot(*right)
    below = np.array([-right[1], right[0]])
    middle = eyes + 0.1 * down
    square = np.array([middle - right - below, middle + right + below])
    corners = transform(align(face, 512, FFHQ_TEMPLATE * 512), square)
    np.testing.assert_allclose(corners, [[0, 0], [512, 512]], atol=0.04 * 512)


def larger(scale: int) -> object:
    return lambda x: interpolate(x, scale_factor=scale, mode="nearest")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("size", "depth"), [((1, 1), 8), ((37, 53), 16), ((500, 30), 8)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlargement_keeps_depth_and_channels(
    channels: int, size: tuple[int, int], depth: int, scale: int
) -> None:
    pixels = noise(*size, channels, depth)
    networks = networks_with({"enlargement": larger(scale)}, scale=scale)  # type: ignore[dict-item]
    picture = enlarge(Picture(pixels, Metadata(dpi=(300, 200))), networks, monitor())
    assert picture.pixels.dtype == pixels.dtype
    expected = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    colors = channels - 1 if channels in (2, 4) else channels
    assert picture.pixels.shape == expected.shape
    shown = expected[..., colors:].all(axis=2)
    np.testing.assert_allclose(picture.color[shown], expected[..., :colors][shown], atol=1)
    assert picture.metadata.dpi == (300 * scale, 200 * scale)


def test_the_edge_of_a_cut_out_is_enlarged_without_a_fringe_of_hidden_colour() -> None:
    pixels = np.full((24, 24, 4), (200, 200, 200, 255), dtype=np.uint8)
    pixels[:, :12] = 0
    networks = networks_with(
        {"enlargement": lambda x: interpolate(x, scale_factor=2, mode="bicubic")}, scale=2
    )
    picture = enlarge(Picture(pixels), networks, monitor())
    alpha = picture.alpha
    assert alpha is not None
    assert (picture.color[alpha > 0] == 200).all()


def test_nothing_says_the_size_before_the_enlargement() -> None:
    exif = Image.Exif()
    exif[270], exif[282], exif[283], exif[296] = "Grandmother", 300.0, 300.0, 2
    exif[0x8769] = {36867: "1920:06:01 12:00:00", 0xA002: 10, 0xA003: 12}
    networks = networks_with({"enlargement": larger(2)}, scale=2)  # type: ignore[dict-item]
    given = Picture(noise(12, 10, 3), Metadata(exif=exif.tobytes(), dpi=(300, 300)))
    metadata = enlarge(given, networks, monitor()).metadata
    assert metadata.dpi == (600, 600)
    said = parse_exif(metadata.exif)
    assert dict(said).keys() == {270, 0x8769}
    assert dict(said.get_ifd(0x8769)) == {36867: "1920:06:01 12:00:00"}


def test_the_command_line_enlarges_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = networks_with({"enlargement": larger(2)}, scale=2)  # type: ignore[dict-item]
    monkeypatch.setattr(Networks, "for_options", lambda _: networks)
    save_picture(Picture(noise(40, 50, 3)), tmp_path / "a.png")
    arguments = ["--no-faces", "--enlarge", "my-enlargement", "--stages", str(tmp_path / "s")]
    assert main(["restore", str(tmp_path / "a.png"), *arguments]) == 0
    assert load_picture(tmp_path / "a-restored.png").pixels.shape == (80, 100, 3)
    # The stages keep the photo's size.
    assert load_picture(tmp_path / "s" / "final.png").pixels.shape == (40, 50, 3)
    assert "a.png: enlarging" in capsys.readouterr().err


def test_a_result_too_large_for_its_format_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    networks = networks_with({"enlargement": larger(4)}, scale=4)  # type: ignore[dict-item]
    monkeypatch.setattr(Networks, "for_options", lambda _: networks)
    save_picture(Picture(noise(2, 5000, 3)), tmp_path / "a.webp")
    assert main(["restore", str(tmp_path / "a.webp"), "--enlarge", "my-enlargement"]) == 1
    assert "wider or higher" in capsys.readouterr().err
    assert seen_by(networks, "enlargement") == []


@pytest.mark.parametrize("stage", ["inpainting", "denoising", "faces"])
def test_values_that_are_no_numbers_are_told(stage: str) -> None:
    networks = networks_with({stage: lambda x, *_: x / 0 * 0})  # type: ignore[dict-item]
    mask = np.zeros((240, 240), dtype=np.uint8)
    mask[200:] = 255
    with pytest.raises(WeightsError, match="no numbers"):
        run(portrait(), networks, Options(scratches="mask"), mask)


def test_a_model_can_be_cancelled_between_its_tiles() -> None:
    networks = networks_with({"denoising": lambda x: x})
    photo, options = Picture(noise(900, 900, 3)), replace(OPTIONS, scratches="none")
    with pytest.raises(Cancelled):
        restore(
            photo,
            None,
            options,
            networks,
            lambda _: None,
            lambda: len(seen_by(networks, "denoising")) == 1,
        )
    assert len(seen_by(networks, "denoising")) == 1


@pytest.mark.parametrize(
    "choices",
    [
        {"inpainting": "x", "scratches": "none"},
        {"inpainting": "x", "repair_scratches": False},
        {"denoising": "x", "whole_picture": False},
        {"faces": "x", "enhance_faces": False},
    ],
)
def test_a_model_without_work_is_refused(choices: dict[str, object]) -> None:
    with pytest.raises(OptionsError, match="has nothing to do"):
        Options(**choices)  # type: ignore[arg-type]


def test_a_network_for_gray_runs_on_each_channel() -> None:
    networks = networks_with({"denoising": lambda x: 1 - x}, channels=1)
    pixels = noise(40, 50, 3)
    final = run(pixels, networks, replace(OPTIONS, scratches="none")).final
    assert all(x.shape[1] == 1 for x in seen_by(networks, "denoising"))
    np.testing.assert_allclose(final, 255 - pixels, atol=1)
