"""The catalogues are complete and true to the code, and the plug-in speaks from them."""

from __future__ import annotations

import gettext
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from babel.messages.catalog import Catalog, Message

from plugin import catalogues
from plugin.layout import catalogue_file, install_plugin
from plugin.shared import names, options
from plugin.shared.languages import (
    DOMAIN,
    ENGLISH,
    FOLDER,
    Language,
    in_every_language,
    placeholders,
)
from plugin.shared.sentences import SENTENCES
from plugin.stubs.constants import RGB_IMAGE
from plugin.stubs.items import Layer
from tests.gimp.fake_backend import FakeBackend
from tests.plugin.stub_runs import ROOT, Array, image_of, run_command
from tests.plugin.stub_runs import names as layer_names
from tests.plugin.test_old_pythons import interpreters

PYTHONS = [sys.executable, *[path for path in interpreters() if "2.7" in path][:1]]
# The letters of the buttons that GIMP's own dialog has: Reset, Cancel, OK, and their translations.
TAKEN = {"de": "zao", "es": "rca", "fr": "rano", "ja": "rco", "zh_CN": "rco"}
# What ends a sentence in one script and in another.
ENDINGS = str.maketrans("\u3002\uff1a\uff01\uff1f", ".:!?")

each_language = pytest.mark.parametrize("language", catalogues.LANGUAGES)


def catalogue(language: str) -> Catalog:
    return catalogues.read(catalogues.translation_file(language), language)


def messages(language: str) -> Iterator[tuple[Message, list[str], list[str]]]:
    """Each message with its English forms and its translated ones."""
    for message in catalogue(language):
        if message.id:
            yield message, forms(message.id), forms(message.string)


