"""The review page in a real Chromium, with the real backend and the bundled weights."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import tifffile

from backend.composition import put_layer
from backend.files import load_picture
from backend.images import Picture, Pixels
from backend.jobs import LayerData
from backend.results import ResultLayer
from backend.review.document import result_layers
from installer.project import CHECKOUT
from plugin.shared import protocol
from tests.backend.review.browser import Page, running_browser
from tests.backend.review.serving import (
    ReviewBackend,
    add_photo,
    layers_of,
    review_backend,
    run_job,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SCREENSHOTS = CHECKOUT / "build" / "screenshots"
DONE = "Restored in"


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


def backends_layers(
    backend: ReviewBackend, photo: Path, size: str = "full", **options: Any
) -> tuple[Picture, list[ResultLayer]]:
    """A photo and its layers as the backend makes them for anybody."""
    with closing(backend.page()) as client:
        job = run_job(client, add_photo(client, photo)["id"], size, **options)
        picture = load_picture(photo)
        channels, depth = picture.pixels.shape[2], 8 * picture.pixels.dtype.itemsize
        header = protocol.RequestHeader(
            picture.size.width, picture.size.height, channels, depth, byte_order="little"
        )
        found = [
            LayerData(layer, tuple(part for part in protocol.split_pixels(layer, data) if part))
            for layer, data in layers_of(client, job)
        ]
        client.delete(f"/jobs/{job}")
    return picture, result_layers(header, found)


def together(
    picture: Picture, layers: list[ResultLayer], opacities: dict[str, int] | None = None
) -> Pixels:
    """What is seen of the layers; opacities are by kind, 0 where a layer is switched off."""
    color = picture.color.copy()
    for layer in layers:
        if layer.kind != "mask":
            put_layer(color, layer, (opacities or {}).get(layer.kind, 100))
    return color


def shown(page: Page, pane: str = "after") -> Pixels:
    width, height, data = page.canvas(pane)
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)[..., :3]


def border(page: Page) -> int:
    return int(page.find("#divider").get_attribute("aria-valuenow") or "-1")


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


def test_layers_are_switched_and_faded_at_once(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    picture, layers = backends_layers(backend, photo)
    for opacities in ({"restored": 0}, {"restored": 35}, {"restored": 35, "repair": 60, "face": 0}):
        for kind in ("restored", "repair", "face"):
            wanted = opacities.get(kind, 100)
            switch = restored.find(f"#show-{kind}")
            if switch.is_selected() != (wanted > 0):
                switch.click()
            restored.set_range(f"#opacity-{kind}", wanted or 100)
        expected = together(picture, layers, opacities)
        restored.wait(lambda expected=expected: np.array_equal(shown(restored), expected))


def test_hiding_the_restored_layer_leaves_the_photo_untouched_outside_the_repair(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    for kind in ("restored", "face"):
        restored.find(f"#show-{kind}").click()
    picture, layers = backends_layers(backend, photo)
    undamaged = layers[0].pixels[..., 0] == 0
    restored.wait(lambda: np.array_equal(shown(restored)[undamaged], picture.pixels[undamaged]))
    assert not np.array_equal(shown(restored), picture.pixels)


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
    for _ in range(30):
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


def test_the_mask_is_seen_while_the_threshold_moves(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    assert not restored.find("#veil").is_displayed()
    restored.set_range("#threshold", 0.3, is_final=False)
    detection = {"repair_scratches": False, "whole_picture": False, "enhance_faces": False}
    _, (mask,) = backends_layers(backend, photo, threshold=0.3, **detection)
    restored.wait(lambda: np.array_equal(veil(restored), mask.pixels[..., 0]))
    restored.set_range("#threshold", 0.3)
    restored.wait(lambda: not restored.find("#veil").is_displayed())
    restored.wait_for_status(DONE)
    picture, layers = backends_layers(backend, photo, threshold=0.3)
    assert np.array_equal(shown(restored), together(picture, layers))
    restored.find("#recommended").click()
    restored.wait_for_status(DONE)


def veil(page: Page) -> Pixels:
    width, height, data = page.canvas("veil")
    return np.frombuffer(data, np.uint8).reshape(height, width, 4)[..., 3]


def test_strength_is_seen_at_once_and_restored_exactly_when_let_go(
    restored: Page, backend: ReviewBackend, photo: Path
) -> None:
    full = shown(restored).astype(int)
    restored.set_range("#strength", 50, is_final=False)
    restored.wait(lambda: not np.array_equal(shown(restored), full))
    restored.set_range("#strength", 50)
    picture, layers = backends_layers(backend, photo, strength=0.5)
    expected = together(picture, layers)
    restored.wait(lambda: np.array_equal(shown(restored), expected))


def test_a_restoration_can_be_cancelled_and_taken_up_again(page: Page, photo: Path) -> None:
    page.drop(photo)
    page.wait(lambda: page.find("#cancel").is_displayed())
    page.find("#cancel").click()
    page.wait_for_status("Cancelled")
    page.find("#again").click()
    page.wait_for_status(DONE)


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


def check_file(page: Page, photo: Path, kind: str, expected: Pixels, picture: Picture) -> None:
    """Compare a download with what it should hold."""
    ending = {"png": "-restored.png", "tiff": "-layers.tif", "openraster": "-layers.ora"}[kind]
    path = page.fetch_saved(photo.stem + ending)
    if kind == "png":
        found = load_picture(path)
        assert np.array_equal(found.pixels, expected)
        if picture.metadata.dpi is not None:
            assert found.metadata.dpi == pytest.approx(picture.metadata.dpi, abs=0.1)
    elif kind == "tiff":
        with tifffile.TiffFile(path) as file:
            assert np.array_equal(file.pages[0].asarray(), expected)
            assert file.pages[2].tags.valueof("PageName") == photo.name
            assert np.array_equal(file.pages[2].asarray(), picture.pixels)
    else:
        with zipfile.ZipFile(path) as archive:
            data = np.frombuffer(archive.read("mergedimage.png"), np.uint8)
        merged = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
        assert np.array_equal(merged[..., ::-1], expected)
    path.unlink()


def test_a_file_that_is_no_photo_is_refused_in_one_sentence(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear Grandmother")
    page.drop(text)
    page.wait(lambda: page.find("#message").is_displayed())
    assert "letter.txt is no PNG, JPEG, TIFF or WebP picture" in page.text("#message-text")
    page.find("#message-close").click()
    assert not page.find("#message").is_displayed()
    # The browser itself notes each refusal; nothing else may be said.
    assert all("400" in entry for entry in page.complaints())


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
