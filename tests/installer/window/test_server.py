"""The window's server answers its own page and nobody else."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.errors import InstallationError
from installer.window import server as server_module
from installer.window.display import check_screen
from installer.window.server import WindowServer
from installer.window.session import Session, Wishes


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WindowServer]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    for name in ("RESTORE_OLD_PHOTO_HOME", "XDG_CONFIG_HOME", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".config" / "GIMP" / "3.0").mkdir(parents=True)
    session = Session(Wishes(), lambda _: None)
    server = WindowServer(session)
    closed = threading.Event()
    thread = threading.Thread(target=server.serve_until_closed, args=(closed.is_set,))
    thread.start()
    yield server
    closed.set()
    thread.join()


def ask(
    server: WindowServer, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any, http.client.HTTPMessage]:
    """Status, content and headers of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(content) if is_json else content, answer.headers


def token_of(server: WindowServer) -> dict[str, str]:
    """What the page sends along after it has used the key in its address."""
    key = server.address.split("#")[1]
    status, answer, _ = ask(server, "POST", "/session", {"key": key})
    assert status == 200
    return {"Authorization": f"Bearer {answer['token']}"}


def wait_for(server: WindowServer, token: dict[str, str], phase: str) -> dict[str, Any]:
    seen = 0
    for _ in range(100):
        _, state, _ = ask(server, "GET", f"/state?seen={seen}&line=0", **token)
        if state["phase"] == phase:
            return dict(state)
        seen = state["version"]
    raise AssertionError(f"it stays {state['phase']}")


