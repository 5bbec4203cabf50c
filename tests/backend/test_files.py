"""Photos survive loading and saving: pixels, depth, alpha, profile, EXIF and resolution."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from backend import files
from backend.errors import InputError
from backend.files import load_picture, save_picture
from backend.files_metadata import parse_exif
from backend.files_pixels import oriented
from backend.images import Metadata, Picture, is_gray, to_eight_bit

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def random_pixels(
    height: int, width: int, channels: int, dtype: npt.DTypeLike = np.uint8, seed: int = 0
) -> npt.NDArray[np.uint8]:
    top = int(np.iinfo(np.dtype(dtype)).max)
    generator = np.random.default_rng(seed)
    return generator.integers(0, top, (height, width, channels), dtype=dtype, endpoint=True)


def exif_of_a_camera(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[271] = "Voigtländer"
    exif[270] = "Grandmother, about 1920"
    exif[274] = orientation
    exif[18246], exif[18249] = 4, 75  # the rating
    exif[0x8769] = {36867: "1920:06:01 12:00:00", 0xA002: 53, 0xA003: 37}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 14.0)}
    return exif


def full_metadata() -> Metadata:
    return Metadata(icc=SRGB, exif=exif_of_a_camera().tobytes(), xmp=XMP, dpi=(300.0, 600.0))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [(".png", np.uint8), (".png", np.uint16), (".tif", np.uint8), (".tif", np.uint16)],
)
@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_lossless_files_give_back_every_pixel(
    tmp_path_factory: pytest.TempPathFactory,
    channels: int,
    suffix: str,
    dtype: npt.DTypeLike,
    height: int,
    width: int,
    seed: int,
) -> None:
    pixels = random_pixels(height, width, channels, dtype, seed)
    path = tmp_path_factory.mktemp("files") / f"photo{suffix}"
    save_picture(Picture(pixels), path)
    loaded = load_picture(path).pixels
    assert loaded.dtype == dtype
    np.testing.assert_array_equal(loaded, pixels)


@pytest.mark.parametrize("name", ["8.png", "16.png", "8.tif", "16.tif", "8.jpg", "8.webp"])
def test_profile_exif_xmp_and_resolution_are_kept(tmp_path: Path, name: str) -> None:
    dtype = np.uint16 if name.startswith("16") else np.uint8
    first, second = tmp_path / f"first-{name}", tmp_path / f"second-{name}"
    save_picture(Picture(random_pixels(37, 53, 3, dtype), full_metadata()), first)
    # Twice, because reading what was written is what the command line does.
    save_picture(load_picture(first), second)
    metadata = load_picture(second).metadata
    exif = parse_exif(metadata.exif)
    assert metadata.icc == SRGB
    assert metadata.dpi == pytest.approx((300, 600), abs=0.02)
    assert exif[270] == "Grandmother, about 1920"
    assert (exif[18246], exif[18249]) == (4, 75)
    assert exif.get_ifd(0x8769)[36867] == "1920:06:01 12:00:00"
    assert exif.get_ifd(0x8825)[2] == (48.0, 8.0, 14.0)
    assert metadata.xmp == XMP


@pytest.mark.parametrize("name", ["16.png", "16.tif"])
def test_sixteen_bit_files_are_read_alike_by_opencv(tmp_path: Path, name: str) -> None:
    pixels = random_pixels(37, 53, 4, np.uint16)
    save_picture(Picture(pixels, full_metadata()), tmp_path / name)
    other = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)
    assert other is not None
    np.testing.assert_array_equal(other[..., [2, 1, 0, 3]], pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied_and_removed(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "turned.png"
    image = Image.fromarray(random_pixels(8, 5, 3))
    image.save(path, exif=exif_of_a_camera(orientation))
    expected = image.copy()
    expected.getexif()[274] = orientation
    turned = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}[orientation]
    if turned is not None:
        expected = image.transpose(Image.Transpose(turned))
    picture = load_picture(path)
    np.testing.assert_array_equal(picture.pixels, np.asarray(expected))
    assert 274 not in parse_exif(picture.metadata.exif)
    assert (0xA002 in parse_exif(picture.metadata.exif).get_ifd(0x8769)) == (orientation <= 4)


def test_turning_by_six_and_then_by_eight_is_no_turn() -> None:
    pixels = random_pixels(4, 7, 3)
    np.testing.assert_array_equal(oriented(oriented(pixels, 6), 8), pixels)


def test_jpeg_is_written_without_chroma_subsampling(tmp_path: Path) -> None:
    save_picture(Picture(random_pixels(32, 32, 3)), tmp_path / "p.jpg")
    with Image.open(tmp_path / "p.jpg") as image:
        assert image.layer[0][1:3] == image.layer[1][1:3]  # type: ignore[attr-defined]
        quantization = image.quantization  # type: ignore[attr-defined]
        assert max(quantization[0]) < 15


def test_webp_stays_lossless_or_lossy_as_it_was(tmp_path: Path) -> None:
    pixels = random_pixels(32, 48, 4)
    Image.fromarray(pixels).save(tmp_path / "a.webp", lossless=True, exact=True)
    save_picture(load_picture(tmp_path / "a.webp"), tmp_path / "b.webp")
    np.testing.assert_array_equal(load_picture(tmp_path / "b.webp").pixels, pixels)
    Image.fromarray(pixels).save(tmp_path / "c.webp", quality=80)
    save_picture(load_picture(tmp_path / "c.webp"), tmp_path / "d.webp")
    assert not load_picture(tmp_path / "d.webp").metadata.lossless
    np.testing.assert_array_equal(load_picture(tmp_path / "d.webp").alpha, pixels[..., 3])


def test_a_gray_photo_in_lossy_webp_is_still_gray(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 64, axis=1)
    save_picture(Picture(ramp, Metadata(lossless=False)), tmp_path / "gray.webp")
    assert is_gray(load_picture(tmp_path / "gray.webp").color)


def test_one_colourful_pixel_makes_a_picture_colourful() -> None:
    pixels = np.full((600, 4, 3), 100, dtype=np.uint8)
    assert is_gray(pixels)
    pixels[599, 3] = (100, 100, 109)
    assert not is_gray(pixels)


@pytest.mark.parametrize("unit", [1, 257])
def test_a_few_pixels_that_are_nearly_gray_make_no_colours(unit: int) -> None:
    """As scaling leaves them beside strong edges."""
    pixels = np.full((600, 4, 3), 100 * unit, np.uint8 if unit == 1 else np.uint16)
    pixels[300:302, 3] = np.array([100, 100, 108]) * unit
    assert is_gray(pixels)
    pixels[302, 3] = np.array([100, 100, 102]) * unit
    assert not is_gray(pixels)


def test_palettes_and_one_bit_become_plain_channels(tmp_path: Path) -> None:
    image = Image.fromarray(random_pixels(9, 9, 3)).quantize(16)
    image.save(tmp_path / "palette.png")
    image.save(tmp_path / "clear.png", transparency=3)
    Image.new("1", (9, 9), 1).save(tmp_path / "bits.png")
    assert load_picture(tmp_path / "palette.png").pixels.shape == (9, 9, 3)
    assert load_picture(tmp_path / "clear.png").pixels.shape == (9, 9, 4)
    assert load_picture(tmp_path / "bits.png").pixels.tolist() == [[[255]] * 9] * 9


def test_sixteen_bit_tiff_with_lzw_or_premultiplied_alpha_is_read(tmp_path: Path) -> None:
    pixels = random_pixels(20, 30, 3, np.uint16)
    cv2.imwrite(str(tmp_path / "lzw.tif"), pixels[..., ::-1])
    np.testing.assert_array_equal(load_picture(tmp_path / "lzw.tif").pixels, pixels)
    half = np.full((2, 2, 4), (10000, 5000, 0, 32768), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "pre.tif", half, photometric="rgb", extrasamples=["assocalpha"])
    assert load_picture(tmp_path / "pre.tif").pixels[0, 0].tolist() == [20000, 10000, 0, 32768]


def write_animated(path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def write_float_tiff(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((4, 4), dtype=np.float32))


def write_zstd_tiff(path: Path) -> None:
    Image.fromarray(random_pixels(8, 8, 1, np.uint16)[..., 0]).save(path, compression="zstd")


def write_truncated_jpeg(path: Path) -> None:
    Image.fromarray(random_pixels(64, 64, 3)).save(path)
    path.write_bytes(path.read_bytes()[:700])


@pytest.mark.parametrize(
    ("name", "write", "code"),
    [
        ("cmyk.jpg", lambda path: Image.new("CMYK", (4, 4)).save(path), "color-model"),
        ("float.tif", write_float_tiff, "floating-point"),
        ("zstd.tif", write_zstd_tiff, "compression"),
        ("animated.webp", write_animated, "animated"),
        ("pages.tif", write_animated, "several-pages"),
        ("picture.gif", lambda path: Image.new("L", (4, 4)).save(path), "file-format"),
        ("text.png", lambda path: path.write_text("no picture"), "file-format"),
        ("empty.png", lambda path: path.touch(), "file-empty"),
        ("broken.jpg", write_truncated_jpeg, "file-damaged"),
        ("missing.png", lambda _: None, "file-missing"),
        ("loop.png", lambda path: path.symlink_to(path.name), "file-not-read"),
        ("folder.png", lambda path: path.mkdir(), "file-is-folder"),
        ("pipe.png", os.mkfifo, "file-kind"),
    ],
)
def test_what_cannot_be_restored_is_refused_in_one_sentence(
    tmp_path: Path, name: str, write: object, code: str
) -> None:
    write(tmp_path / name)  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        load_picture(tmp_path / name)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_saving_never_leaves_half_a_file_nor_replaces_one_unasked(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    path.write_text("precious")
    picture = Picture(random_pixels(4, 4, 3))
    with pytest.raises(InputError, match="exists already"):
        save_picture(picture, path)
    with pytest.raises(InputError, match="cannot be transparent"):
        save_picture(Picture(random_pixels(4, 4, 4)), tmp_path / "p.jpg")
    with pytest.raises(InputError, match="names no known format"):
        save_picture(picture, tmp_path / "p.bmp")
    with pytest.raises(InputError, match="cannot be written"):
        save_picture(picture, tmp_path / "missing" / "p.png")
    assert path.read_text() == "precious"
    assert [file.name for file in tmp_path.iterdir()] == ["p.png"]
    save_picture(picture, path, overwrite=True)
    assert load_picture(path).size == picture.size


def test_of_two_who_save_at_once_one_gets_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.png"
    first, second = (Picture(random_pixels(4, 4, 3, seed=seed)) for seed in (1, 2))
    write = files.write_picture

    def write_slowly(picture: Picture, kind: str, stream: BinaryIO) -> None:
        write(picture, kind, stream)
        if picture is first:
            save_picture(second, path)

    monkeypatch.setattr(files, "write_picture", write_slowly)
    with pytest.raises(InputError, match="exists already"):
        save_picture(first, path)
    np.testing.assert_array_equal(load_picture(path).pixels, second.pixels)
    assert [file.name for file in tmp_path.iterdir()] == ["p.png"]


def test_a_name_that_cannot_be_given_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(InputError, match="cannot be written"):
        save_picture(Picture(random_pixels(4, 4, 3)), tmp_path / "p.png")
    assert not list(tmp_path.iterdir())


def test_what_sixteen_bit_gray_and_alpha_say_of_the_photo_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.tif"
    save_picture(Picture(random_pixels(6, 5, 2, np.uint16), full_metadata()), path)
    exif = parse_exif(load_picture(path).metadata.exif)
    assert exif[270] == "Grandmother, about 1920"
    assert exif[18246] == 4


def test_levels_are_rounded_to_the_nearest() -> None:
    levels = np.array([[[0], [127], [128], [129], [385], [386], [65407], [65535]]], np.uint16)
    assert to_eight_bit(levels).ravel().tolist() == [0, 0, 0, 1, 1, 2, 255, 255]


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses to remove files, too, even those that do not exist."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match=r"cannot be written \(Read-only"):
        save_picture(Picture(random_pixels(4, 4, 3)), tmp_path / "p.png")


def test_sixteen_bit_is_rounded_for_formats_with_eight(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 1), 128 * 257 + 100, dtype=np.uint16)
    save_picture(Picture(pixels), tmp_path / "p.jpg")
    assert load_picture(tmp_path / "p.jpg").pixels.max() == 128
