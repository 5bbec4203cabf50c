"""The page in the user's language: the browser's, or the one that was chosen in its list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.project import CHECKOUT
from tests.backend.review.browser import Page
from tests.backend.review.serving import ReviewBackend
from tests.backend.review.test_texts import LANGUAGES, PAGE, catalogue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SCREENSHOTS = CHECKOUT / "build" / "screenshots"
NARROW, WIDE = (420, 900), (1360, 860)


@pytest.fixture(autouse=True)
def forgotten(backend: ReviewBackend, browser_page: Page) -> Iterator[None]:
    """No choice survives its test: the other tests speak English."""
    yield
    (backend.home / "review.json").unlink(missing_ok=True)
    browser_page.run("sessionStorage.clear()")
    prefer(browser_page, "en-US")


def prefer(page: Page, languages: str) -> None:
    """Be a browser whose user prefers these languages."""
    agent = page.run("return navigator.userAgent")
    facts = {"userAgent": agent, "acceptLanguage": languages}
    page.driver.execute_cdp_cmd("Emulation.setUserAgentOverride", facts)


def language(page: Page) -> str:
    return str(page.run("return document.documentElement.lang"))


def visible_texts(page: Page) -> str:
    """All that is read on the page, names for screen readers and titles too."""
    return str(
        page.run(
            "const named = [...document.querySelectorAll('[aria-label], [aria-valuetext]')];"
            "const names = named.flatMap((e) => [e.ariaLabel, e.ariaValueText]);"
            "return [document.title, document.body.textContent, ...names].join('\\n')"
        )
    )


@pytest.mark.parametrize(
    ("preferred", "expected"),
    [
        ("de-AT", "de"),
        ("it,fr-CA", "fr"),
        ("zh-TW,en", "zh-CN"),
        ("zh-CN", "zh-CN"),
        ("ja", "ja"),
        ("es-419", "es"),
        ("it", "en"),
    ],
)
def test_the_page_speaks_the_browsers_language(
    browser_page: Page, backend: ReviewBackend, preferred: str, expected: str
) -> None:
    prefer(browser_page, preferred)
    browser_page.open(backend.address())
    browser_page.wait(lambda: language(browser_page) == expected)
    heading = catalogue(expected)["drop.heading"]
    browser_page.wait(lambda: browser_page.text("#empty h2") == heading)
    assert browser_page.find("#language").get_attribute("value") == expected
    assert browser_page.complaints() == []


@pytest.mark.parametrize("chosen", LANGUAGES)
def test_everything_that_is_shown_changes_with_the_language(restored: Page, chosen: str) -> None:
    restored.speak("de" if chosen != "de" else "fr")
    restored.speak(chosen)
    read = visible_texts(restored)
    for other in LANGUAGES:
        for key, text in catalogue(other).items():
            if key.startswith(("layers.", "damage.", "mask.", "whole.", "save.", "view.")):
                long = isinstance(text, str) and "{" not in text and len(text) > 12
                if other != chosen and long and text not in catalogue(chosen).values():
                    assert text not in read, f"{key} is still {other}"
    for key in ("layers.repair", "damage.threshold", "mask.repair", "save.tiff.hint", "title"):
        assert catalogue(chosen)[key] in read
    # It was said before, and its number is written anew.
    beginning, end = catalogue(chosen)["work.done"].split("{seconds}")
    status = restored.text("#status")
    assert status.startswith(beginning)
    assert status.endswith(end)
    number = status.removeprefix(beginning).removesuffix(end)
    assert ("," in number) == (chosen in ("de", "es", "fr"))


def test_the_choice_is_remembered_by_this_page_and_by_the_next_one(
    restored: Page, backend: ReviewBackend
) -> None:
    restored.speak("ja")
    remembered = backend.home / "review.json"
    restored.wait(lambda: remembered.exists() and json.loads(remembered.read_text())["language"])
    restored.driver.refresh()
    restored.wait(lambda: language(restored) == "ja")
    restored.run("sessionStorage.clear()")
    restored.open(backend.address())
    restored.wait(lambda: language(restored) == "ja")
    restored.wait(lambda: restored.text("#empty h2") == catalogue("ja")["drop.heading"])


def test_the_backends_refusals_and_notes_are_said_in_the_language(
    restored: Page, tmp_path: Path
) -> None:
    restored.speak("de")
    letter = tmp_path / "Brief.txt"
    letter.write_text("Liebe Großmutter")
    restored.drop(letter)
    restored.wait(lambda: restored.find("#message").is_displayed())
    refusal = "refusal.file-format"
    said = catalogue("de")[refusal].format(name="Brief.txt")
    assert restored.text("#message-text") == said
    restored.speak("zh-CN")
    assert restored.text("#message-text") == catalogue("zh-CN")[refusal].format(name="Brief.txt")
    restored.find("#message-close").click()
    # A mask that covers everything is worth a note.
    restored.find("#clear").click()
    restored.find("#invert").click()
    restored.find("#repair").click()
    sentences = json.loads((PAGE / "sentences" / "zh-CN.json").read_text(encoding="utf-8"))
    restored.wait(lambda: restored.text("#notes") == sentences["mask-covers-all"])
    restored.speak("en")
    assert restored.text("#notes").startswith("The mask covers the whole picture")
    beginning = catalogue()["work.done"].split("{")[0]
    restored.wait_for_status(beginning)
    assert all("400" in entry for entry in restored.complaints())


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("chosen", LANGUAGES)
def test_no_language_breaks_the_layout(
    restored: Page, chosen: str, scheme: str, size: tuple[int, int]
) -> None:
    restored.speak(chosen)
    restored.prefer(scheme)
    restored.resize(*size)
    restored.find("#tool-paint").click()
    restored.drag((60, 50), (120, 70))
    restored.wait(lambda: restored.run("return document.getAnimations().length") == 0)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    name = f"review-{chosen}-{scheme}-{'wide' if size == WIDE else 'narrow'}.png"
    restored.driver.save_screenshot(str(SCREENSHOTS / name))
    restored.prefer("light")
    assert restored.run(CUT_OFF) == []


CUT_OFF = """
const wide = [...document.querySelectorAll(
  'html, main, header, button, summary, h2, #tools label, #layers li, .field, .switch')];
const cut = wide.filter((e) => e.offsetParent !== null && e.scrollWidth > e.clientWidth + 1);
const boxes = [...document.querySelectorAll('#layers label span, #layers .fact')].map(
  (e) => [e, e.getBoundingClientRect()]);
const overlapping = boxes.filter(([e, a]) => boxes.some(([f, b]) => e !== f && a.width && b.width
  && a.left < b.right && b.left < a.right && a.top < b.bottom - 1 && b.top < a.bottom - 1));
return [...cut.map((e) => e.id || e.textContent), ...overlapping.map(([e]) => e.textContent)];
"""
