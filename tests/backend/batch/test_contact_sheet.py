"""The contact sheet shows every photo, and no name can break it."""

from __future__ import annotations

import base64
import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from PIL import Image

from backend.batch import contact_sheet
from backend.batch.archive import open_archive
from backend.batch.contact_sheet import check_place, write_contact_sheet
from backend.batch.inputs import find_inputs
from backend.batch.worker import THUMBNAIL_SIDE, thumbnail
from backend.errors import InputError
from backend.images import Picture
from tests.backend.batch.crews import RECIPE, run_here, write_photo
from tests.backend.photos import noise


class Page(HTMLParser):
    """Text, attributes and tags of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


def write_sheet(scans: Path, out: Path) -> Page:
    photos, _ = find_inputs(scans, out)
    with open_archive(out, scans, RECIPE) as archive:
        return Page(write_contact_sheet(archive, photos))


def test_it_shows_results_failures_and_what_is_left(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    for seed, name in enumerate(["a.png", "1920/b.png", "bad.png"]):
        write_photo(scans / name, seed=seed)
    run_here(scans, out)
    write_photo(scans / "new.png", seed=7)
    page = write_sheet(scans, out)
    assert "2 restored, 1 could not be restored, 1 not tried yet" in page.text
    assert page.text.index("bad.png is damaged.") < page.text.index("1920/b.png")
    assert page.values("a", "href") == ["./1920/b.png", "./a.png"]
    assert all((out / unquote_to_bytes(a).decode()).is_file() for a in page.values("a", "href"))
    data = [base64.b64encode(side).decode() for side in (b"before", b"after")] * 2
    assert page.values("img", "src") == [f"data:image/webp;base64,{each}" for each in data]
    assert page.values("img", "alt")[:2] == ["1920/b.png, before", "1920/b.png, after"]


def test_a_result_that_is_gone_is_not_shown(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    for seed, name in enumerate(["a.png", "b.png", "bad.png"]):
        write_photo(scans / name, seed=seed)
    run_here(scans, out)
    (out / "a.png").unlink()
    page = write_sheet(scans, out)
    assert "1 restored, 1 could not be restored, 1 to be made again. " in page.text
    assert page.values("a", "href") == ["./b.png"]


def test_names_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans <i>&", tmp_path / "out"
    names = [
        "<script>alert(1)<.png",
        '" onerror="alert(1).png',
        "'&amp;.png",
        "100%25#?.png",
        "javascript:x.png",
        "bad<td><script>.png",
        "祖母\n\x1b[31m.png",
    ]
    for seed, name in enumerate(names):
        write_photo(scans / name, seed=seed)
    raw = os.fsdecode(b"\xff.png")
    (scans / raw).write_bytes((scans / names[0]).read_bytes() + b"x")
    run_here(scans, out)
    page = write_sheet(scans, out)
    assert not {"script", "i"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "Restored photos of scans <i>&" in page.text
    for name in names[:-1]:
        assert name in page.text
    assert "祖母\ufffd\ufffd[31m.png" in page.text
    linked = {os.fsdecode(unquote_to_bytes(address)) for address in page.values("a", "href")}
    assert linked == {f"./{name}" for name in [*names, raw] if not name.startswith("bad")}


def test_it_needs_nothing_from_anywhere(tmp_path: Path) -> None:
    write_photo(tmp_path / "scans" / "a.png")
    run_here(tmp_path / "scans", tmp_path / "out")
    page = write_sheet(tmp_path / "scans", tmp_path / "out")
    assert not {"link", "script", "iframe", "object"} & set(page.tags)
    assert all(source.startswith("data:") for source in page.values("img", "src"))
    text = (tmp_path / "out" / "contact-sheet.html").read_text(encoding="utf-8")
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_many_photos_fill_several_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    for seed in range(5):
        write_photo(scans / f"{seed}.png", seed=seed)
    run_here(scans, out)
    monkeypatch.setattr(contact_sheet, "PER_PAGE", 2)
    assert write_sheet(scans, out).values("a", "href")[:2] == [
        "contact-sheet-2.html",
        "contact-sheet-3.html",
    ]
    last = Page(out / "contact-sheet-3.html")
    assert last.values("a", "href")[-1] == "./4.png"
    assert (out / last.values("a", "href")[0]) == out / "contact-sheet.html"
    monkeypatch.setattr(contact_sheet, "PER_PAGE", 100)
    write_sheet(scans, out)
    assert sorted(path.name for path in out.glob("*.html")) == ["contact-sheet.html"]


def test_a_page_of_the_users_is_neither_replaced_nor_deleted(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    write_photo(scans / "a.png", seed=1)
    run_here(scans, out)
    (out / "contact-sheet-2.html").write_text("mine")
    write_sheet(scans, out)
    assert (out / "contact-sheet-2.html").read_text() == "mine"
    (out / "contact-sheet.html").write_text("mine, too")
    with pytest.raises(InputError, match="no contact sheet of this program"):
        check_place(out)
    with pytest.raises(InputError, match="no contact sheet of this program"):
        write_sheet(scans, out)
    assert (out / "contact-sheet.html").read_text() == "mine, too"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_thumbnail_is_small_and_has_the_photos_shape(
    tmp_path: Path, channels: int, depth: int
) -> None:
    data = thumbnail(Picture(noise(300, 1200, channels, depth)))
    (tmp_path / "t.webp").write_bytes(data)
    with Image.open(tmp_path / "t.webp") as image:
        assert image.size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 4)
    with Image.open(tmp_path / "t.webp") as image:
        mean = sum(image.convert("L").tobytes()) / (image.width * image.height)
    assert 80 < mean < 215, "neither black nor white: the levels are the photo's"


def test_a_thumbnail_of_a_small_or_thin_photo_is_not_enlarged(tmp_path: Path) -> None:
    for shape, size in (((20, 30), (30, 20)), ((2000, 1), (1, THUMBNAIL_SIDE))):
        (tmp_path / "t.webp").write_bytes(thumbnail(Picture(noise(*shape, 3))))
        with Image.open(tmp_path / "t.webp") as image:
            assert image.size == size
