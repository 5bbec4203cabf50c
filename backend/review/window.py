"""A window of its own for the page, where the optional package pywebview can make one."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from backend.loopback import spare_loopback

TITLE = "Restore Old Photo"
WIDTH, HEIGHT = 1360, 860
LEAST_SIZE = (640, 520)

QUESTION = "window.questionBeforeClosing"
"""What the page wants to be asked before it is closed; empty while nothing would be lost."""

LOOK_SECONDS = 0.5

log = logging.getLogger(__name__)


def open_window(address: str) -> bool:
    """Show a page until its window is closed, which is asked before something would be lost.

    Returns:
        False where nothing was shown: pywebview is missing, or finds no toolkit or screen.
    """
    try:
        import webview
    except ImportError:
        return False
    spare_loopback(os.environ)
    # Its own complaint would be a traceback; the browser takes over.
    logging.getLogger("pywebview").setLevel(logging.CRITICAL)
    try:
        webview.settings["ALLOW_DOWNLOADS"] = True
        window = webview.create_window(
            TITLE, address, width=WIDTH, height=HEIGHT, min_size=LEAST_SIZE
        )
        _Guard(window)
        webview.start()
    except webview.errors.WebViewException as error:
        log.info("No window: %s", error)
        return False
    return True


class _Guard:
    """Asks before a window is closed, while its page has a question.

    While it closes it cannot ask the page: both live in the same thread. So another one keeps
    looking, and a third shows the question after the window was kept open. Both are daemons: a
    page that is gone gives no answer.
    """

    def __init__(self, window: Any) -> None:
        self.window = window
        self.question = ""
        self.is_asking = False
        window.events.closing += self.may_close
        threading.Thread(target=self.look, daemon=True).start()

    def look(self) -> None:
        self.window.events.loaded.wait()
        while not self.window.events.closed.wait(LOOK_SECONDS):
            # Some platforms answer with JSON.
            self.question = str(self.window.run_js(QUESTION) or "").strip('"')

    def may_close(self) -> bool:
        if not self.question:
            return True
        if not self.is_asking:
            self.is_asking = True
            threading.Thread(target=self.ask, daemon=True).start()
        return False

    def ask(self) -> None:
        is_lost = self.window.create_confirmation_dialog(TITLE, self.question)
        if is_lost:
            self.window.events.closing -= self.may_close
            self.window.destroy()
        self.is_asking = False
