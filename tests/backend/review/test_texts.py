"""Every visible string of the page comes from its catalogues, and these have no other."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from plugin import catalogues
from plugin.shared.languages import placeholders
from plugin.shared.sentences import SENTENCES
from tests.plugin.test_sentences import called, message_of

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "backend" / "review" / "page"
SCRIPTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAGE.glob("*.js")))
HTML = (PAGE / "index.html").read_text(encoding="utf-8")
LANGUAGES = ["de", "en", "es", "fr", "ja", "zh-CN"]
# The lists from which the scripts put keys together, by what stands before the changing word.
LISTS = {"layers": "KINDS", "stage": "STAGES", "save": "FORMATS"}
# Codes that no user of the page meets, and why.
ELSEWHERE = {
    "file-missing": "the photo was just received",
    "file-is-folder": "the photo was just received",
    "file-kind": "the photo was just received",
    "file-permission": "the photo was just received",
    "file-exists": "files of the page have names of their own",
    "file-not-written": "said where a folder is named",
    "file-ending": "the page names the format",
    "format-size": "for JPEG and WebP, which the page does not save",
    "format-alpha": "for JPEG, which the page does not save",
    "upload": "the page sends what the protocol says",
    "input": "the page offers no such thing",
    "only-preview": "the page restores at full size before it saves",
    "unknown-asset": "a path that the page does not ask for",
}
# A string that a script shows, up to the end of its key.
SAID = r'\b(?:text|say|sayMeanwhile)\(\s*"([\w.]+)'
# What the page calls as the plug-in does.
SAME = {
    "app": "Restore Old Photo",
    "layers.face": "Faces",
    "layers.repair": "Scratch repair",
    "layers.restored": "Restored",
    "file.group": "Restored photo",
    "file.face": "Face {number}",
    "file.mask": "Scratch mask",
    "stage.scratches": "Finding scratches",
    "stage.restoration": "Restoring the picture",
    "stage.faces": "Finding faces",
    "stage.enhancement": "Enhancing faces",
    "stage.blending": "Blending the faces in",
    "value.percent": "{percent} %",
}
# Names of formats, and signs.
UNTRANSLATED = {"save.png", "save.openraster", "value.percent", "mask.pixels"}

each_language = pytest.mark.parametrize("language", LANGUAGES)
each_translation = pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])


@lru_cache
def catalogue(language: str = "en") -> dict[str, Any]:
    """A language's texts by their keys: a text, or a singular and a plural."""
    pairs = json.loads(
        (PAGE / "texts" / f"{language}.json").read_text(encoding="utf-8"), object_pairs_hook=list
    )
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return dict(pairs)


