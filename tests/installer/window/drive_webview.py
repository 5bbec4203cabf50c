"""Opens the installer's window with pywebview, uses it, and prints what it saw as JSON.

    python drive_webview.py SCREENSHOT-FOLDER

Run by Debian's own Python, in a checkout: a second thread plays the user.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import webview

sys.path.insert(0, str(Path.cwd()))

from installer.window.display import open_window
from installer.window.session import Wishes

# Much more than a busy machine takes.
PATIENCE_SECONDS = 400
DRAWING_SECONDS = 3
HEADLINE = "document.getElementById('headline').textContent"
FACTS = """
JSON.stringify({
  language: document.documentElement.lang,
  before: document.getElementById("before").naturalWidth,
  overflow: document.documentElement.scrollWidth - innerWidth,
  hasToken: location.href.includes("#"),
})
"""


def wait_until(is_reached: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_reached():
        if time.monotonic() > deadline:
            raise TimeoutError("it does not happen")
        time.sleep(0.2)


def shoot(target: Path) -> int:
    """Take a picture once something is drawn; returns how many colors it has."""
    colors = 0
    # WebKit shows what the page has become a moment later.
    time.sleep(DRAWING_SECONDS)

    def is_drawn() -> bool:
        nonlocal colors
        subprocess.run(["import", "-window", "root", str(target)], check=True)
        identify = ["identify", "-format", "%k", str(target)]
        colors = int(subprocess.run(identify, capture_output=True, text=True).stdout)
        return colors > 50

    wait_until(is_drawn)
    return colors


def use(folder: Path, seen: dict[str, Any]) -> None:
    """Install, look at the result, and close the window."""
    wait_until(lambda: webview.windows)
    window = webview.windows[0]
    try:
        window.events.loaded.wait(PATIENCE_SECONDS)
        headlines = seen["headlines"] = []
        for picture, click in (("webview-plan", "primary"), ("webview-ready", None)):
            wait_until(lambda: "…" not in (window.run_js(HEADLINE) or "…"))
            headlines.append(window.run_js(HEADLINE))
            seen[picture] = shoot(folder / f"{picture}.png")
            if click is not None:
                window.run_js(f"document.getElementById('{click}').click()")
                wait_until(lambda: window.run_js(HEADLINE) != headlines[-1])
        wait_until(lambda: json.loads(window.run_js(FACTS))["before"])
        seen.update(json.loads(window.run_js(FACTS)))
    finally:
        window.destroy()


def main() -> int:
    seen: dict[str, Any] = {}
    user = threading.Thread(target=use, args=(Path(sys.argv[1]), seen))
    user.start()
    status = open_window(Wishes())
    user.join()
    print(json.dumps(seen))
    return status


if __name__ == "__main__":
    sys.exit(main())
