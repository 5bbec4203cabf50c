"""Opens the review's window for a small page, and does what the standard input says.

Run by Debian's own Python in a checkout. Each line is a question that the page is to have from then
on, or "close"; what was done is answered with "done".
"""

from __future__ import annotations

import http.server
import sys
import threading
import time
from pathlib import Path

import webview

sys.path.insert(0, str(Path.cwd()))

from backend.review.window import LOOK_SECONDS, open_window

PATIENCE_SECONDS = 60
PAGE = b"<!DOCTYPE html><title>page</title><p>A page</p><script>questionBeforeClosing = ''</script>"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)


def use() -> None:
    while not webview.windows:
        time.sleep(0.1)
    window = webview.windows[0]
    window.events.loaded.wait(PATIENCE_SECONDS)
    print("done", flush=True)
    for line in sys.stdin:
        order = line.strip()
        if order != "close":
            window.run_js(f"questionBeforeClosing = '{order}'")
            time.sleep(3 * LOOK_SECONDS)
        # A window that closes ends the program, and this thread with it.
        print("done", flush=True)
        if order == "close":
            window.destroy()


if __name__ == "__main__":
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=use, daemon=True).start()
    sys.exit(0 if open_window(f"http://127.0.0.1:{server.server_address[1]}/") else 1)
