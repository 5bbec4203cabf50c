"""The review page in a real Chromium, with the real backend and the bundled weights."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.backend.review.browser import DONE, Page
from tests.backend.review.expectations import backends_layers, shown, together
from tests.backend.review.serving import ReviewBackend, review_backend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_dropped_photo_is_restored_as_the_backend_does_it(
    page: Page, backend: ReviewBackend, photo: Path
) -> None:
    page.drop(photo)
    page.wait_for_status(DONE)
    assert photo.name in page.text("#photo-facts")
    picture, layers = backends_layers(backend, photo)
    assert np.array_equal(shown(page, "before"), picture.pixels)
    assert np.array_equal(shown(page), together(picture, layers))
    assert not np.array_equal(shown(page), picture.pixels)


def test_a_chosen_photo_is_restored(page: Page, photo: Path) -> None:
    page.find("#file").send_keys(str(photo))
    page.wait_for_status(DONE)
    assert not page.find("#empty").is_displayed()


def test_the_address_keeps_no_secret(restored: Page) -> None:
    assert restored.driver.current_url.endswith("/review/")
    assert restored.run("return document.cookie") == ""
    restored.driver.refresh()
    restored.wait(lambda: restored.find("#empty").is_displayed())
    assert not restored.find("#message").is_displayed()


def test_without_a_ticket_the_page_says_what_to_do(
    browser_page: Page, backend: ReviewBackend
) -> None:
    browser_page.driver.switch_to.new_window("tab")
    browser_page.open(f"{backend.origin}/review/")
    browser_page.wait(lambda: "restore-old-photo review" in browser_page.text("#message-text"))
    browser_page.driver.close()
    browser_page.driver.switch_to.window(browser_page.driver.window_handles[0])
    browser_page.complaints()


def test_a_restoration_can_be_cancelled_and_taken_up_again(page: Page, photo: Path) -> None:
    # So small a photo may be done before a driver has found the button.
    page.run(
        """
        const button = document.getElementById("cancel");
        const watcher = new MutationObserver(() => {
            if (button.checkVisibility()) {
                watcher.disconnect();
                button.click();
            }
        });
        watcher.observe(button, {attributes: true});
        """
    )
    page.drop(photo)
    page.wait_for_status("Cancelled")
    page.find("#again").click()
    page.wait_for_status(DONE)


def test_a_file_that_is_no_photo_is_refused_in_one_sentence(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear Grandmother")
    page.drop(text)
    page.wait(lambda: page.find("#message").is_displayed())
    assert "letter.txt is no PNG, JPEG, TIFF or WebP picture" in page.text("#message-text")
    page.find("#message-close").click()
    assert not page.find("#message").is_displayed()
    assert page.text("#status") == "Nothing to do yet."
    # The browser itself notes each refusal; nothing else may be said.
    assert all("400" in entry for entry in page.complaints())


@pytest.mark.parametrize("slow", ["/review/photos", "/pixels"])
def test_of_two_photos_the_one_chosen_last_is_shown(
    page: Page, photo: Path, large_photo: Path, slow: str
) -> None:
    page.run(
        """
        const fetchNow = window.fetch;
        window.held = null;
        window.fetch = async (path, ...rest) => {
            if (window.held !== null || !path.includes(arguments[0])) {
                return fetchNow(path, ...rest);
            }
            window.held = false;
            while (!window.held) await new Promise((done) => setTimeout(done, 20));
            const answer = await fetchNow(path, ...rest);
            const whole = await answer.arrayBuffer();
            // After all that the page does with it at once.
            setTimeout(() => (window.held = "answered"), 300);
            return new Response(whole, answer);
        };
        """,
        slow,
    )
    page.drop(photo)
    page.wait(lambda: page.run("return window.held === false"))
    page.drop(large_photo)
    page.wait_for_status(DONE)
    page.run("window.held = true")
    page.wait(lambda: page.run("return window.held === 'answered'"))
    assert page.text("#photo-name") == large_photo.name
    assert page.text("#status").startswith(DONE)
    assert np.array_equal(shown(page, "before").shape, shown(page).shape)
    assert not page.complaints()


def test_the_page_is_gone_when_the_backend_is(browser_page: Page, tmp_path: Path) -> None:
    with review_backend(tmp_path) as short_lived:
        browser_page.open(short_lived.address())
        browser_page.wait(lambda: browser_page.find("#empty").is_displayed())
        httpx.post(
            f"{short_lived.origin}/shutdown",
            headers={"Authorization": f"Bearer {short_lived.runtime.token}"},
        )
        short_lived.process.wait(30)
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"anything")
    browser_page.drop(photo)
    browser_page.wait(lambda: "has ended" in browser_page.text("#message-text"))
    browser_page.complaints()
