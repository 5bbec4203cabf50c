"""Open the window: pywebview where Python has it, else the user's browser."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
import webbrowser
from collections.abc import Mapping

from backend.loopback import spare_loopback
from installer.console import say
from installer.errors import InstallationError
from installer.window.language import system_languages
from installer.window.server import WindowServer
from installer.window.session import Session, Wishes

_TITLE = "Restore Old Photo"
_WIDTH, _HEIGHT = 760, 860


def open_window(wishes: Wishes) -> int:
    """Show the window until the user closes it; returns the exit status.

    Raises:
        InstallationError: this machine has neither a screen nor a browser.
    """
    check_screen(os.environ, sys.platform)
    session = Session(wishes, say)
    server = WindowServer(session)
    closed = threading.Event()
    serving = threading.Thread(target=server.serve_until_closed, args=(closed.is_set,))
    serving.start()
    try:
        if _show_in_webview(server.address_for(system_languages(os.environ))):
            closed.set()
        else:
            _open_browser(server.address)
        if session.is_busy and closed.is_set():
            say("The window is closed; what was begun goes on here to its end.")
        # In pieces, so that Ctrl+C comes through on Windows as well.
        while serving.is_alive():
            serving.join(0.5)
    except BaseException:
        session.stop()
        closed.set()
        raise
    return 0


def check_screen(environment: Mapping[str, str], system: str) -> None:
    """Raises InstallationError where no window can open."""
    has_screen = system in ("win32", "darwin") or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if not has_screen:
        raise InstallationError("error.no-screen")


def _show_in_webview(address: str) -> bool:
    """Show it until it is closed; false where pywebview, or what it draws with, is missing."""
    if importlib.util.find_spec("webview") is None:
        return False
    import webview

    spare_loopback(os.environ)
    # It complains at length of each toolkit that is missing, and there is the browser.
    logging.getLogger("pywebview").setLevel(logging.CRITICAL)
    webview.create_window(_TITLE, address, width=_WIDTH, height=_HEIGHT)
    try:
        webview.start()
    except webview.WebViewException:
        return False
    return True


def _open_browser(address: str) -> None:
    try:
        is_open = webbrowser.open(address)
    except webbrowser.Error:
        is_open = False
    if not is_open:
        raise InstallationError("error.no-browser")
    say(
        "The installer is open in your browser; close that page to end it, or press Ctrl+C here.\n"
        f"If no page appeared, open this address, once:  {address}"
    )
