"""Files as other programs leave them in archives."""

from __future__ import annotations

import os
import signal
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from backend import command_restore
from backend.cli import main
from backend.command_files import Output, output_path
from backend.command_restore import stage_folders
from backend.errors import InputError
from backend.files import load_picture, save_picture
from backend.files_metadata import parse_exif, upright_xmp
from backend.files_pixels import oriented
from backend.images import Metadata, Picture
from tests.backend.photos import noise

IDLE = ["--scratches", "none", "--strength", "0", "--no-faces"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_a_turned_tiff_is_turned_once(tmp_path: Path, orientation: int, compression: str) -> None:
    pixels = noise(8, 5, 3)
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "scan.tif"
    Image.fromarray(pixels).save(path, exif=exif, compression=compression)
    np.testing.assert_array_equal(load_picture(path).pixels, oriented(pixels, orientation))
    np.testing.assert_array_equal(load_picture(path, upright=False).pixels, pixels)


def test_sixteen_bit_gray_with_alpha_is_turned_and_keeps_its_xmp(tmp_path: Path) -> None:
    pixels = noise(8, 5, 2, 16)
    tags = [(274, "H", 1, 6, True), (700, "B", 3, b"<x>", True)]
    path = tmp_path / "scan.tif"
    tifffile.imwrite(
        path, pixels, photometric="minisblack", extrasamples=["unassalpha"], extratags=tags
    )
    picture = load_picture(path)
    np.testing.assert_array_equal(picture.pixels, oriented(pixels, 6))
    assert picture.metadata.xmp == b"<x>"


@pytest.mark.parametrize(
    "said",
    [
        b'<rdf:Description tiff:Orientation="6" xmp:Rating="5"/>',
        b"<rdf:Description><tiff:Orientation>6</tiff:Orientation><xmp:Rating>5</xmp:Rating>",
    ],
)
def test_xmp_does_not_turn_the_result_again(tmp_path: Path, said: bytes) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(noise(8, 5, 3)).save(tmp_path / "a.jpg", exif=exif, xmp=said)
    picture = load_picture(tmp_path / "a.jpg")
    assert picture.pixels.shape == (5, 8, 3)
    assert b"Rating" in (picture.metadata.xmp or b"")
    for name in ("b.jpg", "b.png", "b.tif", "b.webp"):
        save_picture(picture, tmp_path / name)
        assert load_picture(tmp_path / name).pixels.shape == (5, 8, 3)
    assert upright_xmp(None) is None


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_text_keeps_its_bytes(tmp_path: Path, encoding: str, suffix: str) -> None:
    caption, lens = "Großmutter in Zürich".encode(encoding), "Objektiv für Köln".encode(encoding)
    picture = Picture(noise(8, 5, 3), Metadata(exif=_exif_with(caption, lens), dpi=(300, 300)))
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save_picture(picture, first)
    save_picture(load_picture(first), second)
    exif = parse_exif(load_picture(second).metadata.exif)
    assert exif[270].encode("latin-1") == caption
    written = exif.get_ifd(0x8769)[0xA434]
    assert (written if isinstance(written, bytes) else written.encode("latin-1")) == lens


def _exif_with(caption: bytes, lens: bytes) -> bytes:
    """A block with description and lens as ASCII tags, which may hold any bytes."""
    caption, lens = caption + b"\0", lens + b"\0"
    caption_at, nested_at = 8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + len(caption)
    lens_at = nested_at + 2 + 12 + 4
    return b"".join(
        [
            b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2),
            struct.pack("<HHII", 270, 2, len(caption), caption_at),
            struct.pack("<HHIII", 0x8769, 4, 1, nested_at, 0),
            caption,
            struct.pack("<HHHIII", 1, 0xA434, 2, len(lens), lens_at, 0),
            lens,
        ]
    )


