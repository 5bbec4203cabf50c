"""Painting on the scratch mask: exactly what is marked is repaired, at the photo's full size."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from backend.images import Pixels
from tests.backend.review.browser import DONE, Page
from tests.backend.review.expectations import (
    backends_layers,
    enlarged,
    reads,
    shown,
    stroke,
    together,
)
from tests.backend.review.serving import ReviewBackend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SIZE = (240, 240)
WAY = [(60.0, 50.0), (120.0, 70.0), (170.0, 40.0)]
# Between the exact shape of a stroke and the browser's arithmetic.
LEVEL = 1


def take(page: Page, tool: str, size: float = 60) -> float:
    """Take a tool with its slider at a size; returns the brush's diameter in pixels."""
    page.find(f"#tool-{tool}").click()
    page.set_range("#brush-size", size)
    return float(page.text("#brush-value").split()[0])


def is_close(found: Pixels, expected: Pixels) -> bool:
    return bool(np.abs(found.astype(int) - expected.astype(int)).max() <= LEVEL)


@pytest.fixture
def found(backend: ReviewBackend, photo: Path) -> Pixels:
    """(H, W), the mask that the backend finds."""
    _, layers = backends_layers(backend, photo)
    return layers[0].pixels[..., 0]


@pytest.mark.parametrize("pointer", ["mouse", "pen"])
@pytest.mark.parametrize("zoom", ["fit", "1", "2"])
def test_exactly_what_is_painted_is_repaired(
    restored: Page, backend: ReviewBackend, photo: Path, found: Pixels, zoom: str, pointer: str
) -> None:
    restored.find(f"[data-zoom='{zoom}']").click()
    diameter = take(restored, "paint")
    assert not restored.find("#repair").is_enabled()
    # A point of the screen is a point of the photo only as exactly as the screen has points.
    restored.drag(*WAY, pointer=pointer)
    painted = reads(restored)
    assert is_close(painted, np.maximum(found, stroke(SIZE, WAY, diameter)))
    restored.find("#repair").click()
    restored.wait_for_status(DONE)
    picture, layers = backends_layers(backend, photo, painted=painted)
    assert np.array_equal(layers[0].pixels[..., 0], painted)
    expected = together(picture, layers)
    restored.wait(lambda: np.array_equal(shown(restored), expected))
    assert not restored.find("#repair").is_enabled()


def test_what_is_erased_stays_as_it_is(
    restored: Page, backend: ReviewBackend, photo: Path, found: Pixels
) -> None:
    diameter = take(restored, "erase", 90)
    line = [(10.0, 215.0), (110.0, 215.0)]
    restored.drag(*line)
    painted = reads(restored)
    erased = stroke(SIZE, line, diameter)
    assert is_close(painted, np.minimum(found, 255 - erased))
    assert painted.sum() < found.sum()
    restored.find("#repair").click()
    restored.wait_for_status(DONE)
    for kind in ("restored", "face"):
        restored.find(f"#show-{kind}").click()
    picture, layers = backends_layers(backend, photo, painted=painted)
    expected = together(picture, layers, {"restored": 0, "face": 0})
    restored.wait(lambda: np.array_equal(shown(restored), expected))
    untouched = (erased == 255) & (painted == 0)
    assert np.array_equal(shown(restored)[untouched], picture.pixels[untouched])


def test_the_other_end_of_a_pen_erases(restored: Page, found: Pixels) -> None:
    diameter = take(restored, "paint", 90)
    line = [(10.0, 215.0), (110.0, 215.0)]
    # WebDriver's protocol has no eraser: the page is told what a browser would tell it.
    restored.run(
        "const view = document.getElementById('view'); view.setPointerCapture = () => {};"
        "const tell = (kind, [clientX, clientY]) => view.dispatchEvent(new PointerEvent(kind, {"
        " bubbles: true, pointerId: 7, pointerType: 'pen', button: kind === 'pointermove' ? -1 : 0,"
        " buttons: 32, clientX, clientY}));"
        "tell('pointerdown', arguments[0]); tell('pointermove', arguments[1]);"
        "tell('pointerup', arguments[1]);",
        *[list(restored.client(*point)) for point in line],
    )
    assert is_close(reads(restored), np.minimum(found, 255 - stroke(SIZE, line, diameter)))


