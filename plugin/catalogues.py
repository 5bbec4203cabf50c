"""Bring the catalogues in plugin/locale up to date with the texts in the plug-in's code.

`python -m plugin.catalogues` collects the texts into the template, merges it into each language,
where new texts are empty and changed ones fuzzy, and compiles what is translated. What the backend
says is written for the review page, too, by its codes. Needs Babel.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from plugin.layout import LOCALE, catalogue_file
from plugin.shared.sentences import SENTENCES

DOMAIN = "restore-old-photo"
LANGUAGES = ("de", "es", "fr", "ja", "zh_CN")
TEMPLATE = LOCALE / f"{DOMAIN}.pot"
LINE_LENGTH = 100

# What these take as their first argument is text for the user; counted() takes two forms of it.
_CALLS = (
    *("N_", "say", "PluginError", "NotInstalledError", "StartError", "ConnectionLostError"),
    "RefusedError",
)
_KEYWORDS = {**dict.fromkeys(_CALLS), "counted": (1, 2)}
_HERE = Path(__file__).resolve().parent
# By code and language: the review page runs where no gettext is.
PAGE_SENTENCES = _HERE.parent / "backend" / "review" / "page" / "sentences"
_HEADER = "# The texts of Restore Old Photo in GIMP: made by python -m plugin.catalogues."


def extracted() -> Catalog:
    """The texts of the code as it is, without translations."""
    catalog = Catalog(
        project="Restore Old Photo",
        version="plug-in",
        header_comment=_HEADER,
        msgid_bugs_address="the issues of this project",
        charset="utf-8",
        fuzzy=False,
    )
    for folder in ("shared", "gimp2", "gimp3"):
        for path in sorted((_HERE / folder).rglob("*.py")):
            place = path.relative_to(_HERE.parent).as_posix()
            for _, message, comments, _ in extract_from_file("python", path, _KEYWORDS):
                catalog.add(message, None, [(place, 1)], auto_comments=comments)
    return catalog


def translation_file(language: str) -> Path:
    """The language's translations, for people to edit."""
    return LOCALE / f"{language}.po"


def read(path: Path, language: str | None = None) -> Catalog:
    """The catalogue in a .po or .pot file."""
    with path.open("rb") as file:
        return read_po(file, locale=language)


def is_same(one: Catalog, other: Catalog) -> bool:
    """Whether two catalogues have the same texts from the same files."""
    return _facts(one) == _facts(other)


def _facts(catalog: Catalog) -> list[object]:
    return [
        (message.id, sorted({place for place, _ in message.locations}))
        for message in catalog
        if message.id
    ]


def update() -> None:
    """Write the template, and merge it into each language."""
    template = extracted()
    if TEMPLATE.is_file() and is_same(template, read(TEMPLATE)):
        # A new date alone is no change.
        template = read(TEMPLATE)
    else:
        _write(TEMPLATE, template)
    for language in LANGUAGES:
        path = translation_file(language)
        catalog = read(path, language) if path.is_file() else Catalog(locale=language)
        catalog.update(template)
        _write(path, catalog)


def compile_catalogues() -> None:
    """Write the catalogues as gettext reads them; fuzzy translations are left out."""
    for language in LANGUAGES:
        target = catalogue_file(language)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            write_mo(file, read(translation_file(language), language))


def page_sentences(language: str) -> str:
    """The backend's sentences in a language as JSON: by code a text, or a singular and a plural."""
    catalog = read(translation_file(language), language)
    texts: dict[str, str | list[str]] = {}
    for code, template in sorted(SENTENCES.items()):
        message = catalog.get(template)
        if message is None or message.fuzzy or not message.string:
            continue
        forms = message.string
        texts[code] = forms if isinstance(forms, str) else list(forms)
    return json.dumps(texts, ensure_ascii=False, indent=2) + "\n"


def write_page_sentences() -> None:
    """Write the backend's sentences for the review page."""
    PAGE_SENTENCES.mkdir(exist_ok=True)
    for language in LANGUAGES:
        path = PAGE_SENTENCES / f"{language.replace('_', '-')}.json"
        path.write_text(page_sentences(language), encoding="utf-8")


def _write(path: Path, catalog: Catalog) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=LINE_LENGTH, include_lineno=False, ignore_obsolete=True)


def main() -> int:
    """Update, compile, hand on; says what is left to translate, and returns 1 if there is any."""
    update()
    compile_catalogues()
    write_page_sentences()
    missing = 0
    for language in LANGUAGES:
        for message in read(translation_file(language), language):
            texts = message.string if isinstance(message.string, tuple) else (message.string,)
            if message.id and (message.fuzzy or not all(texts)):
                print(f"{language}: {message.id}", file=sys.stderr)
                missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
