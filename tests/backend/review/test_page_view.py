"""Looking at the photo: border, zoom, keyboard, screen reader, light and dark."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installer.project import CHECKOUT
from tests.backend.review.browser import DONE, Page
from tests.backend.review.expectations import backends_layers, shown, together
from tests.backend.review.serving import ReviewBackend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SCREENSHOTS = CHECKOUT / "build" / "screenshots"
TOOLS = ("move", "paint", "erase")


def border(page: Page) -> int:
    return int(page.find("#divider").get_attribute("aria-valuenow") or "-1")


def test_the_border_follows_the_pointer(restored: Page) -> None:
    view = restored.find("#view").rect
    y, from_x = view["y"] + view["height"] / 2, view["x"] + view["width"] / 2
    to_x = view["x"] + view["width"] / 4
    for kind, x in (("Pressed", from_x), ("Moved", to_x), ("Released", to_x)):
        facts = {"type": f"mouse{kind}", "x": x, "y": y, "button": "left", "clickCount": 1}
        restored.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"buttons": 1, **facts})
    assert border(restored) == 25
    clip = restored.run("return document.getElementById('before').style.clipPath")
    assert "75%" in clip


def test_everything_is_reached_and_used_by_keyboard(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    restored.run("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        restored.key("Tab")
        reached.append(str(restored.run("return document.activeElement.id || 'other'")))
        use(restored, reached[-1])
    every = {"open", "view", "divider", "show-face", "opacity-restored", "threshold", "show-mask"}
    assert every | {"cleaning", "tone", "strength"} <= set(reached)
    assert border(restored) == 100
    assert restored.text("#zoom-value") == "200 %"
    restored.wait_for_status(DONE)
    picture, layers = backends_layers(backend, photo, tone=False)
    expected = together(picture, layers, {"repair": 0})
    restored.wait(lambda: np.array_equal(shown(restored), expected))


def use(page: Page, control: str) -> None:
    """What a user of the keyboard does with the control that has the focus."""
    if control == "divider":
        page.key("End")
    elif control == "view":
        for key in ("2", "ArrowLeft", "ArrowUp"):
            page.key(key)
    elif control in ("show-repair", "tone"):
        page.key(" ")


def test_close_judging_shows_every_pixel_and_moves_the_photo(restored: Page) -> None:
    for zoom, percent in (("1", 1.0), ("2", 2.0)):
        restored.find(f"[data-zoom='{zoom}']").click()
        box = restored.run(
            "return document.querySelector('#after canvas').getBoundingClientRect().toJSON()"
        )
        assert box["width"] == pytest.approx(240 * percent)
        assert box["x"] == pytest.approx(round(box["x"]))
    for _ in range(3):
        restored.find("[data-zoom='in']").click()
    before = restored.run("return document.querySelector('#after canvas').style.transform")
    restored.find("#view").send_keys("\ue015")
    after = restored.run("return document.querySelector('#after canvas').style.transform")
    assert before != after


@pytest.mark.parametrize(
    ("wheel", "factor"),
    [
        ({"deltaY": -120}, 1.25),
        ({"deltaY": -3, "deltaMode": 1}, 1.25),
        ({"deltaY": 120}, 1 / 1.25),
        ({"deltaY": -10}, 1.25**0.1),
        ({"deltaX": 40}, 1.0),
    ],
)
def test_a_notch_of_the_wheel_zooms_a_step_and_a_touchpad_less(
    restored: Page, wheel: dict[str, int], factor: float
) -> None:
    measure = "return document.querySelector('#after canvas').getBoundingClientRect().width"
    restored.find("[data-zoom='2']").click()
    before = restored.run(measure)
    restored.run(
        "document.getElementById('view').dispatchEvent(new WheelEvent('wheel', arguments[0]))",
        {"clientX": 400, "clientY": 400, **wheel},
    )
    assert restored.run(measure) == pytest.approx(before * factor)


def test_everything_that_can_be_used_has_a_name_that_is_read_out(restored: Page) -> None:
    tree = restored.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
    roles = {"button", "slider", "switch", "checkbox", "progressbar", "spinbutton"}
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree["nodes"]
        if not node.get("ignored") and node["role"]["value"] in roles
    ]
    assert len(nodes) > 15
    assert all(name for _, name in nodes), nodes
    assert ("slider", "Border between before and after") in nodes
    assert ("slider", "Opacity of Scratch repair") in nodes


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_desktops_scheme(restored: Page, scheme: str) -> None:
    restored.prefer(scheme)
    restored.wait(lambda: restored.run("return document.getAnimations().length") == 0)
    ground = restored.run("return getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(value) for value in ground[4:-1].split(","))
    assert red == green == blue
    assert (red < 64) == (scheme == "dark")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    restored.driver.save_screenshot(str(SCREENSHOTS / f"review-{scheme}.png"))
    restored.prefer("light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_chosen_tool_is_seen_in_high_contrast(restored: Page, scheme: str) -> None:
    restored.find("#tool-paint").click()
    features = [
        {"name": "forced-colors", "value": "active"},
        {"name": "prefers-color-scheme", "value": scheme},
    ]
    restored.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    # A style that is asked for does not tell what the desktop makes of it.
    pictures = [restored.find(f"label:has(#tool-{tool})").screenshot_as_png for tool in TOOLS]
    restored.prefer("light")
    grounds = [
        np.median(np.asarray(Image.open(io.BytesIO(data)).convert("L"))) for data in pictures
    ]
    assert grounds[0] == grounds[2]
    assert abs(grounds[1] - grounds[0]) > 64