def test_a_stroke_that_another_photo_cuts_off_harms_neither(
    restored: Page, large_photo: Path
) -> None:
    tell = (
        "const view = document.getElementById('view'); view.setPointerCapture = () => {};"
        "for (const [kind, clientX, clientY] of arguments[0]) view.dispatchEvent("
        "new PointerEvent(kind, {clientX, clientY, buttons: 1, pointerId: 7}));"
    )
    take(restored, "paint", 60)
    restored.run(tell, [["pointerdown", 400, 300], ["pointermove", 420, 310]])
    restored.drop(large_photo)
    restored.wait(lambda: restored.text("#photo-name") == large_photo.name)
    restored.run(tell, [["pointermove", 440, 320], ["pointerup", 440, 320]])
    restored.wait_for_status(DONE)
    assert not restored.find("#undo").is_enabled()
    # The pointer moves the photo now, and does not draw on.
    for _ in range(12):
        restored.find("[data-zoom='in']").click()
    measure = "return document.querySelector('#after canvas').style.transform"
    before = restored.run(measure)
    restored.run(
        tell, [["pointerdown", 400, 300], ["pointermove", 380, 290], ["pointerup", 380, 290]]
    )
    assert restored.run(measure) != before
    assert not restored.complaints()


def test_what_was_painted_is_given_up_only_when_the_user_says_so(
    restored: Page, photo: Path, large_photo: Path
) -> None:
    question = restored.find("#leave")
    diameter = take(restored, "paint")
    assert diameter > 0
    restored.drag(*WAY)
    painted = reads(restored)
    for refuse in (restored.find("#leave-no").click, lambda: restored.key("Escape")):
        restored.drop(large_photo)
        restored.wait(question.is_displayed)
        refuse()
        restored.wait(lambda: not question.is_displayed())
        assert restored.text("#photo-name") == photo.name
        assert np.array_equal(reads(restored), painted)
    # Two files in a row: the answer is for the last one.
    restored.drop(photo)
    restored.wait(question.is_displayed)
    restored.drop(large_photo)
    restored.find("#leave-yes").click()
    restored.wait(lambda: restored.text("#photo-name") == large_photo.name)
    restored.wait_for_status(DONE)
    # Nothing is painted here, so nothing is asked.
    restored.drop(photo)
    restored.wait(lambda: restored.text("#photo-name") == photo.name)
    restored.wait_for_status(DONE)
    assert not restored.complaints()


def test_what_was_painted_and_saved_is_left_without_a_question(
    restored: Page, large_photo: Path
) -> None:
    take(restored, "paint")
    restored.drag(*WAY)
    restored.find("[data-format='png']").click()
    restored.wait_for_status("handed to your browser")
    restored.drop(large_photo)
    restored.wait(lambda: restored.text("#photo-name") == large_photo.name)
    assert not restored.find("#leave").is_displayed()


def test_the_browser_asks_before_a_page_with_unsaved_strokes_is_left(restored: Page) -> None:
    asks = (
        "const event = new Event('beforeunload', {cancelable: true});"
        "return !window.dispatchEvent(event);"
    )
    # What backend/review/window.py looks at, since pywebview's window sends no such event.
    question = "return window.questionBeforeClosing;"
    assert not restored.run(asks)
    assert restored.run(question) == ""
    take(restored, "paint")
    restored.drag(*WAY)
    assert restored.run(asks)
    assert "is lost with this window" in restored.run(question)
    restored.find("#undo").click()
    assert not restored.run(asks)
    assert restored.run(question) == ""


def test_strokes_are_undone_and_done_again(restored: Page, found: Pixels) -> None:
    states = [found]
    take(restored, "paint")
    for y in (40.0, 90.0, 140.0):
        restored.drag((50.0, y), (190.0, y))
        states.append(reads(restored))
    restored.find("#clear").click()
    states.append(reads(restored))
    assert not states[-1].any()
    restored.find("#invert").click()
    states.append(reads(restored))
    assert (states[-1] == 255).all()
    assert not restored.find("#redo").is_enabled()
    for state in reversed(states[:-1]):
        restored.key("z", control=True)
        assert np.array_equal(reads(restored), state)
    assert not restored.find("#undo").is_enabled()
    # What was found is what the layers were made with.
    assert not restored.find("#repair").is_enabled()
    for state in states[1:3]:
        restored.find("#redo").click()
        assert np.array_equal(reads(restored), state)
    restored.drag((50.0, 200.0), (190.0, 200.0))
    assert not restored.find("#redo").is_enabled()


