"""Files that other programs wrote oddly, or disks spoiled: read right, or refused."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from backend.errors import InputError
from backend.files import load_picture, save_picture
from backend.images import Picture
from tests.backend.photos import noise


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGB", "RGBA"])
def test_uncompressed_tiff_is_turned_as_it_says(
    tmp_path: Path, mode: str, orientation: int
) -> None:
    upright = Image.fromarray(noise(37, 53, 3)).convert(mode)
    exif = Image.Exif()
    exif[274] = orientation
    upright.save(tmp_path / "a.tif", exif=exif, compression=None)
    with Image.open(tmp_path / "a.tif") as image:
        assert image.info["compression"] == "raw"
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    expected = upright.convert("RGB" if mode == "P" else mode)
    if orientation > 1:
        expected = expected.transpose(turns[orientation])
    pixels = load_picture(tmp_path / "a.tif").pixels
    wanted = np.asarray(expected)
    np.testing.assert_array_equal(pixels.reshape(wanted.shape), wanted)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_png_with_a_changed_byte_is_damaged(tmp_path: Path, channels: int, depth: int) -> None:
    path = tmp_path / "a.png"
    save_picture(Picture(noise(60, 50, channels, depth)), path)
    load_picture(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png is damaged: copy or scan it again"):
        load_picture(path)


def png(rows: bytes, height: int = 4) -> bytes:
    """Gray, two pixels wide."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum_of_it = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + sum_of_it

    header = (2).to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_a_png_without_its_last_rows_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(bytes([0, 1, 2] * 4)))
    assert load_picture(path).pixels[..., 0].tolist() == [[1, 2]] * 4
    path.write_bytes(png(bytes([0, 1, 2] * 4))[:-12])  # without the mark of the end
    assert load_picture(path).pixels[..., 0].tolist() == [[1, 2]] * 4
    path.write_bytes(png(bytes([0, 1, 2] * 3)))
    with pytest.raises(InputError, match="is damaged"):
        load_picture(path)


def test_interlaced_png_is_read(tmp_path: Path) -> None:
    import cv2

    pixels = noise(37, 53, 3)
    # Pillow writes none; libpng does through no library here, so that a small one is made by hand.
    header = (1).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([8, 0, 0, 0, 1])
    content = png(bytes([0, 7]))
    place = content.index(b"IHDR") + 4
    data = bytearray(content)
    data[place : place + 13] = header
    data[place + 13 : place + 17] = zlib.crc32(b"IHDR" + header).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    assert load_picture(tmp_path / "a.png").pixels.tolist() == [[[7]]]
    cv2.imwrite(str(tmp_path / "b.png"), pixels)
    np.testing.assert_array_equal(load_picture(tmp_path / "b.png").pixels, pixels[..., ::-1])


def test_no_resolution_is_made_up(tmp_path: Path) -> None:
    Image.fromarray(noise(8, 9, 3)).save(tmp_path / "a.tif")
    assert load_picture(tmp_path / "a.tif").metadata.dpi is None
    Image.fromarray(noise(8, 9, 3)).save(tmp_path / "b.tif", dpi=(300, 600))
    assert load_picture(tmp_path / "b.tif").metadata.dpi == (300, 600)


def test_signed_channels_are_called_so(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.int16))
    with pytest.raises(InputError, match="signed channels"):
        load_picture(tmp_path / "a.tif")


def test_a_kind_of_channel_that_is_not_stated_is_taken_for_unsigned(tmp_path: Path) -> None:
    pixels = noise(8, 9, 1, 16)
    unstated = [(339, "H", 1, 4, True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels[..., 0], extratags=unstated)
    np.testing.assert_array_equal(load_picture(tmp_path / "a.tif").pixels, pixels)


def test_a_truncated_tiff_with_lzw_is_damaged(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "a.tif"
    cv2.imwrite(str(path), noise(60, 50, 3, 16), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    load_picture(path)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        offset, size = page.dataoffsets[0], page.databytecounts[0]  # type: ignore[union-attr]
    content = bytearray(path.read_bytes())
    content[offset : offset + size] = bytes(size)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        load_picture(path)


def test_a_photo_of_noise_alone_fits_into_a_jpeg(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.choice(np.array([0, 255], np.uint8), (900, 800, 3))
    save_picture(Picture(pixels), tmp_path / "a.jpg")
    assert load_picture(tmp_path / "a.jpg").size == Picture(pixels).size
