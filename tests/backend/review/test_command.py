"""The command `review`: what it says, and what it opens in which browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from plugin.shared.installation import clean_environment
from tests.backend.review.serving import ReviewBackend
from tests.backend.running import environment_for

# What `webbrowser` starts in place of a browser: it notes the address.
BROWSER = "import os, sys; open(os.environ['OPENED'], 'w').write(sys.argv[1])"


def run_review(home: Path, opened: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = opened.with_suffix(".py")
    program.write_text(BROWSER)
    environment = environment_for(
        home, BROWSER=f"{sys.executable} {program} %s", OPENED=str(opened)
    )
    environment.pop("DISPLAY", None)
    return subprocess.run(
        [sys.executable, "-m", "backend", "review", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )


def open_session(address: str) -> httpx.Response:
    page, _, ticket = address.partition("#")
    return httpx.post(f"{page}session", json={"ticket": ticket})


@pytest.mark.parametrize("choice", [["--browser"], []])
def test_the_page_opens_with_the_photo(
    backend: ReviewBackend, photo: Path, tmp_path: Path, choice: list[str]
) -> None:
    # Without --browser, too: where there is no screen, no window can be opened.
    answer = run_review(backend.home, tmp_path / "opened", str(photo), *choice)
    assert answer.returncode == 0, answer.stderr
    assert "open in your browser" in answer.stdout
    address = (tmp_path / "opened").read_text()
    assert address.startswith(f"{backend.origin}/review/#")
    assert address.partition("#")[2] not in answer.stdout + backend.log
    session = open_session(address).json()
    assert session["photo"]["name"] == photo.name
    assert 0 < session["threshold"] < 1


def test_the_page_opens_without_a_photo(backend: ReviewBackend, tmp_path: Path) -> None:
    assert run_review(backend.home, tmp_path / "opened", "--browser").returncode == 0
    assert open_session((tmp_path / "opened").read_text()).json()["photo"] is None


@pytest.mark.parametrize(
    ("content", "message"), [(None, "does not exist"), (b"Dear Grandmother", "is no PNG, JPEG")]
)
def test_what_is_no_photo_is_one_sentence(
    backend: ReviewBackend, tmp_path: Path, content: bytes | None, message: str
) -> None:
    letter = tmp_path / "letter.png"
    if content is not None:
        letter.write_bytes(content)
    answer = run_review(backend.home, tmp_path / "opened", str(letter))
    assert answer.returncode == 1
    assert message in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not (tmp_path / "opened").exists()


@pytest.mark.slow
def test_a_backend_is_started_where_none_runs(tmp_path: Path) -> None:
    environment = clean_environment(os.environ, str(tmp_path))
    installed = subprocess.run([sys.executable, "-c", "import backend"], env=environment, cwd="/")
    if installed.returncode != 0:
        pytest.skip("the project is not installed in this environment: python3 -m tests does it")
    answer = run_review(tmp_path, tmp_path / "opened", "--browser")
    assert answer.returncode == 0, answer.stderr
    runtime = json.loads((tmp_path / "run" / "runtime.json").read_text())
    try:
        assert open_session((tmp_path / "opened").read_text()).status_code == 200
    finally:
        httpx.post(
            f"http://127.0.0.1:{runtime['port']}/shutdown",
            headers={"Authorization": f"Bearer {runtime['token']}"},
        )
