"""One backend and one browser for all tests of the page: both take seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.files import save_picture
from backend.images import Metadata, Picture
from tests.backend.photos import portrait, scratched
from tests.backend.review.browser import DONE, Page, running_browser
from tests.backend.review.serving import ReviewBackend, review_backend


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewBackend]:
    with review_backend(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratched portrait of 240 x 240 pixels, which is its own preview."""
    path = tmp_path_factory.mktemp("photos") / "Großmutter 1950.png"
    save_picture(Picture(scratched(portrait())[0], Metadata(dpi=(300.0, 300.0))), path)
    return path


@pytest.fixture(scope="session")
def large_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 320 x 320 pixels of 16 bit, more than the preview has."""
    path = tmp_path_factory.mktemp("photos") / "large.tif"
    pixels = cv2.resize(scratched(portrait())[0], (320, 320), interpolation=cv2.INTER_CUBIC)
    fine = np.random.default_rng(5).integers(0, 257, pixels.shape)
    save_picture(
        Picture((pixels * np.uint32(256) + fine.astype(np.uint32)).astype(np.uint16)), path
    )
    return path


@pytest.fixture(scope="session")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    downloads = tmp_path_factory.mktemp("downloads")
    with running_browser(downloads) as driver:
        yield Page(driver, downloads)


@pytest.fixture
def page(browser_page: Page, backend: ReviewBackend) -> Iterator[Page]:
    """The page without a photo; nothing may be complained about in its console afterwards."""
    browser_page.open(backend.address())
    yield browser_page
    assert browser_page.complaints() == []


@pytest.fixture
def restored(browser_page: Page, backend: ReviewBackend, photo: Path) -> Iterator[Page]:
    """The page with a restored photo that the command line brought."""
    browser_page.open(backend.address(photo))
    browser_page.wait_for_status(DONE)
    yield browser_page
    assert browser_page.complaints() == []
