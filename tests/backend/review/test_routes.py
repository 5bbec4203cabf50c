"""The server's side of the review page, with a real process and real sockets."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from backend.files import load_picture
from backend.review import photos
from backend.review.photos import reduced_mask
from tests.backend.review.serving import (
    PREVIEW_PIXELS,
    ReviewBackend,
    add_photo,
    layers_of,
    run_job,
    save_file,
    send_mask,
)

PAGE_FOLDER = Path(__file__).resolve().parents[3] / "backend" / "review" / "page"
FILES = sorted(path.relative_to(PAGE_FOLDER).as_posix() for path in PAGE_FOLDER.rglob("*.*"))
EVERYTHING = {kind: {"visible": True, "opacity": 100} for kind in ("restored", "repair", "face")}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["code"])


@pytest.fixture(scope="module")
def page(backend: ReviewBackend) -> httpx.Client:
    return backend.page()


@pytest.mark.parametrize("file", ["", *FILES])
def test_every_file_of_the_page_is_served_and_shut_off_from_strangers(
    backend: ReviewBackend, file: str
) -> None:
    answer = httpx.get(f"{backend.origin}/review/{file}")
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("file", FILES)
def test_the_page_needs_nothing_from_elsewhere(file: str) -> None:
    text = (PAGE_FOLDER / file).read_text(encoding="utf-8")
    addresses = set(re.findall(r"\w+://[^\s\"']+", text)) - {"http://www.w3.org/2000/svg"}
    assert not addresses


@pytest.mark.parametrize("file", ["../routes.py", "..%2froutes.py", "nothing.js", "texts/", "x.py"])
def test_other_files_are_not_served(page: httpx.Client, file: str) -> None:
    assert page.get(f"/review/{file}").status_code in (401, 403, 404)


def test_a_ticket_works_once(backend: ReviewBackend) -> None:
    ticket = {"ticket": backend.address().partition("#")[2]}
    first, second = (httpx.post(f"{backend.origin}/review/session", json=ticket) for _ in range(2))
    assert first.status_code == 200
    assert code_of(second) == (401, "ticket")


@pytest.mark.parametrize("key", ["", "wrong", "\xff"])
@pytest.mark.parametrize(
    "path", ["/review/status", "/review/photos/x/pixels", "/jobs/x", "/health"]
)
def test_without_a_key_the_page_gets_nothing(backend: ReviewBackend, path: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}".strip().encode("latin-1")}
    assert code_of(httpx.get(backend.origin + path, headers=headers)) == (401, "token")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("POST", "/shutdown"), ("POST", "/tickets")]
)
def test_a_page_cannot_do_what_a_program_can(
    backend: ReviewBackend, page: httpx.Client, method: str, path: str
) -> None:
    assert page.request(method, path, json={}).status_code == 403
    key = {"Authorization": page.headers["Authorization"]}
    assert httpx.request(method, backend.origin + path, json={}, headers=key).status_code == 401


@pytest.mark.parametrize("origin", ["http://example.org", "null", "http://127.0.0.1", "{own}0"])
@pytest.mark.parametrize("path", ["/review/", "/review/main.js", "/review/status", "/jobs/x"])
def test_a_foreign_page_is_refused_although_it_knows_the_key(
    backend: ReviewBackend, page: httpx.Client, path: str, origin: str
) -> None:
    headers = {"Origin": origin.format(own=backend.origin)}
    assert code_of(page.get(path, headers=headers)) == (403, "origin")


def test_a_page_that_was_resolved_to_this_machine_is_refused(
    backend: ReviewBackend, page: httpx.Client
) -> None:
    rebound = f"example.org:{backend.runtime.port}"
    headers = {"Host": rebound, "Origin": f"http://{rebound}"}
    assert code_of(page.get("/review/status", headers=headers)) == (403, "host")
    assert code_of(httpx.get(f"{backend.origin}/review/", headers={"Host": rebound})) == (
        403,
        "host",
    )


def test_a_small_photo_is_its_own_preview(page: httpx.Client, photo: Path) -> None:
    facts = add_photo(page, photo)
    assert facts["name"] == photo.name
    assert not facts["reduced"]
    pixels = page.get(f"/review/photos/{facts['id']}/pixels?size=preview").content
    assert pixels == load_picture(photo).pixels.tobytes()


def test_a_large_photo_is_reduced_and_shown_with_8_bit(
    page: httpx.Client, large_photo: Path
) -> None:
    facts = add_photo(page, large_photo)
    assert (facts["width"], facts["height"], facts["depth"]) == (320, 320, 16)
    assert facts["reduced"]
    width, height = facts["preview"]["width"], facts["preview"]["height"]
    assert width * height <= PREVIEW_PIXELS
    small = page.get(f"/review/photos/{facts['id']}/pixels?size=preview").content
    whole = page.get(f"/review/photos/{facts['id']}/pixels?size=whole").content
    assert (len(small), len(whole)) == (width * height * 3, 320 * 320 * 3)
    mean = np.frombuffer(whole, np.uint8).mean()
    assert np.frombuffer(small, np.uint8).mean() == pytest.approx(mean, abs=1.0)


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\x\\y.png", "..", "", "a\nb.png"])
def test_a_file_that_is_no_photo_is_one_sentence(page: httpx.Client, name: str) -> None:
    headers = {"X-File-Name": name.replace("\n", "%0A")}
    answer = page.post("/review/photos", content=b"no photo", headers=headers)
    assert code_of(answer) == (400, "file-format")
    assert "/" not in answer.json()["message"]


def test_photos_are_taken_in_although_the_private_folder_was_cleared(
    backend: ReviewBackend, page: httpx.Client, photo: Path
) -> None:
    add_photo(page, photo)
    assert list((backend.home / "run").glob("review-*"))
    for folder in (backend.home / "run").glob("review-*"):
        shutil.rmtree(folder)
    add_photo(page, photo)


@pytest.mark.parametrize(
    "options", [{"threshold": 7}, {"nothing": 1}, {"weights": "../x"}, {"strength": "much"}]
)
def test_options_that_are_none_are_refused(
    page: httpx.Client, photo: Path, options: dict[str, object]
) -> None:
    facts = add_photo(page, photo)
    order = {"size": "preview", "options": options}
    answer = page.post(f"/review/photos/{facts['id']}/jobs", json=order)
    if "weights" in options:
        # The service knows which names are possible; the job fails.
        events = page.get(f"/jobs/{answer.json()['id']}/events").text
        assert '"code": "options"' in events
    else:
        assert answer.status_code == 400


def mask_of(page: httpx.Client, job: str) -> npt.NDArray[np.uint8]:
    """(H, W), the mask that a job's layers were made with."""
    layer, data = next(item for item in layers_of(page, job) if item[0].kind == "mask")
    return np.frombuffer(data, np.uint8).reshape(layer.height, layer.width)


