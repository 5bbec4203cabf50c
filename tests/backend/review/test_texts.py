"""Every visible string of the page comes from its catalogue, and the catalogue has no other."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "backend" / "review" / "page"
SCRIPTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAGE.glob("*.js")))
HTML = (PAGE / "index.html").read_text(encoding="utf-8")


def catalogue() -> dict[str, str]:
    text = (PAGE / "texts" / "en.js").read_text(encoding="utf-8")
    return dict(re.findall(r'^  "([\w.]+)": "(.*)",$', text, flags=re.MULTILINE))


def used_keys() -> set[str]:
    keys = set(re.findall(r'data-(?:text|label)="([\w.]+)"', HTML))
    keys |= set(re.findall(r'\b(?:text|say)\(\s*"([\w.]+)"', SCRIPTS))
    # Keys that are put together from a list in the scripts.
    for beginning, ending in re.findall(r"text\(`([\w.]+)\.\$\{\w+\}([\w.]*)`", SCRIPTS):
        pattern = re.compile(re.escape(beginning) + r"\.[a-z]+" + re.escape(ending) + r"$")
        keys |= {key for key in catalogue() if pattern.match(key)}
    return keys


def test_the_catalogue_has_exactly_the_strings_that_are_used() -> None:
    assert len(catalogue()) > 50
    assert used_keys() == set(catalogue())


def test_the_page_itself_holds_no_words() -> None:
    body = HTML[HTML.index("<body>") :]
    words = [text.strip() for text in re.findall(r">([^<]+)<", body) if text.strip()]
    # What is left are the signs of the zoom.
    assert not [word for word in words if re.search(r"\w", word)]


def test_the_values_of_a_string_are_those_that_it_is_given() -> None:
    for key, values in re.findall(r'\b(?:text|say)\(\s*"([\w.]+)",\s*\{([^}]*)\}', SCRIPTS):
        given = {part.split(":")[0].strip() for part in values.split(",")}
        assert set(re.findall(r"\{(\w+)\}", catalogue()[key])) == given, key
