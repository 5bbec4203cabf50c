"""A screen for tests that open windows with pywebview."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gimp.window import Screen
from tests.needs import require
from tests.provision_webview import missing


@pytest.fixture(name="screen")
def webview_screen() -> Iterator[Screen]:
    """Skips where the toolkit is missing, which is a failure in CI."""
    lack = missing()
    require(lack and f"what pywebview needs ({lack})", "python tests/provision_webview.py")
    screen = Screen()
    yield screen
    screen.close()
