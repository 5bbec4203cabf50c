"""The command `review`: have a backend, give it the photo, and open the page."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from backend.command_choices import given_path
from backend.errors import InputError, RestorationError
from backend.review.window import open_window
from backend.runtime import runtime_file
from models.registry import data_folder
from plugin.shared import protocol
from plugin.shared.client import HOST
from plugin.shared.errors import PluginError
from plugin.shared.installation import Installation
from plugin.shared.launcher import connect_to

if TYPE_CHECKING:
    # argparse gives this type no public name.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# Decoding a large scan on a busy machine.
PATIENCE_SECONDS = 120.0


def add_review_command(commands: Commands) -> None:
    """Add `review` to the command line."""
    parser = commands.add_parser(
        "review",
        help="look at a restoration, adjust it and save its layers",
        description="Open a page on this machine that compares before and after, switches and "
        "fades each layer, and saves PNG, layered TIFF or OpenRaster.",
    )
    parser.add_argument(
        "photo", nargs="?", type=given_path, metavar="PHOTO", help="what to begin with"
    )
    parser.add_argument(
        "--browser",
        action="store_true",
        help="open the browser, even where a window of its own is possible (with pywebview)",
    )
    parser.set_defaults(run=run_review)


def run_review(chosen: argparse.Namespace) -> int:
    """Open the page; returns 0.

    Raises:
        RestorationError: the photo cannot be used, or the backend not be started.
    """
    if chosen.photo is not None and not chosen.photo.is_file():
        raise InputError(
            f"{chosen.photo} does not exist, or is no file: check the name.", code="file-missing"
        )
    runtime = _running_backend()
    photo_id = None if chosen.photo is None else _send_photo(runtime, chosen.photo)
    ticket = _ask(runtime, "/tickets", json.dumps({"photo": photo_id}).encode())
    address = f"http://{HOST}:{runtime.port}{ticket['path']}"
    if not chosen.browser and open_window(address):
        return 0
    if webbrowser.open(address):
        print("The page is open in your browser; the program behind it ends by itself.")
    else:
        print(f"Open this address in a browser on this machine, once: {address}")
    return 0


def _running_backend() -> protocol.Runtime:
    installation = Installation(sys.executable, str(data_folder()))
    try:
        # Nobody is watched: the page may outlive this command, and keeps the backend awake itself.
        connect_to(installation, None, os.environ)
        return protocol.decode_runtime(runtime_file().read_bytes())
    except PluginError as error:
        raise RestorationError(str(error), code=error.code) from error
    except (OSError, protocol.ProtocolError) as error:
        raise RestorationError(
            f"The restoration program ended again ({error}): try once more.", code="backend-lost"
        ) from error


def _send_photo(runtime: protocol.Runtime, photo: Path) -> str:
    name = {"X-File-Name": quote(os.fsencode(photo.name))}
    try:
        return str(_ask(runtime, "/review/photos", photo.read_bytes(), name)["id"])
    except OSError as error:
        raise InputError(
            f"{photo} cannot be read ({error.strerror or error}): check its permissions.",
            code="file-permission",
        ) from error


def _ask(
    runtime: protocol.Runtime, path: str, body: bytes, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    connection = http.client.HTTPConnection(HOST, runtime.port, timeout=PATIENCE_SECONDS)
    every = {
        "Authorization": f"Bearer {runtime.token}",
        "Content-Type": "application/json",
        **(headers or {}),
    }
    try:
        connection.request("POST", path, body, every)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RestorationError(
            f"The restoration program stopped answering ({error}): try again.", code="backend-lost"
        ) from error
    finally:
        connection.close()
    if response.status >= http.client.BAD_REQUEST:
        raise RestorationError(str(answer["message"]), code=str(answer["code"]))
    return answer