def test_a_painted_mask_is_what_is_repaired_at_every_size(
    page: httpx.Client, large_photo: Path
) -> None:
    facts = add_photo(page, large_photo)
    painted = np.zeros((320, 320), np.uint8)
    # A line so thin that it would be lost between the pixels of the preview.
    painted[100, 40:200] = 255
    painted[200:210, 50:60] = 200
    send_mask(page, facts["id"], painted.tobytes())
    for size in ("full", "whole"):
        job = run_job(page, facts["id"], size, painted=True, enhance_faces=False)
        assert np.array_equal(mask_of(page, job), painted)
        page.delete(f"/jobs/{job}")
    job = run_job(page, facts["id"], "preview", painted=True, enhance_faces=False)
    small = (facts["preview"]["height"], facts["preview"]["width"])
    assert np.array_equal(mask_of(page, job), reduced_mask(painted, small))
    assert (mask_of(page, job) == 255).sum() > 100


@pytest.mark.parametrize("size", [0, 1, 320 * 320 - 1, 320 * 320 + 1, 2 * 320 * 320])
def test_a_mask_of_another_size_is_refused(
    page: httpx.Client, large_photo: Path, size: int
) -> None:
    facts = add_photo(page, large_photo)
    answer = page.put(f"/review/photos/{facts['id']}/mask", content=bytes(size))
    assert answer.status_code == 400
    assert "102400 pixels" in answer.json()["message"]
    assert code_of(page.put("/review/photos/none/mask", content=b"")) == (404, "unknown-photo")


def test_nothing_is_repaired_where_nothing_was_painted(page: httpx.Client, photo: Path) -> None:
    order = {"size": "preview", "options": {}, "painted": True}
    answer = page.post(f"/review/photos/{add_photo(page, photo)['id']}/jobs", json=order)
    assert answer.status_code == 400
    assert "paint what is damaged" in answer.json()["message"]