def test_the_mask_is_painted_by_keyboard(restored: Page, found: Pixels) -> None:
    restored.run("document.getElementById('view').focus()")
    restored.key("p")
    assert restored.find("#tool-paint").is_selected()
    before = restored.text("#brush-value")
    restored.key(".")
    assert restored.text("#brush-value") != before
    diameter = float(restored.text("#brush-value").split()[0])
    restored.key("ArrowUp")
    for _ in range(3):
        restored.key("ArrowRight", shift=True)
    step = diameter / 2
    line = [(120.0, 120.0 - step), (120.0 + 3 * step, 120.0 - step)]
    assert is_close(reads(restored), np.maximum(found, stroke(SIZE, line, diameter)))
    restored.key("Escape")
    assert restored.find("#tool-move").is_selected()
    restored.key("e")
    restored.key(" ")
    dab = stroke(SIZE, [line[1], line[1]], diameter)
    assert not reads(restored)[dab == 255].any()


def test_fingers_paint_alone_and_zoom_in_pairs(restored: Page, found: Pixels) -> None:
    diameter = take(restored, "paint")
    line = [(60.0, 50.0), (120.0, 60.0)]
    restored.touch([line[0]], [line[1]])
    painted = reads(restored)
    assert is_close(painted, np.maximum(found, stroke(SIZE, line, diameter)))
    before = int(restored.text("#zoom-value").split()[0])
    restored.touch(
        [(100.0, 100.0)],
        [(100.0, 100.0), (140.0, 100.0)],
        [(90.0, 100.0), (150.0, 100.0)],
        [(80.0, 100.0), (160.0, 100.0)],
    )
    assert int(restored.text("#zoom-value").split()[0]) > 1.3 * before
    # The first finger's beginning was no stroke.
    assert np.array_equal(reads(restored), painted)


