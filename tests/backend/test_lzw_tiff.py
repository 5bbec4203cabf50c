"""TIFF with 16 bit and LZW, which goes another way than all other compressions."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from backend import files_tiff
from backend.errors import InputError
from backend.files import load_picture, save_picture
from backend.files_metadata import parse_exif
from backend.files_pixels import oriented
from backend.images import Metadata, Picture, Pixels
from tests.backend.photos import noise


def write_lzw(path: Path, gray: Pixels, **settings: object) -> None:
    Image.fromarray(gray).save(path, "TIFF", compression="tiff_lzw", **settings)


def write_planes(path: Path, planes: list[Pixels]) -> None:
    """An RGB picture whose channels are stored one after the other."""
    strips = []
    for number, plane in enumerate(planes):
        part = path.with_name(f"plane-{number}.tif")
        write_lzw(part, plane, tiffinfo={278: plane.shape[0], 317: 1})
        with tifffile.TiffFile(part) as file:
            page = file.pages.first
            assert len(page.dataoffsets) == 1
            start, count = page.dataoffsets[0], page.databytecounts[0]
        strips.append(part.read_bytes()[start : start + count])
    height, width = planes[0].shape
    numbers = 8 + 2 + 11 * 12 + 4
    begin = [numbers + 30 + sum(len(s) for s in strips[:i]) for i in range(3)]
    entries = [
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, numbers), (259, 3, 1, 5)),
        *((262, 3, 1, 2), (273, 4, 3, numbers + 6), (277, 3, 1, 3), (278, 4, 1, height)),
        *((279, 4, 3, numbers + 18), (284, 3, 1, 2), (339, 3, 1, 1)),
    ]
    content = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    content += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    content += struct.pack("<3H3I3I", 16, 16, 16, *begin, *map(len, strips))
    path.write_bytes(content + b"".join(strips))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_one_is_turned_once(tmp_path: Path, orientation: int) -> None:
    pixels = noise(31, 17, 1, np.uint16)
    write_lzw(tmp_path / "a.tif", pixels[..., 0], tiffinfo={274: orientation})
    loaded = load_picture(tmp_path / "a.tif")
    np.testing.assert_array_equal(loaded.pixels, oriented(pixels, orientation))


def test_channels_one_after_the_other_are_refused_and_not_mixed(tmp_path: Path) -> None:
    planes = [noise(20, 30, 1, np.uint16)[..., 0] for _ in range(3)]
    write_planes(tmp_path / "planes.tif", planes)
    with Image.open(tmp_path / "plane-0.tif") as plane:
        np.testing.assert_array_equal(np.asarray(plane), planes[0])
    with pytest.raises(InputError, match="compressed in a way that cannot be read"):
        load_picture(tmp_path / "planes.tif")


def test_a_single_channel_is_read_however_it_is_called(tmp_path: Path) -> None:
    pixels = noise(9, 11, 1, np.uint16)
    write_lzw(tmp_path / "a.tif", pixels[..., 0], tiffinfo={284: 2})
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert int(file.pages.first.planarconfig) == 2
    np.testing.assert_array_equal(load_picture(tmp_path / "a.tif").pixels, pixels)


def test_a_name_that_is_no_utf8_is_no_obstacle(tmp_path: Path) -> None:
    pixels = noise(9, 11, 1, np.uint16)
    write_lzw(tmp_path / "a.tif", pixels[..., 0])
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller.tif"))
    try:
        (tmp_path / "a.tif").rename(path)
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    np.testing.assert_array_equal(load_picture(path).pixels, pixels)


def test_gray_with_alpha_keeps_its_exif_and_every_kind_of_resolution(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[36867] = "1911:04:16 12:00:00"
    block = exif.tobytes()
    pixels = noise(8, 12, 2, np.uint16)
    save_picture(Picture(pixels, Metadata(exif=block, dpi=(300, 300))), tmp_path / "a.tif")
    read = load_picture(tmp_path / "a.tif")
    assert read.metadata.dpi == (300, 300)
    assert parse_exif(read.metadata.exif).get_ifd(0x8769)[36867] == "1911:04:16 12:00:00"


def test_xmp_that_is_called_text_is_read(tmp_path: Path) -> None:
    pixels = noise(8, 12, 2, np.uint16)
    tifffile.imwrite(
        *(tmp_path / "a.tif", pixels),
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["unassalpha"],
        extratags=[(700, 2, 9, "<x:xmp/>", True)],
        metadata=None,
    )
    assert load_picture(tmp_path / "a.tif").metadata.xmp == b"<x:xmp/>"


@pytest.mark.parametrize(
    ("value", "unit", "wanted"),
    [
        ((600, 2), 2, 300.0),
        (400, 2, 400.0),
        ((100, 1), 3, 254.0),
        ((4294967295, 1), 2, None),
        ((1, 0), 2, None),
        (None, 2, None),
        ("300", 2, None),
        ((300, 1), 1, None),
    ],
)
def test_a_resolution_is_read_however_it_was_written(
    value: object, unit: int, wanted: float | None
) -> None:
    class Tags:
        def valueof(self, tag: int, default: object = None) -> object:
            return {282: value, 283: value, 296: unit}.get(tag, default)

    assert files_tiff.read_resolution(Tags()) == (None if wanted is None else (wanted, wanted))


def test_a_rating_below_zero_does_not_lose_the_result(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[18246], exif[271] = -1, "maker"
    picture = Picture(noise(8, 8, 3), Metadata(exif=exif.tobytes()))
    save_picture(picture, tmp_path / "a.tif")
    read = parse_exif(load_picture(tmp_path / "a.tif").metadata.exif)
    assert read[271] == "maker"
    assert 18246 not in read


def test_twelve_bits_are_told(tmp_path: Path) -> None:
    pixels = noise(8, 8, 3, np.uint16) >> 4
    write_lzw(tmp_path / "a.tif", pixels[..., 0])
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        at = file.pages.first.tags[258].valueoffset
    content[at : at + 2] = struct.pack("<H", 12)
    (tmp_path / "b.tif").write_bytes(content)
    with pytest.raises(InputError, match="12-bit channels"):
        load_picture(tmp_path / "b.tif")