def test_the_key_of_the_address_is_of_use_once(server: WindowServer) -> None:
    token = token_of(server)
    assert wait_for(server, token, "ready")["plan"]["state"] == "absent"
    key = server.address.split("#")[1]
    assert ask(server, "POST", "/session", {"key": key})[0] == 403
    assert ask(server, "POST", "/session", {"key": "guessed"})[0] == 403


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/state"), ("POST", "/start"), ("POST", "/stop")]
)
@pytest.mark.parametrize("words", ["", "Bearer", "Bearer guessed", "Basic x"])
def test_without_the_token_nothing_is_told_or_done(
    server: WindowServer, method: str, path: str, words: str
) -> None:
    body = {"task": "remove", "profiles": []} if method == "POST" else None
    assert ask(server, method, path, body, Authorization=words)[0] == 403
    assert server.session.wait(0, 0, 0)["task"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_a_foreign_host_or_page_is_refused_even_with_the_token(
    server: WindowServer, headers: dict[str, str]
) -> None:
    token = token_of(server)
    foreign = {name: value.format(port=server.port) for name, value in headers.items()}
    assert ask(server, "GET", "/", **foreign)[0] == 403
    assert ask(server, "GET", "/state?seen=0&line=0", **token, **foreign)[0] == 403
    assert ask(server, "POST", "/look", {}, **token, **foreign)[0] == 403


def test_its_own_page_may_name_itself(server: WindowServer) -> None:
    token = token_of(server)
    own = {"Origin": f"http://127.0.0.1:{server.port}"}
    assert ask(server, "POST", "/look", {}, **token, **own)[0] == 200


def test_the_page_may_load_nothing_from_elsewhere(server: WindowServer) -> None:
    for path in ("/", "/page.js", "/result.js", "/page.css", "/icon.svg", "/catalogue.json"):
        status, _, headers = ask(server, "GET", path)
        assert status == 200
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/../session.py", "/session.py", "/catalogue/en.json", "/x"])
def test_no_other_file_is_served(server: WindowServer, path: str) -> None:
    assert ask(server, "GET", path)[0] == 404


@pytest.mark.parametrize(
    ("body", "length", "status"),
    [(b"[]", "2", 400), (b"{", "1", 400), (b"", "99999999", 413), (b"", "-1", 413)],
)
def test_a_request_that_is_no_small_object_is_refused(
    server: WindowServer, body: bytes, length: str, status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/session", body, {"Content-Length": length})
    assert connection.getresponse().status == status
    connection.close()


@pytest.mark.parametrize("query", ["", "?seen=x&line=0", "?seen=0"])
def test_a_question_without_numbers_is_refused(server: WindowServer, query: str) -> None:
    assert ask(server, "GET", f"/state{query}", **token_of(server))[0] == 400


def test_a_profile_that_was_not_shown_is_refused(server: WindowServer, tmp_path: Path) -> None:
    token = token_of(server)
    wait_for(server, token, "ready")
    body = {"task": "install", "profiles": [str(tmp_path / "elsewhere")]}
    status, answer, _ = ask(server, "POST", "/start", body, **token)
    assert status == 409
    assert answer["message"] == {"code": "error.profiles-changed", "values": {}}
    assert ask(server, "POST", "/start", {"task": "format the disk"}, **token)[0] == 404


def test_the_plan_names_steps_profiles_and_sizes(server: WindowServer, tmp_path: Path) -> None:
    plan = wait_for(server, token_of(server), "ready")["plan"]
    assert [step["key"] for step in plan["steps"]][:3] == ["environment", "torch", "project"]
    folder = str(tmp_path / ".config" / "GIMP" / "3.0")
    facts = {"folder": folder, "version": "3.0", "condition": "absent", "obstacle": None}
    assert plan["profiles"] == [facts]
    assert plan["disk_bytes"] > plan["download_bytes"] > 0


def test_a_page_that_says_goodbye_and_stays_away_ends_the_server(
    server: WindowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(server)
    wait_for(server, token, "ready")
    monkeypatch.setattr(server_module, "_RETURN_SECONDS", 0.1)
    ask(server, "POST", "/bye", {}, **token)
    with pytest.raises(ConnectionError):
        ask_for_ever(server)


def ask_for_ever(server: WindowServer) -> None:
    while True:
        ask(server, "GET", "/x")


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "", "en"),
        ("?language=ja", "de", "ja"),
        ("?language=tlh&language=fr-CA", "de", "fr"),
        ("?language=../../x", "es", "es"),
    ],
)
def test_texts_come_in_the_language_of_the_choice_the_system_or_the_browser(
    server: WindowServer, query: str, header: str, language: str
) -> None:
    headers = {"Accept-Language": header}
    status, catalogue, _ = ask(server, "GET", f"/catalogue.json{query}", **headers)
    assert status == 200
    assert catalogue["language"] == catalogue["texts"]["language"] == language
    assert catalogue["names"]["zh-CN"] == "简体中文"


def test_the_address_names_the_languages_of_the_system_before_the_key(
    server: WindowServer,
) -> None:
    assert "?" not in server.address
    address, key = server.address_for(["zh-cn", "de"]).split("#")
    assert address.endswith("/?language=zh-cn&language=de")
    assert server.address.endswith(key)


@pytest.mark.parametrize("name", ["before", "after", "../install.log", ""])
def test_there_is_no_picture_before_the_installation(server: WindowServer, name: str) -> None:
    assert ask(server, "GET", f"/example/{name}")[0] == 403
    assert ask(server, "GET", f"/example/{name}", **token_of(server))[0] == 404


def test_without_an_installation_no_page_to_restore_a_photo_is_opened(
    server: WindowServer,
) -> None:
    token = token_of(server)
    wait_for(server, token, "ready")
    assert ask(server, "POST", "/review", {}, **token)[0] == 200
    state = server.session.wait(0, 0, 0)
    assert state["review"] == ""
    assert state["log"] == []


def test_a_machine_without_a_screen_is_told_the_command_for_the_terminal() -> None:
    with pytest.raises(InstallationError, match=r'no screen.*"python3 -m installer"'):
        check_screen({}, "linux")
    check_screen({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    check_screen({"BROWSER": "firefox"}, "linux")
    check_screen({}, "darwin")
