"""The path of a photo, with a host and a backend made of plain Python."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from plugin.shared import imported
from plugin.shared import options as choices
from plugin.shared.errors import Cancelled, ConnectionLostError, JobError, PluginError
from plugin.shared.host import Host, Outcome, Picture, Watcher, pixels_on_canvas
from plugin.shared.languages import Language
from plugin.shared.messages import (
    Cancelled as CancelledEvent,
)
from plugin.shared.messages import Done, Failed, JobOptions, Layer, Note, Progress, RequestHeader
from plugin.shared.run import run

WIDTH, HEIGHT = 4, 3
SIZE = WIDTH * HEIGHT


class PlainWatcher(Watcher):
    def __init__(self) -> None:
        self.shown: list[tuple[str, float | None]] = []
        self.cancel_at = ""

    def show(self, stage: str, fraction: float | None) -> None:
        self.shown.append((stage, fraction))

    def is_cancelled(self) -> bool:
        return bool(self.shown) and self.shown[-1][0] == self.cancel_at


class PlainHost(Host):
    """Holds its document in attributes."""

    def __init__(self, selection: bytes | None = None, mask_layer: bytes | None = None) -> None:
        self.selection, self.mask_layer = selection, mask_layer
        self.on_canvas = SIZE
        self.is_there = True
        self.is_restored = False
        self.pixels = bytes(range(SIZE))
        self.watcher = PlainWatcher()
        self.inserted: list[Outcome] = []
        self.told: list[str] = []

    def read_picture(self) -> Picture:
        return Picture(WIDTH, HEIGHT, 1, 8, "little", self.pixels)

    def count_on_canvas(self) -> int:
        return self.on_canvas

    def read_selection(self) -> bytes | None:
        return self.selection

    def shows_restored(self) -> bool:
        return self.is_restored

    def read_mask_layer(self) -> bytes | None:
        return self.mask_layer

    def wait(self, work: Callable[[Watcher], Outcome]) -> Outcome:
        return work(self.watcher)

    def has_source(self) -> bool:
        return self.is_there

    def insert_layers(self, picture: Picture, outcome: Outcome) -> str:
        assert picture.pixels == bytes(range(SIZE))
        self.inserted.append(outcome)
        return "group"

    def tell(self, sentence: str) -> None:
        self.told.append(sentence)


class PlainClient:
    """Answers with prepared events; layers hold their index as their only value."""

    def __init__(self, *events: Any) -> None:
        self.prepared = events
        self.sent: list[tuple[RequestHeader, bytes, bytes | None]] = []
        self.closed_early = False
        self.forgotten: list[str] = []

    def submit(self, header: RequestHeader, pixels: bytes, mask: bytes | None = None) -> str:
        self.sent.append((header, pixels, mask))
        return "job"

    def events(self, job: str) -> Generator[Any, None, None]:
        assert job == "job"
        try:
            for event in self.prepared:
                if isinstance(event, Exception):
                    raise event
                yield event
        except GeneratorExit:
            self.closed_early = True
            raise

    def layer(self, job: str, index: int) -> bytes:
        assert job == "job"
        layer = next(e for e in self.prepared if isinstance(e, Layer) and e.index == index)
        return bytes([index]) * (layer.pixel_bytes + layer.mask_bytes)

    def cut_off(self) -> ConnectionLostError:
        return ConnectionLostError("It was ended by others.")

    def cancel(self, job: str) -> None:
        self.forgotten.append(job)


def layer(index: int, kind: str, has_mask: bool = False) -> Layer:
    return Layer(index, kind, kind, 0, 0, WIDTH, HEIGHT, 1, 8, has_mask)


def call(host: PlainHost, client: PlainClient, action: choices.Action, **values: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return run(host, action, named, lambda _: client)  # type: ignore[arg-type, return-value]


DONE = Done({"scratches": 0.5}, "model")


def test_layers_arrive_in_any_order_and_are_inserted_from_the_lowest() -> None:
    host = PlainHost()
    client = PlainClient(
        layer(0, "face", has_mask=True), layer(1, "repair", has_mask=True), None,
        layer(2, "mask"), layer(3, "face", has_mask=True), layer(4, "restored"), DONE,
    )  # fmt: skip
    assert call(host, client, choices.RESTORE) == "group"
    (outcome,) = host.inserted
    kinds = [result.layer.kind for result in outcome.layers]
    assert kinds == ["mask", "repair", "restored", "face", "face"]
    assert [result.layer.index for result in outcome.layers] == [2, 1, 4, 0, 3]
    assert bytes(outcome.layers[1].pixels) == bytes([1]) * SIZE
    assert outcome.layers[1].mask is not None
    assert (outcome.model, outcome.seconds) == ("model", {"scratches": 0.5})
    assert client.forgotten == ["job"]


def test_progress_is_shown_in_words() -> None:
    host = PlainHost()
    call(
        host, PlainClient(Progress("faces", 0.5, 0.6), layer(0, "restored"), DONE), choices.RESTORE
    )
    assert host.watcher.shown == [
        ("Starting the restoration program", None),
        ("Sending the picture", None),
        ("Finding faces", 0.6),
    ]


@pytest.mark.parametrize(
    "stage", ["Starting the restoration program", "Sending the picture", "Finding faces"]
)
def test_a_cancel_inserts_nothing_and_ends_the_job(stage: str) -> None:
    host = PlainHost()
    host.watcher.cancel_at = stage
    client = PlainClient(Progress("faces", 0.5, 0.6), None, layer(0, "restored"), DONE)
    with pytest.raises(Cancelled):
        call(host, client, choices.RESTORE)
    assert host.inserted == []
    assert not client.sent or client.closed_early


def test_a_job_that_somebody_else_ends_is_told() -> None:
    host = PlainHost()
    with pytest.raises(ConnectionLostError, match="ended by others"):
        call(host, PlainClient(layer(0, "mask"), CancelledEvent()), choices.RESTORE)
    assert host.inserted == []


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (Failed("weights", "The weights are missing.", {}), JobError),
        (ConnectionLostError("It stopped."), ConnectionLostError),
    ],
)
def test_a_failure_after_some_layers_inserts_nothing(event: Any, error: type[PluginError]) -> None:
    host = PlainHost()
    with pytest.raises(error):
        call(host, PlainClient(layer(0, "mask"), event), choices.RESTORE)
    assert host.inserted == []


def test_no_face_is_told_and_inserts_no_empty_group() -> None:
    host = PlainHost()
    assert call(host, PlainClient(DONE), choices.FACES) is None
    assert host.inserted == []
    assert host.told == ["No face was found, so the document is as it was."]


@pytest.mark.parametrize("action", [choices.REPAIR, choices.FACES, choices.DETECT, choices.RESTORE])
@pytest.mark.parametrize("is_restored", [False, True])
def test_a_part_that_lies_above_a_restored_picture_is_told(
    action: choices.Action, is_restored: bool
) -> None:
    host = PlainHost(selection=b"\xff" + bytes(SIZE - 1))
    host.is_restored = is_restored
    kinds = {choices.REPAIR: "repair", choices.FACES: "face", choices.DETECT: "mask"}
    given = layer(1, kinds.get(action, "restored"))
    call(host, PlainClient(given, DONE), action)
    is_part = action in (choices.REPAIR, choices.FACES)
    assert any("restored before" in said for said in host.told) == (is_restored and is_part)


def test_no_scratch_is_told_with_what_to_do() -> None:
    host = PlainHost()
    # The layer's index, and so its only value, is 0.
    call(host, PlainClient(layer(0, "mask"), DONE), choices.DETECT)
    assert len(host.inserted) == 1
    assert "choose a lower threshold" in host.told[0]


def test_notes_reach_the_user() -> None:
    host = PlainHost()
    note = Note("face-skipped", "A face was left as it is.")
    call(host, PlainClient(layer(0, "restored"), note, DONE), choices.RESTORE)
    assert host.told == ["A face was left as it is."]


def test_all_that_the_user_sees_is_in_their_language() -> None:
    host = PlainHost()
    host.language = Language(lambda text: f"<{text}>", lambda one, many, _: f"<{one}|{many}>")
    note = Note("face-skipped", "A face.", {"x": 1, "y": 2})
    faces = [layer(index, "face", has_mask=True) for index in (1, 2)]
    client = PlainClient(Progress("faces", 0.5, 0.6), layer(0, "mask"), *faces, note, DONE)
    call(host, client, choices.DETECT)
    assert [sentence for sentence, _ in host.watcher.shown] == [
        "<Starting the restoration program>",
        "<Sending the picture>",
        "<Finding faces>",
    ]
    (outcome,) = host.inserted
    assert [result.name for result in outcome.layers] == ["<Scratch mask>", "<Face 1>", "<Face 2>"]
    skipped, nothing = host.told
    assert skipped.startswith("<A face at (1, 2)")
    assert nothing.startswith("<No scratches")


SOFT = bytes([0, 90, 255] + [0] * (SIZE - 3))
PAINTED = bytes([0] * (SIZE - 2) + [40, 255])
BOTH = bytes(map(max, SOFT, PAINTED))


@pytest.mark.parametrize(
    ("action", "selection", "mask_layer", "sent", "scratches"),
    [
        (choices.RESTORE, None, None, None, "automatic"),
        (choices.RESTORE, SOFT, None, SOFT, "automatic"),
        (choices.RESTORE, None, PAINTED, PAINTED, "mask"),
        (choices.RESTORE, SOFT, PAINTED, BOTH, "mask"),
        (choices.RESTORE, SOFT, bytes(SIZE), SOFT, "mask"),
        (choices.DETECT, SOFT, PAINTED, SOFT, "automatic"),
        (choices.REPAIR, SOFT, None, SOFT, "mask"),
        (choices.REPAIR, None, PAINTED, PAINTED, "mask"),
        (choices.REPAIR, SOFT, PAINTED, SOFT, "mask"),
        (choices.FACES, SOFT, PAINTED, None, "none"),
    ],
)
def test_which_damage_is_sent(
    action: choices.Action,
    selection: bytes | None,
    mask_layer: bytes | None,
    sent: bytes | None,
    scratches: str,
) -> None:
    client = PlainClient(layer(0, "restored"), DONE)
    call(PlainHost(selection, mask_layer), client, action)
    ((header, pixels, mask),) = client.sent
    assert mask == sent
    assert header.has_mask is (sent is not None)
    assert header.options.scratches == scratches
    assert pixels == bytes(range(SIZE))


@pytest.mark.parametrize(
    ("selection", "mask_layer", "words"),
    [
        (bytes(SIZE), None, "lies outside the layer"),
        (bytes([128]) * SIZE, None, "covers the whole layer"),
        (None, None, "run Detect Scratches first"),
        (None, bytes(SIZE), "is black"),
    ],
)
def test_a_mask_that_means_nothing_is_refused_before_anything_is_sent(
    selection: bytes | None, mask_layer: bytes | None, words: str
) -> None:
    client = PlainClient(DONE)
    with pytest.raises(PluginError, match=words):
        call(PlainHost(selection, mask_layer), client, choices.REPAIR)
    assert client.sent == []


def test_a_selection_of_all_that_the_canvas_shows_is_refused() -> None:
    host = PlainHost(bytes(SIZE - 5) + bytes([255]) * 5)
    host.on_canvas = 5
    with pytest.raises(PluginError, match="covers the whole layer"):
        call(host, PlainClient(DONE), choices.REPAIR)


@pytest.mark.parametrize(
    ("offsets", "size", "count"),
    [
        ((0, 0), (40, 30), 1200),
        ((-10, -10), (60, 50), 1200),
        ((5, -3), (10, 10), 70),
        ((38, 0), (10, 1), 2),
        ((40, 0), (10, 10), 0),
        ((-20, -20), (10, 10), 0),
    ],
)
def test_what_of_a_layer_lies_on_the_canvas(
    offsets: tuple[int, int], size: tuple[int, int], count: int
) -> None:
    assert pixels_on_canvas(offsets, size, (40, 30)) == count


@pytest.mark.parametrize("moment", ["before", "while it is read"])
def test_a_photo_that_is_closed_before_it_was_read_is_told(moment: str) -> None:
    class ClosedHost(PlainHost):
        def read_picture(self) -> Picture:
            self.is_there = False
            raise AttributeError("'NoneType' object has no attribute 'get_base_type'")

    host = ClosedHost()
    host.is_there = moment != "before"
    with pytest.raises(PluginError, match="deleted before it was read"):
        call(host, PlainClient(DONE), choices.RESTORE)


def test_a_photo_that_is_changed_meanwhile_is_told_and_gets_its_layers() -> None:
    class PaintedHost(PlainHost):
        def wait(self, work: Callable[[Watcher], Outcome]) -> Outcome:
            outcome = super().wait(work)
            self.pixels = bytes(SIZE)
            return outcome

    for host, told in ((PlainHost(), False), (PaintedHost(), True)):
        assert call(host, PlainClient(layer(0, "restored"), DONE), choices.RESTORE) == "group"
        assert len(host.inserted) == 1
        assert any("was changed while" in sentence for sentence in host.told) == told


def test_a_photo_that_is_closed_while_it_is_read_again_is_told() -> None:
    class ClosedHost(PlainHost):
        def wait(self, work: Callable[[Watcher], Outcome]) -> Outcome:
            outcome = super().wait(work)
            self.is_there = False
            return outcome

    host = ClosedHost()
    with pytest.raises(PluginError, match="deleted while it was being restored"):
        call(host, PlainClient(layer(0, "restored"), DONE), choices.RESTORE)
    assert not host.inserted


def test_a_picture_that_cannot_be_sent_is_told() -> None:
    class LargeHost(PlainHost):
        def read_picture(self) -> Picture:
            return Picture(20000, 16000, 3, 16, "little", b"")

    client = PlainClient(DONE)
    with pytest.raises(PluginError, match="1920 megabytes of pixels, but at most 1800"):
        call(LargeHost(), client, choices.RESTORE)
    assert client.sent == []


def test_nothing_to_do_is_refused() -> None:
    values = {"scratches": "none", "whole_picture": False, "enhance_faces": False}
    with pytest.raises(PluginError, match="switch one of them on"):
        call(PlainHost(), PlainClient(DONE), choices.RESTORE, **values)


@pytest.mark.parametrize("argument", ["inpainting", "denoising", "faces"])
@pytest.mark.parametrize("name", ["../../etc/passwd", "ümlaut", " ", "x" * 65])
def test_a_name_that_no_model_has_is_refused_with_what_to_do(argument: str, name: str) -> None:
    client = PlainClient(DONE)
    with pytest.raises(PluginError, match="was not imported: import it") as caught:
        call(PlainHost(), client, choices.RESTORE, **{argument: name})
    assert f"'{name}'" in caught.value.message
    assert client.sent == []


def test_each_argument_reaches_the_job() -> None:
    values = {
        "scratches": "mask",
        "threshold": 0.25,
        "whole-picture": False,
        "cleaning": False,
        "tone": False,
        "strength": 0.5,
        "enhance-faces": False,
        "weights": "official",
        "device": "cpu",
        "inpainting": "lama",
    }
    assert choices.RESTORE.job_options(values) == JobOptions(
        "mask", 0.25, True, False, False, False, 0.5, False, "official", "cpu", "lama"
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("lama", "scunet", "gfpgan")),
        ({"scratches": "none"}, (None, "scunet", "gfpgan")),
        ({"whole-picture": False}, ("lama", None, "gfpgan")),
        ({"cleaning": False}, ("lama", None, "gfpgan")),
        ({"enhance-faces": False}, ("lama", "scunet", None)),
        ({"inpainting": "", "denoising": "", "faces": ""}, (None, None, None)),
    ],
)
def test_a_remembered_model_is_sent_only_where_its_stage_runs(
    values: dict[str, object], expected: tuple[str | None, ...]
) -> None:
    chosen = {"inpainting": "lama", "denoising": "scunet", "faces": "gfpgan", **values}
    options = choices.RESTORE.job_options(chosen)
    assert (options.inpainting, options.denoising, options.faces) == expected


def test_a_dialog_finds_the_imported_models_of_a_stage(tmp_path: Path) -> None:
    assert imported.names(str(tmp_path), "faces") == []
    folder = tmp_path / "weights" / "imported"
    folder.mkdir(parents=True)
    for name, text in (
        ("b", '{"stage": "faces"}'),
        ("a", '{"stage": "faces"}'),
        ("c", '{"stage": "denoising"}'),
        ("broken", "{"),
        ("list", "[]"),
    ):
        (folder / f"{name}.json").write_text(text)
    (folder / "a.safetensors").touch()
    assert imported.names(str(tmp_path), "faces") == ["a", "b"]


def test_a_threshold_of_zero_is_the_recommended_one() -> None:
    assert choices.RESTORE.job_options({"threshold": 0.0}).threshold is None


def test_the_choices_are_those_of_the_wire() -> None:
    for action in choices.ACTIONS:
        for argument in action.arguments:
            if isinstance(argument, choices.Choice):
                for word, _, _ in argument.values:
                    options = action.job_options({argument.name: word})
                    assert RequestHeader(1, 1, 1, 8, options=options).options == options


def test_mnemonics_differ_within_a_dialog_and_from_its_buttons() -> None:
    for action in choices.ACTIONS:
        letters = [a.label[a.label.index("_") + 1].lower() for a in action.arguments]
        assert len(set(letters)) == len(letters)
        assert not set(letters) & set("ocrshl")