def forms(texts: str | tuple[str, ...] | list[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def translator(language: str) -> Language:
    compiled = gettext.translation(DOMAIN, FOLDER, [language])
    return Language(compiled.gettext, compiled.ngettext)


def test_the_template_has_the_texts_of_the_code() -> None:
    template = catalogues.read(catalogues.TEMPLATE)
    assert catalogues.is_same(template, catalogues.extracted()), "run python -m plugin.catalogues"


def test_every_text_of_the_dialogs_and_of_the_backend_is_in_the_template() -> None:
    known = {form for message in catalogues.read(catalogues.TEMPLATE) for form in forms(message.id)}
    shown = [action.title for action in options.ACTIONS]
    for action in options.ACTIONS:
        shown += [action.menu_label, action.blurb]
        for argument in action.arguments:
            shown += [argument.label, argument.blurb]
            if isinstance(argument, options.Choice):
                shown += [text for _, *texts in argument.values for text in texts]
    shown += [form for template in SENTENCES.values() for form in forms(template)]
    assert not set(shown) - known


@each_language
def test_nothing_is_missing_or_uncertain(language: str) -> None:
    template = catalogues.read(catalogues.TEMPLATE)
    translated = catalogue(language)
    assert {message.id for message in translated} == {message.id for message in template}
    assert not translated.obsolete
    for message, _, theirs in messages(language):
        assert all(text.strip() for text in theirs), f"{message.id} is not translated"
        assert not message.fuzzy, f"{message.id} has changed"
        count = translated.num_plurals if isinstance(message.id, tuple) else 1
        assert len(theirs) == count, message.id


@each_language
def test_every_value_has_its_place(language: str) -> None:
    for message, ours, theirs in messages(language):
        for text in theirs:
            assert placeholders(text) == placeholders(ours[-1]), message.id
            assert "%s" not in text
            assert "%d" not in text


@each_language
def test_texts_begin_and_end_like_the_english_ones(language: str) -> None:
    def ending(text: str) -> str:
        found = re.search(r"[.:!?]*$", text.translate(ENDINGS))
        assert found is not None
        return found.group()

    for message, ours, theirs in messages(language):
        for text in theirs:
            assert text == text.strip(), message.id
            assert text.count("\n") == ours[0].count("\n"), message.id
            assert ending(text) == ending(ours[0]), message.id


@each_language
def test_mnemonics_are_where_they_are_in_english(language: str) -> None:
    for message, ours, theirs in messages(language):
        if message.id in labels():
            assert len(re.findall(r"_[A-Za-z]", theirs[0])) == ours[0].count("_") == 1, message.id


def labels() -> set[str]:
    arguments = {argument.label for action in options.ACTIONS for argument in action.arguments}
    return arguments | {action.menu_label for action in options.ACTIONS} | {"_Cancel"}


@each_language
def test_mnemonics_differ_within_a_dialog_and_within_the_menu(language: str) -> None:
    say = translator(language).say

    def letter(label: str) -> str:
        text = say(label)
        return text[text.index("_") + 1].lower()

    menu = [letter(action.menu_label) for action in options.ACTIONS]
    assert len(set(menu)) == len(menu)
    for action in options.ACTIONS:
        used = [letter(argument.label) for argument in action.arguments]
        assert len(set(used)) == len(used), used
        assert not set(used) & set(TAKEN[language]), used


@each_language
def test_what_a_text_names_is_called_so(language: str) -> None:
    """A sentence that sends the user somewhere uses the words that stand there."""
    say = translator(language).say
    found = {message.id: theirs[0] for message, _, theirs in messages(language)}
    assert say(options.MENU_PATH) == f"<Image>/Filters/{say(options.RESTORE.title)}"
    (advice,) = [text for name, text in found.items() if "run Detect Scratches first" in name]
    assert say(options.DETECT.title) in advice
    for code in ("cuda-missing", "cuda-not-built"):
        for word in ("Automatic", "Processor"):
            assert say(word) in found[SENTENCES[code]]
    kinds = {names.layer_name(kind, 1, translator(language)) for kind in names._BY_KIND}
    assert len(kinds | {say(names.GROUP), say(names.FACES)}) == len(names._BY_KIND) + 2


@each_language
def test_the_compiled_catalogue_is_that_of_the_translations(language: str) -> None:
    with catalogue_file(language).open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for message, ours, theirs in messages(language):
        found = [compiled.gettext(ours[0])]
        if len(ours) == 2:
            found = [compiled.ngettext(ours[0], ours[1], count) for count in range(30)]
        assert set(found) == set(theirs), f"{message.id}: run python -m plugin.catalogues"


def test_an_installed_plug_in_has_every_catalogue(tmp_path: Path) -> None:
    for generation in (2, 3):
        install_plugin(tmp_path, {"python": "p", "home": "h", "version": "1"}, generation)
        folder = tmp_path / "restore-old-photo" / "locale"
        found = {path.parent.parent.name for path in folder.rglob(f"{DOMAIN}.mo")}
        assert found == set(catalogues.LANGUAGES)
        assert not list(folder.rglob("*.po*")), "what people edit is not for users"


SAY_ALL = """
from __future__ import unicode_literals
import io, json, sys
from plugin.shared.languages import environment_language
with io.open(sys.argv[1], encoding="utf-8") as file:
    texts = json.load(file)
language = environment_language()
said = [language.say(tuple(t), count=3) if len(t) == 2 else language.say(t[0]) for t in texts]
with io.open(sys.argv[1], "w", encoding="ascii") as file:
    file.write(type("")(json.dumps(said)))
"""


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("variable", ["LANGUAGE", "LC_ALL", "LANG"])
def test_every_python_says_the_same(tmp_path: Path, python: str, variable: str) -> None:
    for language in catalogues.LANGUAGES:
        wanted = [(ours, theirs) for _, ours, theirs in messages(language)]
        exchange = tmp_path / "texts.json"
        exchange.write_text(json.dumps([ours for ours, _ in wanted]), encoding="utf-8")
        value = language if variable == "LANGUAGE" else f"{language}.UTF-8"
        command = [python, "-B", "-c", SAY_ALL, str(exchange)]
        subprocess.run(command, cwd=ROOT, env={variable: value}, check=True, timeout=60)
        expected = [
            theirs[-1].format(count=3) if len(ours) == 2 else theirs[0] for ours, theirs in wanted
        ]
        assert json.loads(exchange.read_text()) == expected


def test_a_language_without_a_catalogue_is_english() -> None:
    program = (
        "from plugin.shared.languages import environment_language as e; print(e().say('Faces'))"
    )
    for value in ("it", "en_GB.UTF-8", "C"):
        command = [sys.executable, "-c", program]
        answer = subprocess.check_output(command, cwd=ROOT, env={"LANG": value}, text=True)
        assert answer == "Faces\n"


def test_a_count_decides_between_singular_and_plural() -> None:
    template = SENTENCES["busy"]
    assert ENGLISH.say(template, count=1).startswith("1 photo is waiting")
    assert translator("fr").say(template, count=1).startswith("1 photo attend")
    assert translator("fr").say(template, count=4).startswith("4 photos attendent")


def test_braces_in_a_value_stay_as_they_are() -> None:
    assert ENGLISH.say("In {folder}: {folder}.", folder="{log}") == "In {log}: {log}."
    assert translator("de").say("") == ""


@pytest.mark.parametrize("suffix", ["", " #1"])
def test_a_scratch_mask_is_known_by_its_name_in_any_language(suffix: str) -> None:
    called = in_every_language(names.MASK)
    assert len(set(called)) == len(catalogues.LANGUAGES) + 1
    assert all(names.is_mask_name(name + suffix) for name in called)
    assert not names.is_mask_name("Background")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[tuple[FakeBackend, Path]]:
    """A predictable backend, and the data folder in which the plug-in finds it."""
    made, home = FakeBackend(), tmp_path / "home"
    made.publish(home)
    facts = {"python": sys.executable, "home": str(home), "version": "1"}
    (home / "installation.json").write_text(json.dumps(facts))
    yield made, home
    made.close()


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def photo() -> Array:
    return np.random.default_rng(3).integers(0, 256, (40, 60, 3)).astype(np.uint8)


@pytest.fixture
def place(tmp_path: Path) -> Callable[[], Path]:
    def make() -> Path:
        made = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        made.mkdir()
        return made

    return make


def test_gimp_2_10_shows_menu_and_layers_in_its_users_language(
    backend: tuple[FakeBackend, Path], python: str, place: Callable[[], Path]
) -> None:
    fake, home = backend
    done = run_command(python, home, image_of(photo()), place(), language="de")
    assert done.output.splitlines()[0] == (
        "<Image>/Filters/Altes Foto restaurieren/Restaurieren..."
    )
    inside = [("Gesichter", ["Gesicht 1"]), "Restauriert", "Ausgebesserte Kratzer", "Kratzermaske"]
    assert layer_names(done.image.layers) == [("Restauriertes Foto", inside), "photo"]
    # The document goes on to somebody who speaks French.
    done.image.active_layer = done.image.layers[-1]
    run_command(python, home, done.image, place(), "--action", "repair", language="fr")
    assert fake.last.mask is not None
    assert fake.last.mask[:, 30].all()


def test_a_mask_that_was_painted_by_hand_is_known_in_another_language(
    backend: tuple[FakeBackend, Path], python: str, place: Callable[[], Path]
) -> None:
    fake, home = backend
    image = image_of(photo())
    painted = np.zeros((40, 60, 3), np.uint8)
    painted[5] = 255
    mask = Layer(image, "Máscara de arañazos", 60, 40, RGB_IMAGE)
    mask.data = bytearray(painted.tobytes())
    image.insert(mask, None, 0)
    image.active_layer = image.layers[-1]
    run_command(python, home, image, place(), "--action", "repair", language="ja")
    assert np.array_equal(fake.last.mask, painted[..., 0])


def test_a_failure_in_the_backend_is_told_in_the_users_language(
    backend: tuple[FakeBackend, Path], python: str, place: Callable[[], Path]
) -> None:
    fake, home = backend
    fake.fail, fake.fail_code = "The weights 'x' have …", "weights-lack-network"
    fake.fail_parameters = {"weights": "x", "network": "face"}
    done = run_command(python, home, image_of(photo()), place(), expected=1, language="zh_CN")
    assert "GIMP: 权重“x”没有用于 face 的网络" in done.output
    fake.fail_code = "of-tomorrow"
    done = run_command(python, home, image_of(photo()), place(), expected=1, language="zh_CN")
    assert "GIMP: The weights 'x' have …\n" in done.output