def forms(text: str | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else text


def used_keys() -> set[str]:
    keys = set(re.findall(r'data-(?:text|label)="([\w.]+)"', HTML))
    keys |= set(re.findall(SAID + '"', SCRIPTS))
    keys |= set(re.findall(r'\bkey: "([\w.]+)"', SCRIPTS))
    for beginning, ending in re.findall(r"text\(`([\w.]+)\.\$\{\w+\}([\w.]*)`", SCRIPTS):
        (words,) = re.findall(rf"const {LISTS[beginning]} = \[(.*?)\]", SCRIPTS)
        keys |= {f"{beginning}.{word}{ending}" for word in re.findall(r'"(\w+)"', words)}
    return keys | {f"refusal.{code}" for code in refusals()}


@lru_cache
def refusals() -> dict[str, str]:
    """The sentences by their codes with which the page's photos and files are refused."""
    return {code: sentence for code, sentence in raised().items() if code not in ELSEWHERE}


@lru_cache
def raised() -> dict[str, str]:
    """All that reading photos and the page's server side say, by its codes."""
    paths = [*(ROOT / "backend").glob("files*.py"), *(ROOT / "backend" / "review").glob("*.py")]
    found: dict[str, str] = {}
    for path in sorted(paths):
        if path.name == "command.py":
            continue
        for code, sentence in raised_in(ast.parse(path.read_text(encoding="utf-8"))):
            is_same = found.setdefault(code, sentence) == sentence
            assert is_same or code in ELSEWHERE, f"{code} has two sentences"
    return found


def raised_in(tree: ast.Module) -> Iterator[tuple[str, str]]:
    defaults = {"InputError": "input", "UploadError": "upload"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "default_code":
                    defaults[node.name] = ast.literal_eval(line.value)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not called(node).endswith("Error"):
            continue
        if any(word.arg == "code" for word in node.keywords):
            yield from message_of(node)
        elif called(node) in defaults:
            yield defaults[called(node)], str(getattr(node.args[0], "value", ""))


def test_the_catalogue_has_exactly_the_strings_that_are_used() -> None:
    assert len(catalogue()) > 90
    assert used_keys() == set(catalogue())


def test_the_page_itself_holds_no_words() -> None:
    body = HTML[HTML.index("<body>") :]
    words = [text.strip() for text in re.findall(r">([^<]+)<", body) if text.strip()]
    # What is left are the signs of the zoom.
    assert not [word for word in words if re.search(r"\w", word)]


def test_the_values_of_a_string_are_those_that_it_is_given() -> None:
    given = re.findall(SAID + r'",\s*(?:\(\) => \()?\{([^}]*)\}', SCRIPTS)
    assert len(given) > 10
    for key, values in given:
        names = set(re.findall(r"(?:^|,)\s*(\w+)\s*(?=[:,]|$)", values))
        assert placeholders(catalogue()[key]) == names, key


def test_refusals_are_said_as_the_backend_says_them() -> None:
    assert {code: catalogue()[f"refusal.{code}"] for code in refusals()} == refusals()
    assert not set(refusals()) & set(SENTENCES)
    assert set(ELSEWHERE) <= set(raised()), "a reason for a code that nobody raises"


def test_the_page_offers_the_languages_that_have_catalogues() -> None:
    assert sorted(path.stem for path in (PAGE / "texts").iterdir()) == LANGUAGES
    offered = re.findall(r'^  "?([\w-]+)"?: "', SCRIPTS[SCRIPTS.index("LANGUAGES = {") :], re.M)
    assert sorted(offered[: len(LANGUAGES)]) == LANGUAGES
    assert sorted(name.replace("_", "-") for name in catalogues.LANGUAGES) == sorted(
        set(LANGUAGES) - {"en"}
    )


@each_translation
def test_no_string_is_missing_or_left_over(language: str) -> None:
    # In the same order, too, so that translations are read side by side.
    assert list(catalogue(language)) == list(catalogue())


@each_language
def test_every_value_has_its_place(language: str) -> None:
    for key, text in catalogue(language).items():
        for form in forms(text):
            assert form.strip() == form != "", key
            assert placeholders(form) == placeholders(catalogue()[key]), key


@each_language
def test_counted_strings_have_the_forms_of_the_language(language: str) -> None:
    for key, text in catalogue(language).items():
        if isinstance(text, list):
            assert len(text) == 2, key
            assert "{count}" in text[0], key


@each_translation
def test_texts_end_like_the_english_ones(language: str) -> None:
    ends = str.maketrans("\u3002\uff1a", ".:")
    for key, text in catalogue(language).items():
        english = catalogue()[key]
        ending = english[-1] if english[-1] in ".:…" else ""
        found = forms(text)[-1].translate(ends)[-1]
        assert (found if found in ".:…" else "") == ending, key


@each_translation
def test_every_string_is_translated(language: str) -> None:
    ours, theirs = catalogue(), catalogue(language)
    # A word such as "Zoom" is the same in many languages.
    words = {key for key in ours if " " in ours[key] or len(ours[key]) > 8} - UNTRANSLATED
    assert not [key for key in words if theirs[key] == ours[key]]


@each_translation
def test_things_have_the_names_that_they_have_in_gimp(language: str) -> None:
    name = language.replace("-", "_")
    translations = catalogues.read(catalogues.translation_file(name), name)
    for key, english in SAME.items():
        message = translations.get(english)
        assert message is not None
        assert catalogue(language)[key] == message.string, key
        assert catalogue()[key] == english, key


@each_translation
def test_the_backends_sentences_are_those_of_the_plug_in(language: str) -> None:
    written = (PAGE / "sentences" / f"{language}.json").read_text(encoding="utf-8")
    expected = catalogues.page_sentences(language.replace("-", "_"))
    assert written == expected, "run python -m plugin.catalogues"
    assert set(json.loads(written)) == set(SENTENCES)
