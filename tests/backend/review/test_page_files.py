"""What the page saves, and photos that are larger than what it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.files import load_picture
from tests.backend.review.browser import DONE, Page
from tests.backend.review.expectations import backends_layers, check_file, shown, together
from tests.backend.review.serving import ReviewBackend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("kind", ["png", "tiff", "openraster"])
def test_a_saved_file_has_the_pixels_of_the_backend(
    restored: Page, backend: ReviewBackend, photo: Path, kind: str
) -> None:
    restored.find("#show-face").click()
    restored.set_range("#opacity-restored", 70)
    restored.find(f"[data-format='{kind}']").click()
    restored.wait_for_status("handed to your browser")
    picture, layers = backends_layers(backend, photo)
    expected = together(picture, layers, {"restored": 70, "face": 0})
    check_file(restored, photo, kind, expected, picture)


def test_a_large_photo_is_saved_at_full_size_and_with_all_bits(
    page: Page, backend: ReviewBackend, large_photo: Path
) -> None:
    page.drop(large_photo)
    page.wait_for_status(DONE)
    assert "saved at full size" in page.text("#photo-facts")
    assert shown(page).shape[0] < 320
    picture, layers = backends_layers(backend, large_photo)
    for kind in ("png", "tiff", "openraster"):
        page.find(f"[data-format='{kind}']").click()
        page.wait_for_status("handed to your browser")
        check_file(page, large_photo, kind, together(picture, layers), picture)


def test_all_pixels_of_a_large_photo_can_be_judged(page: Page, large_photo: Path) -> None:
    page.drop(large_photo)
    page.wait_for_status(DONE)
    page.find("#whole-size").click()
    page.wait(lambda: shown(page).shape == (320, 320, 3))
    page.wait_for_status(DONE)
    before = load_picture(large_photo).pixels
    assert np.array_equal(shown(page, "before"), ((before.astype(int) + 128) // 257))


def test_two_formats_are_saved_one_after_the_other(page: Page, large_photo: Path) -> None:
    page.drop(large_photo)
    page.wait_for_status(DONE)
    page.find("[data-format='png']").click()
    page.find("[data-format='tiff']").click()
    page.wait(lambda: {f.suffix for f in page.downloads.glob("large*")} >= {".png", ".tif"})


def test_a_file_that_cannot_be_read_is_told_as_that(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    page.drop(folder)
    page.wait(lambda: page.find("#message").is_displayed())
    assert "album cannot be read" in page.text("#message-text")