def test_another_threshold_searches_anew_and_can_be_taken_back(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    take(restored, "paint")
    restored.drag(*WAY)
    painted = reads(restored)
    restored.set_range("#strength", 80)
    restored.wait_for_status(DONE)
    picture, layers = backends_layers(backend, photo, painted=painted, strength=0.8)
    restored.wait(lambda: np.array_equal(shown(restored), together(picture, layers)))
    restored.set_range("#threshold", 0.3)
    _, layers = backends_layers(backend, photo, threshold=0.3)
    restored.wait(lambda: np.array_equal(reads(restored), layers[0].pixels[..., 0]))
    restored.wait_for_status(DONE)
    restored.find("#undo").click()
    assert np.array_equal(reads(restored), painted)
    assert restored.find("#repair").is_enabled()


def test_a_large_photo_gets_a_mask_of_its_full_size(
    page: Page, backend: ReviewBackend, large_photo: Path
) -> None:
    page.drop(large_photo)
    page.wait_for_status(DONE)
    diameter = take(page, "paint")
    scale = 320 / page.canvas("before")[0]
    page.drag(*WAY)
    small = reads(page)
    page.find("[data-format='openraster']").click()
    page.wait_for_status("handed to your browser")
    with zipfile.ZipFile(page.fetch_saved("large-layers.ora")) as archive:
        items = ElementTree.fromstring(archive.read("stack.xml")).iter("layer")
        (source,) = [item.attrib["src"] for item in items if item.attrib["name"] == "Scratch mask"]
        saved = np.asarray(Image.open(io.BytesIO(archive.read(source))))
    (page.downloads / "large-layers.ora").unlink()
    _, layers = backends_layers(backend, large_photo, "preview")
    found = enlarged(layers[0].pixels[..., 0], (320, 320))
    way = [(x * scale, y * scale) for x, y in WAY]
    assert is_close(saved, np.maximum(found, stroke((320, 320), way, diameter)))
    # The same mask, seen at both sizes.
    page.find("#whole-size").click()
    page.wait(lambda: page.canvas("veil")[0] == 320)
    page.wait_for_status(DONE)
    assert np.array_equal(reads(page), saved)
    page.find("#whole-size").click()
    page.wait(lambda: page.canvas("veil")[0] != 320)
    page.wait_for_status(DONE)
    assert np.array_equal(reads(page), small)


def test_a_threshold_that_was_dragged_leaves_no_veil_behind(restored: Page) -> None:
    assert not restored.find("#show-mask").is_selected()
    for value in (0.3, 0.25, 0.2):
        restored.set_range("#threshold", value, is_final=False)
    restored.run("document.querySelector('#status').textContent = '';")
    restored.set_range("#threshold", 0.15)
    restored.wait_for_status(DONE)
    # What was still looked for would come a moment later.
    time.sleep(2)
    assert not restored.find("#veil").is_displayed()


def test_strokes_are_repaired_after_a_first_restoration_that_was_cancelled(
    page: Page, large_photo: Path
) -> None:
    # At the moment in which there is a mask to paint on, and no layer yet.
    page.run(
        "const find = (selector) => document.querySelector(selector);"
        "const timer = setInterval(() => {"
        "  if (find('#tool-paint').disabled || find('#cancel').hidden) return;"
        "  clearInterval(timer);"
        "  find('#cancel').click();"
        "}, 1);"
    )
    page.drop(large_photo)
    page.wait_for_status("Cancelled")
    take(page, "paint")
    page.drag(*WAY)
    assert page.find("#repair").is_enabled()


def test_a_threshold_that_is_let_go_where_it_was_changes_nothing(restored: Page) -> None:
    before = shown(restored)
    chosen = restored.run("return document.querySelector('#threshold').value")
    drag_threshold_and_back(restored)
    restored.wait(lambda: not restored.find("#veil").is_displayed())
    # What was still looked for would come a moment later.
    time.sleep(2)
    assert not restored.find("#veil").is_displayed()
    assert restored.run("return document.querySelector('#threshold').value") == chosen
    assert np.array_equal(shown(restored), before)


def test_a_restoration_that_such_a_look_stops_begins_again(restored: Page) -> None:
    restored.set_range("#strength", 50)
    drag_threshold_and_back(restored)
    restored.wait_for_status(DONE)
    assert not restored.find("#again").is_displayed()
    assert not restored.find("#veil").is_displayed()


def drag_threshold_and_back(page: Page) -> None:
    """Take the slider's knob with the mouse, move it, and let it go where it was."""
    page.run("document.querySelector('#threshold').scrollIntoView()")
    x, y = page.run(
        "const slider = document.querySelector('#threshold');"
        "const {left, top, width, height} = slider.getBoundingClientRect();"
        "const share = (slider.value - slider.min) / (slider.max - slider.min);"
        "return [left + height / 2 + (width - height) * share, top + height / 2];"
    )
    for kind, moved in (
        ("Pressed", 0),
        ("Moved", 30),
        ("Moved", 60),
        ("Moved", 0),
        ("Released", 0),
    ):
        facts = {"type": f"mouse{kind}", "x": x + moved, "y": y, "button": "left", "clickCount": 1}
        page.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"buttons": 1, **facts})


def test_keys_with_alt_are_left_to_the_browser(restored: Page) -> None:
    take(restored, "paint")
    restored.run(
        "window.taken = 0; document.getElementById('view').focus();"
        "window.addEventListener('keydown', (event) => {taken += event.defaultPrevented;});"
        "for (const key of ['ArrowLeft', 'm', ' ']) document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', {key, altKey: true, bubbles: true, cancelable: true}));"
    )
    assert restored.run("return taken") == 0
    assert restored.find("#tool-paint").is_selected()


def test_keys_do_not_break_into_a_pointers_stroke(restored: Page, found: Pixels) -> None:
    take(restored, "paint")
    for kind, point in (("Pressed", WAY[0]), ("Moved", WAY[1])):
        x, y = restored.client(*point)
        facts = {"type": f"mouse{kind}", "x": x, "y": y, "button": "left", "clickCount": 1}
        restored.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"buttons": 1, **facts})
    restored.key(" ")
    restored.key("ArrowRight", shift=True)
    restored.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {**facts, "type": "mouseReleased"})
    assert not np.array_equal(reads(restored), found)
    restored.find("#undo").click()
    assert np.array_equal(reads(restored), found)