@pytest.mark.parametrize("bits", [8, 16])
def test_a_thumbnail_before_the_photo_is_passed_over(tmp_path: Path, bits: int) -> None:
    pixels = noise(20, 30, 3, bits)
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(pixels[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(pixels, photometric="rgb")
    np.testing.assert_array_equal(load_picture(path).pixels, pixels)


def test_lossless_webp_with_a_profile_stays_lossless(tmp_path: Path) -> None:
    image = Image.fromarray(noise(8, 5, 3))
    for lossless in (True, False):
        image.save(tmp_path / "a.webp", lossless=lossless, icc_profile=bytes(701))
        assert load_picture(tmp_path / "a.webp").metadata.lossless == lossless


def test_the_result_of_a_misnamed_photo_has_the_ending_of_its_format(tmp_path: Path) -> None:
    assert output_path(tmp_path / "a.jpg", ".png", Output(), "-restored").name == "a-restored.png"


def test_what_follows_the_last_dot_of_a_name_is_kept_unless_it_is_a_format(tmp_path: Path) -> None:
    photo = tmp_path / "Oma 12.05.1943"
    assert output_path(photo, ".png", Output(), "-restored").name == "Oma 12.05.1943-restored.png"


def test_a_link_to_nothing_keeps_its_name_and_delays_nobody(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    save_picture(Picture(noise(20, 30, 3)), photo)
    for ending in ("restored", "scratches"):
        (tmp_path / f"a-{ending}.png").symlink_to(tmp_path / "unmounted" / "a.png")
    assert main(["restore", str(photo), *IDLE]) == 0
    assert main(["detect", str(photo)]) == 0
    assert (tmp_path / "a-restored-2.png").is_file()
    assert (tmp_path / "a-scratches-2.png").is_file()
    assert (tmp_path / "a-restored.png").is_symlink()
    with pytest.raises(InputError, match="exists already"):
        save_picture(Picture(noise(20, 30, 3)), tmp_path / "a-restored.png")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["I", "B"])
@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_a_caption_is_kept_whatever_its_bytes_are_called(
    tmp_path: Path, bits: int, kind: str, suffix: str
) -> None:
    caption = b"\x1c\x02\x78\x00\x09Anna 1921" + bytes(2)
    value = struct.unpack(f"<{len(caption) // 4}I", caption) if kind == "I" else caption
    tags = [(33723, kind, len(value), value, True)]
    options = {"photometric": "rgb", "metadata": None, "byteorder": "<", "extratags": tags}
    tifffile.imwrite(tmp_path / "a.tif", noise(20, 30, 3, bits), **options)
    save_picture(load_picture(tmp_path / "a.tif"), tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as image:
        if suffix == ".tif":
            assert image.getexif()[33723] == caption
        else:
            assert image.info["photoshop"][0x0404] == caption
            assert 33723 not in image.getexif()
    # And back.
    save_picture(load_picture(tmp_path / f"b{suffix}"), tmp_path / "c.tif")
    with Image.open(tmp_path / "c.tif") as image:
        assert image.getexif()[33723] == caption


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_the_directory_within_the_camera_s_is_kept(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x8769] = {0x9003: "1999:05:12 10:00:00", 0xA005: {1: "R03", 2: b"0100"}}
    with Image.new("RGB", (30, 20), "gray") as image:
        image.save(tmp_path / "a.jpg", exif=exif)
    picture = load_picture(tmp_path / "a.jpg")
    assert picture.metadata.dpi is None
    save_picture(picture, tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as image:
        written = image.getexif()
        assert written.get_ifd(0x8769)[0x9003] == "1999:05:12 10:00:00"
        assert written.get_ifd(0xA005)[1].rstrip("\0") == "R03"


@pytest.mark.parametrize("bits", [8, 16])
def test_a_fourth_channel_of_which_nobody_says_what_it_is_is_left_out(
    tmp_path: Path, bits: int
) -> None:
    pixels = noise(20, 30, 4, bits)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[0])
    np.testing.assert_array_equal(load_picture(tmp_path / "a.tif").pixels, pixels[..., :3])


def test_metadata_that_a_format_cannot_hold_is_left_out(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270] = "x" * 70_000
    metadata = Metadata(xmp=b"x" * 70_000, exif=exif.tobytes())
    for name in ("a.jpg", "a.tif", "a.png"):
        save_picture(Picture(noise(8, 5, 3), metadata), tmp_path / name)
    assert load_picture(tmp_path / "a.jpg").metadata.xmp is None
    Image.fromarray(noise(8, 5, 3)).save(tmp_path / "b.png", dpi=(1e6, 1e6))
    assert load_picture(tmp_path / "b.png").metadata.dpi is None
    assert load_picture(tmp_path / "a.png").metadata.xmp == metadata.xmp


def test_a_large_profile_in_png_is_read_back(tmp_path: Path) -> None:
    profile = np.random.default_rng(0).bytes(1_600_000)
    save_picture(Picture(noise(8, 5, 3), Metadata(icc=b"\0" * 20 + profile)), tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png").metadata.icc == b"\0" * 20 + profile


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate", "tiff_lzw", "lzma", "zstd"])
@pytest.mark.parametrize("mode", ["I;16", "RGB"])
def test_whatever_is_wrong_in_a_tiff_is_one_sentence(
    tmp_path: Path, mode: str, compression: str
) -> None:
    pixels = noise(24, 20, 1, 16)[..., 0] if mode == "I;16" else noise(24, 20, 3)
    path = tmp_path / "a.tif"
    Image.fromarray(pixels).save(path, compression=compression, dpi=(300, 300))
    whole, dice = path.read_bytes(), np.random.default_rng(1)
    said: list[str] = []
    for _ in range(150):
        data = bytearray(whole)
        # Three bytes anywhere, and one near the ends, where the tags are.
        places = [*dice.integers(8, len(data), 3), dice.integers(8, 60), -dice.integers(1, 200)]
        for place in places:
            data[int(place)] = int(dice.integers(256))
        path.write_bytes(data)
        try:
            load_picture(path)
        except InputError as error:
            said.append(str(error))
    assert said
    assert all(sentence.endswith(".") for sentence in said)


def test_a_name_as_long_as_the_disk_allows_is_kept(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".png")
    picture = Picture(noise(4, 5, 3))
    save_picture(picture, path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert np.array_equal(load_picture(path).pixels, picture.pixels)


LONG_NAMES = {
    "just fitting": b"n" * 240,
    "too long by one": b"n" * 241,
    "as long as can be": b"n" * 251,
    "two bytes a letter": "ü".encode() * 125,
    "four bytes a letter": b"nn" + "\U0001d51e".encode() * 62,
    "no UTF-8": b"\xfc" * 251,
}


@pytest.mark.parametrize("stem", LONG_NAMES.values(), ids=LONG_NAMES)
def test_a_name_is_cut_where_the_result_would_have_a_longer_one(
    tmp_path: Path, stem: bytes
) -> None:
    photo = tmp_path / os.fsdecode(stem + b".png")
    photo.touch()
    for ending in ("-restored.png", "-restored-2.png", "-restored-3.png"):
        result = output_path(photo, ".png", Output(), "-restored")
        result.touch(exist_ok=False)
        assert result.name.endswith(ending)
        begun = result.name.removesuffix(ending)
        assert photo.stem.startswith(begun)
        # Not one letter more than needed.
        more = photo.stem[len(begun) :][:1]
        assert not more or len(os.fsencode(f"{begun}{more}{ending}")) > 255


def test_photos_with_the_longest_names_are_restored(tmp_path: Path) -> None:
    photos = [tmp_path / ("n" * 250 + f"{number}.png") for number in (1, 2)]
    for photo in photos:
        save_picture(Picture(noise(20, 30, 3)), photo)
    assert main(["restore", *map(str, photos), *IDLE]) == 0
    assert main(["detect", str(photos[0])]) == 0
    made = {path.name.strip("n") for path in tmp_path.iterdir() if path not in photos}
    assert made == {"-restored.png", "-restored-2.png", "-scratches.png"}


def test_a_damaged_deflate_tiff_is_told(tmp_path: Path) -> None:
    pixels = noise(40, 30, 3, 16)
    path = tmp_path / "a.tif"
    save_picture(Picture(pixels), path)
    data = bytearray(path.read_bytes())
    data[8:40] = bytes(32)  # where the strips begin
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        load_picture(path)
    with pytest.raises(zlib.error):
        zlib.decompress(bytes(data[8:]))


def test_the_stages_never_replace_the_photo_or_the_mask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture(Picture(noise(8, 5, 3)), tmp_path / "final.png")
    save_picture(Picture(noise(8, 5, 1)), tmp_path / "mask.png")
    save_picture(Picture(noise(8, 5, 3)), tmp_path / "photo.png")
    for arguments in (["final.png"], ["photo.png", "--mask", "mask.png"]):
        paths = [word if word.startswith("-") else str(tmp_path / word) for word in arguments]
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert main(["restore", *paths, "--stages", str(tmp_path)]) == 1
        assert "would be replaced" in capsys.readouterr().err
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_photos_of_one_name_have_stages_of_their_own(tmp_path: Path) -> None:
    folders = stage_folders(tmp_path, [Path("a/x.png"), Path("b/x.png"), Path("b/y.png")])
    assert folders == [tmp_path / "x.png", tmp_path / "x.png-2", tmp_path / "y.png"]


def test_nothing_to_do_leaves_every_pixel_of_a_nearly_gray_photo(tmp_path: Path) -> None:
    pixels = np.repeat(noise(40, 30, 1, 16), 3, axis=2)
    pixels[..., 1] ^= 1
    save_picture(Picture(pixels), tmp_path / "a.png")
    assert main(["restore", str(tmp_path / "a.png"), *IDLE]) == 0
    np.testing.assert_array_equal(load_picture(tmp_path / "a-restored.png").pixels, pixels)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_shutdown_ends_as_ctrl_c_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), getattr(signal, name))

    monkeypatch.setattr(command_restore, "restore_photo", interrupted)
    save_picture(Picture(noise(8, 5, 3)), tmp_path / "a.png")
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        assert main(["restore", str(tmp_path / "a.png")]) == 130
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
