"""The window in a real Chromium, from `python3 -m installer --window` to the installed plug-in."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.installer.conftest import User, write_wheel
from tests.installer.index_site import serve_index
from tests.installer.mounts import needs_mounts, read_only
from tests.installer.window.conftest import take_screenshots

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Much more than a busy machine takes for the slowest step.
PATIENCE_SECONDS = 400
# The color of the first pixel of each picture, as the page shows it.
COLORS_SCRIPT = """
const colors = {};
for (const name of ["before", "after"]) {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.drawImage(document.getElementById(name), 0, 0);
  colors[name] = [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}
return colors;
"""


@contextmanager
def opened(user: User, browser: WebDriver, tmp_path: Path, *arguments: str) -> Iterator[str]:
    """The installer with its page open in the browser; its address, without the key."""
    note = tmp_path / "address"
    opener = tmp_path / "opener"
    opener.write_text(f"#!/bin/sh\necho \"$1\" > '{note}.part'\nmv '{note}.part' '{note}'\n")
    opener.chmod(0o755)
    note.unlink(missing_ok=True)
    user.variables["BROWSER"] = str(opener)
    process = user.start("--window", *arguments)
    try:
        address = wait_for(lambda: note.exists() and note.read_text().strip())
        browser.get(str(address))
        yield str(address).split("#")[0]
        browser.get("about:blank")
        # A page that is gone ends the installer.
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: object, seconds: float = PATIENCE_SECONDS) -> object:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)
    return found


def part(browser: WebDriver, name: str) -> WebElement:
    return browser.find_element("id", name)


def wait_for_headline(browser: WebDriver, text: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := part(browser, "headline").text) != text:
        assert time.monotonic() < deadline, found
        assert found != "This did not work" or text == found, part(browser, "lead").text
        time.sleep(0.1)


def press(browser: WebDriver, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


def focus_by_tab(browser: WebDriver, name: str) -> None:
    """Press Tab until the part with this id has the focus."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(30):
        if browser.switch_to.active_element.get_attribute("id") == name:
            return
        press(browser, Keys.TAB)
    raise AssertionError(f"Tab does not reach {name}")


def complaints(browser: WebDriver) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def test_everything_is_installed_and_removed_with_the_keyboard_alone(
    user: User, browser: WebDriver, tmp_path: Path
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    user.profile.mkdir(parents=True)
    other = user.profile.with_name("3.2")
    other.mkdir()
    with opened(user, browser, tmp_path) as address:
        wait_for_headline(browser, "Set up Restore Old Photo")
        assert browser.current_url == address, "the key stays in the address"
        assert len(re.findall(r"about [\d.]+ [MG]B", part(browser, "sizes").text)) == 2
        assert str(user.data) in part(browser, "sizes").text
        take_screenshots(browser, "installer-plan")
        boxes = part(browser, "profiles").find_elements("css selector", "input")
        assert [box.get_attribute("value") for box in boxes] == [str(user.profile), str(other)]
        press(browser, *[Keys.TAB] * 3, Keys.SPACE)
        assert [box.is_selected() for box in boxes] == [True, False]
        focus_by_tab(browser, "primary")
        press(browser, Keys.ENTER)
        wait_for_headline(browser, "Setting up …")
        assert browser.switch_to.active_element.get_attribute("id") == "headline"
        wait_for(lambda: "Step 2 of" in part(browser, "announcement").get_attribute("textContent"))
        take_screenshots(browser, "installer-progress")
        browser.refresh()
        wait_for_headline(browser, "Ready")
        assert "Filters > Restore Old Photo > Restore..." in part(browser, "in-gimp").text
        assert str(user.profile / "plug-ins") in part(browser, "plug-ins").text
        assert str(other) not in part(browser, "plug-ins").text
        for place in (user.environment / "bin" / "restore-old-photo", user.data, user.checkout):
            assert str(place) in part(browser, "places").text
        check_example_with_keys(browser)
        focus_by_tab(browser, "review")
        press(browser, Keys.ENTER)
        wait_for(lambda: "is open" in part(browser, "review-state").text)
        assert (user.profile / "plug-ins" / "restore-old-photo").is_dir()
        assert not (other / "plug-ins").exists()

        focus_by_tab(browser, "back")
        press(browser, Keys.ENTER)
        # The profile that was left out is offered again.
        wait_for_headline(browser, "Update Restore Old Photo")
        focus_by_tab(browser, "remove")
        press(browser, Keys.ENTER)
        assert part(browser, "confirmation").get_attribute("open") is not None
        # A hasty second press keeps everything.
        press(browser, Keys.ENTER)
        assert part(browser, "headline").text == "Update Restore Old Photo"
        press(browser, Keys.ENTER)
        ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()
        press(browser, Keys.ENTER)
        wait_for_headline(browser, "Restore Old Photo is removed")
        assert complaints(browser) == []
    assert not user.data.exists()
    assert not (user.profile / "plug-ins" / "restore-old-photo").exists()


def check_example_with_keys(browser: WebDriver) -> None:
    """Both pictures are there, and the border between them follows the keys."""
    from selenium.webdriver.common.keys import Keys

    for name in ("before", "after"):
        picture = part(browser, name)
        wait_for(lambda picture=picture: picture.get_property("naturalWidth") == 1)
        assert picture.get_attribute("alt")
    colors = browser.execute_script(COLORS_SCRIPT)
    assert colors == {"before": [255, 0, 0], "after": [0, 255, 0]}
    focus_by_tab(browser, "border")
    press(browser, Keys.END)
    comparison = part(browser, "comparison")
    assert "100%" in (comparison.get_attribute("style") or "")
    press(browser, Keys.HOME, Keys.ARROW_RIGHT)
    assert "1%" in (comparison.get_attribute("style") or "")


def test_a_failing_example_leaves_a_whole_installation_and_says_what_to_do(
    user: User, browser: WebDriver, tmp_path: Path
) -> None:
    user.variables["PROGRAM_FAILS"] = "demo"
    with opened(user, browser, tmp_path):
        wait_for_headline(browser, "Set up Restore Old Photo")
        assert "No GIMP was found" in part(browser, "gimp-help").text
        part(browser, "primary").click()
        wait_for_headline(browser, "Ready")
        assert not part(browser, "example").is_displayed()
        assert not part(browser, "in-gimp").is_displayed()
        sentence = part(browser, "example-error").text
        assert "(Error: it is broken.)" in sentence
        assert "doctor" in sentence
        assert complaints(browser) == []
    assert (user.data / "installation.json").exists()


def test_the_window_speaks_the_language_of_its_user_and_changes_it_at_once(
    user: User, browser: WebDriver, tmp_path: Path
) -> None:
    from selenium.webdriver.support.select import Select

    user.profile.mkdir(parents=True)
    prefer(browser, "ja-JP,ja;q=0.9,en;q=0.8")
    user.variables["PROGRAM_FAILS"] = "review"
    with opened(user, browser, tmp_path):
        wait_for_headline(browser, "Restore Old Photo のセットアップ")
        assert browser.find_element("css selector", "html").get_attribute("lang") == "ja"
        box = part(browser, "profiles").find_element("css selector", "input")
        box.click()
        Select(part(browser, "language")).select_by_visible_text("Deutsch")
        wait_for_headline(browser, "Restore Old Photo einrichten")
        assert browser.find_element("css selector", "html").get_attribute("lang") == "de"
        assert re.search(r"etwa 1,5\sGB", part(browser, "sizes").text)
        # What was chosen stays chosen.
        assert not part(browser, "profiles").find_element("css selector", "input").is_selected()
        browser.refresh()
        wait_for_headline(browser, "Restore Old Photo einrichten")
        part(browser, "primary").click()
        wait_for_headline(browser, "Fertig")
        assert "Filter > Altes Foto restaurieren" in part(browser, "in-gimp").text
        part(browser, "review").click()
        wait_for(lambda: "konnte nicht geöffnet" in part(browser, "review-error").text)
        part(browser, "log-box").find_element("css selector", "summary").click()
        assert re.search(r"fertig nach \d+ Sekunden?", part(browser, "log").text)
        Select(part(browser, "language")).select_by_value("fr")
        wait_for_headline(browser, "C'est prêt")
        assert re.search(r"terminé en \d+ secondes?", part(browser, "log").text)
        assert "n'a pas pu être ouverte" in part(browser, "review-error").text
        assert complaints(browser) == []


def prefer(browser: WebDriver, languages: str) -> None:
    """Let the browser ask for these languages."""
    agent = browser.execute_script("return navigator.userAgent")
    command = {"userAgent": agent, "acceptLanguage": languages}
    browser.execute_cdp_cmd("Emulation.setUserAgentOverride", command)


def test_a_cancelled_download_goes_on_later_and_shows_how_far_it_is(
    user: User, browser: WebDriver, tmp_path: Path
) -> None:
    (user.wheels / "torch-2.13.0+cpu-py3-none-any.whl").unlink()
    write_wheel(user.wheels, "torch", "2.13.0+cpu", size_bytes=30_000_000)
    add_newer_pip(user)
    with serve_index(user.wheels) as site:
        site.bytes_per_second = 2_000_000
        user.variables |= {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": site.url}
        with opened(user, browser, tmp_path):
            wait_for_headline(browser, "Set up Restore Old Photo")
            part(browser, "primary").click()
            wait_for(lambda: is_far(browser) or fail_if_failed(browser))
            assert re.search(r"of 30 MB", part(browser, "transfer").text)
            assert re.search(r"second|minute", part(browser, "rate").text)
            take_screenshots(browser, "installer-download")
            part(browser, "stop").click()
            wait_for_headline(browser, "Stopped")
            (kept,) = (user.data / "downloads").glob("torch*.part")
            have = kept.stat().st_size
            assert have > 0
            assert not (user.data / "installation.json").exists()
            site.bytes_per_second = None
            part(browser, "primary").click()
            wait_for_headline(browser, "Ready")
            assert site.ranges[-1] == f"bytes={have}-"
            part(browser, "log-box").find_element("css selector", "summary").click()
            assert "are here already" in part(browser, "log").text
            part(browser, "copy").click()
            wait_for(lambda: part(browser, "copy").text == "Copied")
            assert complaints(browser) == []
    assert (user.data / "installation.json").exists()


def is_far(browser: WebDriver) -> bool:
    """Whether some megabytes have come and the speed is told."""
    has_size = re.search(r"torch .*: \d+(\.\d)? MB", part(browser, "transfer").text) is not None
    return has_size and "left" in part(browser, "rate").text


def fail_if_failed(browser: WebDriver) -> None:
    assert part(browser, "headline").text != "This did not work", part(browser, "lead").text


def add_newer_pip(user: User) -> None:
    """A pip that tells how far it is, from wherever this machine's pip takes packages."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(user.wheels)]
    answer = subprocess.run([*command, "pip>=24.1"], capture_output=True, text=True)
    if answer.returncode != 0:
        pytest.skip(f"there is no newer pip to be had: {answer.stderr[-200:]}")


@needs_mounts
def test_an_obstacle_is_said_before_and_a_failure_after(
    user: User, browser: WebDriver, tmp_path: Path
) -> None:
    user.profile.mkdir(parents=True)
    with opened(user, browser, tmp_path):
        wait_for_headline(browser, "Set up Restore Old Photo")
        with read_only(user.profile):
            look_again(browser)
            wait_for(lambda: "cannot be written" in part(browser, "profiles").text)
            box = part(browser, "profiles").find_element("css selector", "input")
            assert not box.is_enabled()
            assert not box.is_selected()
            assert part(browser, "primary").is_enabled()
        with read_only(user.home):
            look_again(browser)
            wait_for(lambda: part(browser, "obstacle").is_displayed())
            assert str(user.data) in part(browser, "obstacle-text").text
            assert not part(browser, "primary").is_enabled()
            take_screenshots(browser, "installer-obstacle")
        part(browser, "look").click()
        primary = part(browser, "primary")
        # In this order: while the installer looks, the button is hidden and not disabled.
        wait_for(lambda: primary.is_enabled() and primary.is_displayed())
        # What comes between the look and the installation.
        with read_only(user.home):
            primary.click()
            wait_for(lambda: part(browser, "headline").text == "This did not work")
            assert "make" in part(browser, "lead").text
            assert part(browser, "primary").text == "Try again"
            assert "Error: " in part(browser, "log").text
            assert part(browser, "copy").is_displayed()
            take_screenshots(browser, "installer-failure")
    assert not user.data.exists()


def look_again(browser: WebDriver) -> None:
    """As the button does, which is shown beside an obstacle alone."""
    browser.execute_script("document.getElementById('look').click()")