def test_layers_are_called_as_the_page_calls_them(page: httpx.Client, photo: Path) -> None:
    job = run_job(page, add_photo(page, photo)["id"])
    names = {"group": "Restauriertes Foto", "face": "Gesicht {number}", "mask": "Kratzermaske"}
    order = {"job": job, "format": "openraster", "views": EVERYTHING, "names": names}
    path = page.post("/review/files", json=order).json()["path"]
    with zipfile.ZipFile(io.BytesIO(page.get(path).content)) as archive:
        stack = ElementTree.fromstring(archive.read("stack.xml"))
    found = [item.attrib["name"] for item in stack.iter() if "name" in item.attrib]
    assert found[:3] == ["Restauriertes Foto", "Faces", "Gesicht 1"]
    assert found[-2:] == ["Kratzermaske", photo.name]
    order["names"] = {"group": "x" * 100}
    assert page.post("/review/files", json=order).status_code == 422


def test_the_chosen_language_is_remembered_for_the_next_page(
    backend: ReviewBackend, page: httpx.Client
) -> None:
    def remembered() -> object:
        ticket = {"ticket": backend.address().partition("#")[2]}
        return httpx.post(f"{backend.origin}/review/session", json=ticket).json()["language"]

    assert remembered() is None
    try:
        page.put("/review/language", json={"language": "zh-CN"}).raise_for_status()
        assert remembered() == "zh-CN"
        for wrong in ("../x", "", "de_DE.UTF-8", "x" * 40):
            answer = page.put("/review/language", json={"language": wrong})
            assert answer.status_code == 422
        assert remembered() == "zh-CN"
        (backend.home / "review.json").write_text("no JSON")
        assert remembered() is None
        assert "review.json cannot be read" in backend.log
    finally:
        (backend.home / "review.json").unlink()


def test_a_preview_is_not_saved_in_place_of_the_photo(
    page: httpx.Client, large_photo: Path
) -> None:
    facts = add_photo(page, large_photo)
    job = run_job(page, facts["id"], enhance_faces=False)
    answer = save_file(page, job, "png", EVERYTHING)
    assert answer.status_code == 400
    assert "full size" in answer.json()["message"]


def test_who_has_no_key_cannot_send_much(backend: ReviewBackend) -> None:
    address = f"{backend.origin}/review/session"

    def endless() -> Iterator[bytes]:
        yield b'{"ticket": "x"}'

    for content in (b" " * 2000, endless()):
        answer = httpx.post(address, content=content)
        assert answer.status_code == 413
        assert answer.json()["message"] == "A session is opened with a short message."


def test_photos_of_other_pages_stay_as_long_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = photos.Photos()
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(path)
    names = [kept.add(path).id for _ in range(6)]
    assert [kept.get(name).id for name in names] == names
    monkeypatch.setattr(photos, "MOST_BYTES", 3 * 2 * 20 * 20 * 3)
    names.append(kept.add(path).id)
    for name in names[:-3]:
        with pytest.raises(photos.UnknownPhotoError):
            kept.get(name)
    assert [kept.get(name).id for name in names[-3:]] == names[-3:]


def test_a_file_is_handed_out_once_and_leaves_nothing_behind(
    backend: ReviewBackend, page: httpx.Client, photo: Path
) -> None:
    job = run_job(page, add_photo(page, photo)["id"], enhance_faces=False)
    path = save_file(page, job, "png", EVERYTHING).json()["path"]
    # A browser sends no key with a download.
    first, second = (httpx.get(backend.origin + path) for _ in range(2))
    assert first.content.startswith(b"\x89PNG")
    assert "attachment" in first.headers["content-disposition"]
    assert code_of(second) == (400, "unknown-file")
    (folder,) = (backend.home / "run").glob("review-*")
    assert not list(folder.iterdir())


def test_an_unfinished_or_unknown_job_is_not_saved(page: httpx.Client) -> None:
    assert code_of(save_file(page, "none", "png", EVERYTHING)) == (404, "unknown-job")


def test_no_secret_is_logged(backend: ReviewBackend, page: httpx.Client) -> None:
    ticket = backend.address().partition("#")[2]
    key = page.headers["Authorization"].removeprefix("Bearer ")
    log = backend.log
    assert "Serving" in log
    for secret in (ticket, key, backend.runtime.token):
        assert secret not in log
