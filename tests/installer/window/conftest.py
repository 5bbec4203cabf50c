"""A real Chromium without a screen."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import require

if importlib.util.find_spec("selenium") is not None:
    from selenium import webdriver
    from selenium.webdriver.chrome.webdriver import WebDriver

# Kept for people to look at.
SCREENSHOTS = Path(__file__).resolve().parent.parent.parent.parent / "build" / "screenshots"


def missing() -> str | None:
    """What the browser tests lack here; None when nothing."""
    if importlib.util.find_spec("selenium") is None:
        return "the package selenium"
    programs = ("chromium", "chromedriver")
    absent = [program for program in programs if shutil.which(program) is None]
    return " and ".join(absent) or None


@pytest.fixture
def browser() -> Iterator[WebDriver]:
    """A fresh browser with a window of 900 by 1000 pixels."""
    require(missing(), "python tests/provision_chromium.py, and the test packages")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        *("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"),
        # Root, as in continuous integration, has no sandbox.
        *("--no-sandbox", "--window-size=900,1000"),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    try:
        yield driver
    finally:
        driver.quit()


def take_screenshots(browser: WebDriver, name: str) -> None:
    """Pictures of the page in light and dark."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("dark", "light"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.save_screenshot(str(SCREENSHOTS / f"{name}-{scheme}.png"))
