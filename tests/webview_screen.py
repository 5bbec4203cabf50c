"""A screen for tests that open windows with pywebview."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.gimp.window import Screen
from tests.provision_webview import missing


@pytest.fixture(name="screen")
def webview_screen() -> Iterator[Screen]:
    """Skips where the toolkit is missing, which is a failure in CI."""
    lack = missing()
    if lack is not None:
        if os.environ.get("CI"):
            pytest.fail(f"the window is not tested: {lack}")
        pytest.skip(f"{lack}: python tests/provision_webview.py")
    screen = Screen()
    yield screen
    screen.close()
