"""A real Chromium, driven through its WebDriver, and what tests do with the page in it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.backend.review.serving import PATIENCE_SECONDS
from tests.backend.running import wait_until
from tests.needs import require

VIEW_SIZE = (1360, 860)
# How the sentence begins that says a restoration has ended well.
DONE = "Restored in"


def chromium() -> tuple[str, str]:
    """Paths of Chromium and its driver; skips where they are missing, and fails under CI."""
    program, driver = shutil.which("chromium") or "", shutil.which("chromedriver") or ""
    lack = None if program and driver else "Chromium or chromedriver"
    require(lack, "python tests/provision_chromium.py")
    return program, driver


@contextmanager
def running_browser(downloads: Path) -> Iterator[webdriver.Chrome]:
    """Chromium without a window; what it downloads lies in a folder."""
    program, driver_program = chromium()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    # Its sandbox refuses to run as root, as which tests in containers run.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.add_argument("--lang=en-US")
    options.add_experimental_option(
        "prefs",
        {
            "download.default_directory": str(downloads),
            "profile.exit_type": "Normal",
            # People are asked before a page hands them the second file.
            "profile.default_content_setting_values.automatic_downloads": 1,
            "intl.accept_languages": "en-US",
        },
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(driver_program))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The review page in a browser."""

    def __init__(self, driver: webdriver.Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, address: str) -> None:
        self.resize(*VIEW_SIZE)
        # Another fragment alone would not load the page anew.
        self.driver.get("about:blank")
        self.driver.get(address)

    def resize(self, width: int, height: int) -> None:
        """Be a window of this size."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def run(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def wait(self, condition: Callable[[], Any]) -> None:
        wait_until(lambda: bool(condition()), PATIENCE_SECONDS)

    def wait_for_status(self, words: str) -> None:
        """Wait for the sentence about the work; a complaint on the page ends the wait."""

        def is_there() -> bool:
            complaint = self.find("#message")
            assert not complaint.is_displayed(), complaint.text
            return words in self.text("#status")

        self.wait(is_there)

    def drop(self, photo: Path) -> None:
        """Drop a file on the page, as the desktop does."""
        for kind in ("dragEnter", "dragOver", "drop"):
            data = {"items": [], "files": [str(photo)], "dragOperationsMask": 1}
            self.driver.execute_cdp_cmd(
                "Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": data}
            )

    def key(self, key: str, *, control: bool = False, shift: bool = False) -> None:
        """Press and release a key where the focus is."""
        facts = {"key": key, "code": key, "windowsVirtualKeyCode": KEY_CODES.get(key, 0)}
        facts["modifiers"] = CONTROL * control + SHIFT * shift
        if len(key) == 1 and not control:
            facts["text"] = key
        for kind in ("keyDown", "keyUp"):
            self.driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": kind, **facts})

    def set_range(self, selector: str, value: float, *, is_final: bool = True) -> None:
        """Move a slider to a value, as dragging does; `is_final` lets it go."""
        self.run(
            "const slider = document.querySelector(arguments[0]); slider.value = arguments[1];"
            "slider.dispatchEvent(new Event('input', {bubbles: true}));"
            "if (arguments[2]) slider.dispatchEvent(new Event('change', {bubbles: true}));",
            selector,
            value,
            is_final,
        )

    def client(self, x: float, y: float) -> tuple[float, float]:
        """Where the window shows a point of the picture that the page shows."""
        left, top, scale = self.run(
            "const canvas = document.querySelector('#before canvas');"
            "const box = canvas.getBoundingClientRect();"
            "return [box.left, box.top, box.width / canvas.width];"
        )
        return left + x * scale, top + y * scale

    def drag(self, *points: tuple[float, float], pointer: str = "mouse", buttons: int = 1) -> None:
        """Drag a mouse or a pen over points of the picture."""
        kinds = ["Pressed", *["Moved"] * (len(points) - 1), "Released"]
        for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
            client_x, client_y = self.client(x, y)
            facts = {"type": f"mouse{kind}", "x": client_x, "y": client_y, "pointerType": pointer}
            facts |= {"button": "left", "clickCount": 1, "buttons": buttons}
            self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", facts)

    def touch(self, *moments: list[tuple[float, float]]) -> None:
        """Put fingers on points of the picture, move them to others, and lift them."""
        kinds = ["touchStart", *["touchMove"] * (len(moments) - 1), "touchEnd"]
        for kind, fingers in zip(kinds, [*moments, []], strict=True):
            places = [self.client(x, y) for x, y in fingers]
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
            self.driver.execute_cdp_cmd(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )

    def speak(self, language: str) -> None:
        """Choose a language in the page's list."""
        self.run(
            "const list = document.getElementById('language'); list.value = arguments[0];"
            "list.dispatchEvent(new Event('change'));",
            language,
        )
        self.wait(lambda: self.run("return document.documentElement.lang") == language)

    def canvas(self, pane: str) -> tuple[int, int, bytes]:
        """Width, height and RGBA bytes of a pane's canvas."""
        width, height, encoded = self.run(
            "const canvas = document.querySelector(`#${arguments[0]} canvas`);"
            "const {width, height} = canvas;"
            "const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);"
            "let text = ''; for (let i = 0; i < data.length; i += 8192)"
            " text += String.fromCharCode(...data.subarray(i, i + 8192));"
            "return [width, height, btoa(text)];",
            pane,
        )
        return width, height, base64.b64decode(encoded)

    def fetch_saved(self, name: str) -> Path:
        """Wait until a download is whole.

        Chromium reserves the name with an empty file, and renames the whole download to it.
        """
        path = self.downloads / name
        self.wait(lambda: path.is_file() and path.stat().st_size > 0)
        return path

    def complaints(self) -> list[str]:
        """What the browser's console says, violations of the page's own rules among it."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        # That is the tests' own reading of the canvas.
        return [message for message in said if "willReadFrequently" not in message]

    def prefer(self, scheme: str) -> None:
        """Be a light or dark desktop."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


CONTROL, SHIFT = 2, 8
KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35}
KEY_CODES |= {"Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
