"""What the page remembers from one backend to the next: its language.

The browser itself cannot remember it: to a browser, each new port is another site.
"""

from __future__ import annotations

import json
import logging
import secrets
from pathlib import Path

from models.registry import data_folder

log = logging.getLogger(__name__)


def remembered_language() -> str | None:
    """The language that was chosen on the page, as a tag such as "zh-CN"; None if none was."""
    try:
        facts = json.loads(_file().read_text(encoding="utf-8"))
        return str(facts["language"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        # The page then speaks the browser's language, and the next choice mends the file.
        log.warning("%s cannot be read: %s", _file(), error)
        return None


def remember_language(language: str) -> None:
    """Keep a choice; where that is impossible, it ends with the page, and the log says so."""
    file = _file()
    partial = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    try:
        partial.write_text(json.dumps({"language": language}), encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        log.warning("%s cannot be written: %s", file, error)
        partial.unlink(missing_ok=True)


def _file() -> Path:
    return data_folder() / "review.json"
