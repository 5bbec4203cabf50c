"""Which of the catalogues' languages a user reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from installer.messages import ENGLISH, languages, read_texts

# Readers of traditional characters set their programs to another language than to simplified ones.
_TRADITIONAL = re.compile(r"zh-(.*-)?(hant|tw|hk|mo)\b")


def choose_language(wanted: Iterable[str], offered: Iterable[str]) -> str:
    """The first wanted language that is offered, else English.

    Args:
        wanted: tags, the best first: "de-AT", "zh-Hans-CN"; whatever is none is passed over.
        offered: tags of the catalogues.
    """
    offers = {tag.lower(): tag for tag in offered}
    kin = {tag.split("-")[0]: offers[tag] for tag in sorted(offers, reverse=True)}
    for tag in (tag.strip().lower() for tag in wanted):
        if tag in offers:
            return offers[tag]
        if tag.split("-")[0] in kin and not _TRADITIONAL.match(tag):
            return kin[tag.split("-")[0]]
    return ENGLISH


def accepted_languages(header: str) -> list[str]:
    """The tags of an Accept-Language header, in its order: browsers sort it by weight."""
    return [item.split(";")[0].strip() for item in header.split(",")]


def system_languages(environment: Mapping[str, str]) -> list[str]:
    """The tags that the variables of a Unix session name, the best first; none for "C"."""
    found = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG")
    plain = {"", "c", "posix"}
    if _tag_of(found or "") in plain:
        return []
    # As gettext has it: LANGUAGE counts only where the locale is a language at all.
    names = [*environment.get("LANGUAGE", "").split(":"), found or ""]
    return [tag for tag in map(_tag_of, names) if tag not in plain]


def catalogue_for(language: str) -> dict[str, Any]:
    """What the page needs to speak a language: its texts, and the names of all languages."""
    return {
        "language": language,
        "texts": {**read_texts(ENGLISH), **read_texts(language)},
        "names": {tag: read_texts(tag)["language.name"] for tag in languages()},
    }


def _tag_of(locale: str) -> str:
    return re.split(r"[.@]", locale)[0].replace("_", "-").lower()
