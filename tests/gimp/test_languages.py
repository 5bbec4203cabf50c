"""The plug-in in GIMPs whose user reads German."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from plugin.stubs.constants import RUN_NONINTERACTIVE
from tests.plugin.stub_runs import image_of

from .document import REPAIR, RESTORE, Document, noise
from .fake_backend import FakeBackend
from .harness import GimpProcess
from .old_gimp import OldGimp
from .provision import OLD_TREE, ProvisionError, Tree, provide
from .test_gimp_2_10 import ALL

pytestmark = pytest.mark.gimp

LOCALE = "de_DE.UTF-8"
GROUP = "Restauriertes Foto"
INSIDE = ["Gesichter", "Restauriert", "Ausgebesserte Kratzer", "Kratzermaske"]


@pytest.fixture(scope="module")
def german(tree: Tree) -> Iterator[GimpProcess]:
    """A gimp-console in German."""
    gimp = GimpProcess(tree)
    # gettext goes by a locale's name and needs nothing that is in it, but it must be there: the
    # files of the one that every Debian has will do.
    shutil.copytree(tree.folder / "usr/lib/locale/C.utf8", gimp.folder / "locales" / LOCALE)
    gimp.environment.update(LANG=LOCALE, LOCPATH=f"{gimp.place}/locales")
    try:
        gimp.start()
        yield gimp
    finally:
        gimp.stop()


@pytest.fixture
def document(german: GimpProcess, shared_backend: FakeBackend) -> Iterator[Document]:
    shared_backend.reset()
    shared_backend.publish(german.home)
    made = Document(german, shared_backend)
    made.open(noise(40, 30))
    yield made
    made.close()


def test_the_menu_is_german(german: GimpProcess) -> None:
    for name, label in (
        (RESTORE, "_Restaurieren..."),
        (f"{RESTORE}-detect", "Kratzer _erkennen..."),
        (f"{RESTORE}-repair", "Kratzer _ausbessern"),
        (f"{RESTORE}-faces", "_Gesichter verbessern"),
    ):
        found = german.procedure(name)
        assert found["menu_label"] == label
        assert found["menu_paths"] == ["<Image>/Filters/Altes Foto restaurieren"]


def test_the_query_wrote_no_complaint(german: GimpProcess) -> None:
    assert "restore-old-photo" not in german.words_at_start


def test_choices_are_the_same_words_in_every_language(german: GimpProcess) -> None:
    """Scripts and last-used values name them."""
    arguments = german.procedure(RESTORE)["arguments"]
    defaults = [arguments[name][1] for name in ("scratches", "weights", "device")]
    assert defaults == ["automatic", "bundled", "auto"]


def test_the_layers_are_german(document: Document) -> None:
    group = document.run()
    assert group["name"] == GROUP
    assert [layer["name"] for layer in group["children"]] == INSIDE
    assert [face["name"] for face in group["children"][0]["children"]] == ["Gesicht 1"]


def test_a_mask_painted_by_hand_is_known_in_another_language(document: Document) -> None:
    painted = np.zeros((30, 40, 3), np.uint8)
    painted[7] = 255
    document.gimp.add_layer(document.image, "Masque des rayures", 40, 30, painted.tobytes())
    document.run(REPAIR)
    assert document.backend is not None
    assert np.array_equal(document.backend.last.mask, painted[..., 0])


def test_a_refusal_is_german(document: Document) -> None:
    words = document.refusal(REPAIR)
    assert words.startswith("Es gibt nichts auszubessern")
    assert "„Kratzer erkennen“" in words


def test_a_failure_in_the_backend_is_german(document: Document) -> None:
    assert document.backend is not None
    document.backend.fail = "The weights 'x' have no network for face: choose other weights."
    document.backend.fail_code = "weights-lack-network"
    document.backend.fail_parameters = {"weights": "x", "network": "face"}
    words = document.refusal()
    assert words == "Die Gewichte „x“ haben kein Netz für face: Wählen Sie andere Gewichte."
    document.backend.fail_code = "of-tomorrow"
    assert document.refusal() == document.backend.fail


@pytest.mark.slow
def test_gimp_2_10_has_german_layers_and_sentences(shared_backend: FakeBackend) -> None:
    try:
        provide(OLD_TREE)
    except ProvisionError as error:
        pytest.skip(f"GIMP 2.10 is not available: {error}")
    gimp = OldGimp(OLD_TREE, language="de")
    try:
        shared_backend.reset()
        shared_backend.publish(gimp.home)
        image = image_of(noise(40, 30))
        answer = gimp.run(image, (RESTORE, ALL, RUN_NONINTERACTIVE))
        group, photo = answer["layers"]
        assert (group["name"], photo["name"]) == (GROUP, "photo")
        assert [layer["name"] for layer in group["children"]] == INSIDE
        gimp.run(image, (REPAIR, ALL[7:10], RUN_NONINTERACTIVE))
        assert "Es gibt nichts auszubessern" in gimp.words
    finally:
        gimp.close()
