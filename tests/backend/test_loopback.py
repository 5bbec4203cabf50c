"""No proxy comes between this machine and itself."""

from __future__ import annotations

import os
import sys
import urllib.request
from unittest.mock import MagicMock

import pytest

from backend.loopback import spare_loopback
from backend.review.window import open_window
from installer.window import display

PROXY = "http://proxy.invalid:3128"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        # Set first, so that what is set by the test goes with it.
        for each in (name, name.upper()):
            monkeypatch.setenv(each, "")
            monkeypatch.delenv(each)


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_loopback_joins_the_exceptions(name: str) -> None:
    environment = {"http_proxy": PROXY, name: "intranet"}
    spare_loopback(environment)
    assert environment["no_proxy"] == environment["NO_PROXY"] == "intranet,127.0.0.1,localhost"


@pytest.mark.parametrize("before", [{}, {"http_proxy": PROXY, "no_proxy": "*"}])
def test_what_is_well_stays(before: dict[str, str]) -> None:
    environment = dict(before)
    spare_loopback(environment)
    assert environment == before


@pytest.mark.parametrize("show", [open_window, display._show_in_webview])
def test_a_window_of_its_own_asks_no_proxy_for_its_page(
    monkeypatch: pytest.MonkeyPatch, show: object
) -> None:
    monkeypatch.setenv("http_proxy", PROXY)
    webview = MagicMock()
    spared = []
    webview.start = lambda: spared.append(urllib.request.proxy_bypass_environment("127.0.0.1:80"))
    monkeypatch.setitem(sys.modules, "webview", webview)
    monkeypatch.setattr("importlib.util.find_spec", MagicMock())
    assert callable(show)
    show("http://127.0.0.1:80/")
    assert spared == [True]
    assert os.environ["http_proxy"] == PROXY
