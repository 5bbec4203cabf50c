"""Comments, texts and plain statements on colour: what one format has and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from backend.files import load_picture, save_picture
from backend.files_jpeg import LONGEST_BLOCK
from backend.files_png import MOST_EXTRAS, read_extras
from backend.images import Metadata, Picture
from tests.backend.photos import noise

NOTE = "Großmutter, Köln 1931; 祖母"


def _png(path: Path, bits: int) -> Path:
    """A PNG file as a scan program writes it: gamma, primaries, words before and after the rows."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", (100_000).to_bytes(4, "big"))
    chunks.add_text("Title", NOTE)
    chunks.add_text("Description", "packed" * 20, zip=True)
    chunks.add_text("Thumb::URI", "file:///old.png")
    chunks.add_text("Raw profile type exif", "\nexif\n 1\n00")
    chunks.add_text("Longest", "x" * (MOST_EXTRAS + 1))
    chunks.add(b"tEXt", b"Author\0Anna", True)
    if bits == 8:
        Image.fromarray(noise(8, 5, 3)).save(path, pnginfo=chunks)
    else:
        Image.fromarray(noise(8, 5, 1, 16)[..., 0]).save(path, pnginfo=chunks)
    return path


@pytest.mark.parametrize("bits", [8, 16])
def test_words_and_gamma_of_png_are_kept(tmp_path: Path, bits: int) -> None:
    picture = load_picture(_png(tmp_path / "scan.png", bits))
    save_picture(picture, tmp_path / "result.png")
    with Image.open(tmp_path / "result.png") as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        image.load()
        assert image.info["gamma"] == 1.0
        kept = {"Title": NOTE, "Description": "packed" * 20, "Author": "Anna"}
        assert image.text == kept
    again = load_picture(tmp_path / "result.png")
    assert again.metadata.extras == picture.metadata.extras
    assert (again.pixels == picture.pixels).all()


def test_a_damaged_word_is_not_kept(tmp_path: Path) -> None:
    path = _png(tmp_path / "scan.png", 16)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Author\0Anna", b"Author\0Anno"))
    kinds = [data[:6] for _, data in read_extras(path)]
    assert b"Descri" in kinds
    assert b"Author" not in kinds


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_comments_of_jpeg_are_kept_beside_the_caption(tmp_path: Path) -> None:
    comments = [NOTE.encode(), "Köln".encode("latin-1")]
    segments = b"".join(b"\xff\xfe" + (len(c) + 2).to_bytes(2, "big") + c for c in comments)
    exif = Image.Exif()
    exif[270] = "Anna"
    path = tmp_path / "scan.jpg"
    Image.fromarray(noise(8, 5, 3)).save(path, extra=segments, exif=exif)
    picture = load_picture(path)
    save_picture(picture, tmp_path / "result.jpg")
    again = load_picture(tmp_path / "result.jpg").metadata
    assert [data for _, data in again.extras] == comments
    assert again.exif == picture.metadata.exif


def test_what_a_format_cannot_hold_is_left_out(tmp_path: Path) -> None:
    long = Metadata(extras=((b"COM", b"x" * (LONGEST_BLOCK + 1)), (b"gAMA", bytes(4))))
    for name in ("a.jpg", "a.tif", "a.webp"):
        save_picture(Picture(noise(8, 5, 3), long), tmp_path / name)
        assert load_picture(tmp_path / name).metadata.extras == ()
    words = Metadata(extras=((b"COM", b"Anna"),))
    save_picture(Picture(noise(8, 5, 3), words), tmp_path / "a.png")
    assert load_picture(tmp_path / "a.png").metadata.extras == ()
