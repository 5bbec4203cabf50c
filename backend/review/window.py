"""A window of its own for the page, where the optional package pywebview can make one."""

from __future__ import annotations

import logging

TITLE = "Restore Old Photo"
WIDTH, HEIGHT = 1360, 860
LEAST_SIZE = (640, 520)

log = logging.getLogger(__name__)


def open_window(address: str) -> bool:
    """Show a page until its window is closed.

    Returns:
        False where nothing was shown: pywebview is missing, or finds no toolkit or screen.
    """
    try:
        import webview
    except ImportError:
        return False
    # Its own complaint would be a traceback; the browser takes over.
    logging.getLogger("pywebview").setLevel(logging.CRITICAL)
    try:
        webview.settings["ALLOW_DOWNLOADS"] = True
        webview.create_window(TITLE, address, width=WIDTH, height=HEIGHT, min_size=LEAST_SIZE)
        webview.start()
    except webview.errors.WebViewException as error:
        log.info("No window: %s", error)
        return False
    return True
