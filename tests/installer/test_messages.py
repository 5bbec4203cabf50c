"""Every sentence that the code or the page names is there, in every language, with its values."""

from __future__ import annotations

import ast
import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from installer.errors import InstallationError, unforeseen
from installer.messages import Bytes, Seconds, languages, message, read_texts, reason_of
from plugin.catalogues import read, translation_file

CHECKOUT = Path(__file__).resolve().parent.parent.parent
INSTALLER = CHECKOUT / "installer"
WINDOW = INSTALLER / "window"
LANGUAGES = ["de", "en", "es", "fr", "ja", "zh-CN"]
OTHERS = [language for language in LANGUAGES if language != "en"]
# Codes that are put together: their beginning, in Python and in the page.
COMPUTED = ("step.torch.",)
# The same in several languages, and rightly so.
SAME = {
    *("title", "language", "version", "gimp.title", "gimp.profile"),
    *("progress.file", "progress.file.unknown", "size.about", "size.source", "size.download"),
    *("log.title", "log.step", "log.error", "log.pip-alone"),
    *("result.gimp", "result.gimp.menu", "result.program"),
}


@dataclass(frozen=True)
class Call:
    """A message in the code."""

    place: str
    code: str
    names: frozenset[str]
    has_more: bool


def calls() -> Iterator[Call]:
    """All messages of the installer that are named by a literal code."""
    for path in sorted(INSTALLER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id not in ("message", "InstallationError") or not node.args:
                continue
            code = node.args[0]
            if isinstance(code, ast.Constant):
                names = frozenset(word.arg for word in node.keywords if word.arg is not None)
                has_more = any(word.arg is None for word in node.keywords)
                place = f"{path.relative_to(CHECKOUT)}:{node.lineno}"
                yield Call(place, str(code.value), names, has_more)


def placeholders(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{([^{}]*)\}", text)))


def page_keys() -> set[str]:
    """The texts that the page names."""
    page = (WINDOW / "page.html").read_text(encoding="utf-8")
    keys = set(re.findall(r'data-(?:text|label|alt)="([^"]+)"', page))
    for path in WINDOW.glob("*.js"):
        script = path.read_text(encoding="utf-8")
        keys |= set(re.findall(r'"((?:[a-z-]+\.)+[a-z-]+)"', script))
    return {key for key in keys if not key.endswith((".js", ".json"))}


def page_prefixes() -> tuple[str, ...]:
    scripts = "".join(path.read_text(encoding="utf-8") for path in WINDOW.glob("*.js"))
    return tuple(set(re.findall(r"`([a-z.]+\.)\$\{", scripts)))


def code_words() -> set[str]:
    """All literals of the code that could be codes."""
    words: set[str] = set()
    for path in INSTALLER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
    return words


def test_there_are_six_languages_and_each_has_every_text() -> None:
    assert languages() == LANGUAGES
    english = read_texts("en").keys()
    for language in OTHERS:
        assert list(read_texts(language)) == list(english), language


@pytest.mark.parametrize("language", OTHERS)
def test_every_translation_keeps_the_placeholders(language: str) -> None:
    for code, english in read_texts("en").items():
        assert placeholders(read_texts(language)[code]) == placeholders(english), code


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_was_left_in_english(language: str) -> None:
    texts = read_texts(language)
    english = read_texts("en")
    same = {code for code in texts if texts[code] == english[code]} - SAME
    assert same == set()
    assert all(text.strip() for text in texts.values())
    assert texts["language"] == language


@pytest.mark.parametrize("language", ["ja", "zh-CN"])
def test_chinese_and_japanese_are_written_in_their_own_characters(language: str) -> None:
    texts = read_texts(language)
    latin = {code for code, text in texts.items() if not re.search(r"[぀-ヿ一-鿿]", text)}
    assert latin <= SAME, latin - SAME


def test_every_message_of_the_code_has_its_text_and_all_its_values() -> None:
    english = read_texts("en")
    found = list(calls())
    assert len(found) > 60
    for call in found:
        assert call.code in english, call
        wanted = set(placeholders(english[call.code]))
        assert wanted == call.names or (call.has_more and call.names <= wanted), call


def test_every_text_that_the_page_names_is_there_and_none_is_left_over() -> None:
    english = read_texts("en")
    keys = page_keys()
    assert keys <= english.keys(), keys - english.keys()
    used = keys | code_words()
    unused = {
        code
        for code in english
        if code not in used and not code.startswith((*page_prefixes(), *COMPUTED))
    }
    assert unused == set()


def test_words_are_those_of_gimps_menu() -> None:
    """The window sends people to the menu entry that GIMP shows in the same language."""
    for language in OTHERS:
        catalog = read(translation_file(language.replace("-", "_")))
        folder = catalog.get("<Image>/Filters/Restore Old Photo")
        entry = catalog.get("_Restore...")
        assert folder is not None
        assert entry is not None
        # The mnemonic is underlined in the menu; Chinese and Japanese append it in brackets.
        shown = re.sub(r"\(_\w\)|_", "", str(entry.string))
        # GIMP words the menu Filters by itself.
        path = [*str(folder.string).split("/")[2:], shown]
        assert read_texts(language)["result.gimp.path"].split(" > ")[1:] == path


def test_a_message_is_english_for_a_terminal_and_a_code_with_values_for_the_page() -> None:
    inner = message("reason.no-space")
    outer = message("error.download-not-stored", folder=Path("/tmp/a b"), reason=inner)
    assert str(outer).startswith("What is downloaded cannot be stored in /tmp/a b (no space left")
    assert outer.facts() == {
        "code": "error.download-not-stored",
        "values": {
            "folder": str(Path("/tmp/a b")),
            "reason": {"code": "reason.no-space", "values": {}},
        },
    }
    sized = message("log.downloading", name="torch.whl", size=Bytes(190_100_000))
    assert str(sized) == "downloading torch.whl (190 MB)"
    assert sized.facts()["values"]["size"] == {"bytes": 190_100_000}
    timed = message("log.step-done", time=Seconds(2.4))
    assert str(timed) == "done in 2 s"
    assert timed.facts()["values"]["time"] == {"seconds": 2.4}


def test_what_the_system_refuses_is_a_reason_that_can_be_translated() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/data/x")
    assert reason_of(full) == message("reason.no-space")
    assert reason_of(OSError(errno.EMLINK, "Too many links")) == "Too many links"
    assert str(unforeseen(full)) == (
        "The installer cannot use /data/x (no space left on the disk): mend that, then try again."
    )
    assert "refused something (no space" in str(unforeseen(OSError(errno.ENOSPC, "full")))


def test_an_error_reads_as_its_english_sentence() -> None:
    error = InstallationError("error.sudo", user="anna")
    assert "for root and not for anna" in str(error)
    assert error.message == message("error.sudo", user="anna")
