"""The wire contract: what goes in comes out, and nothing else passes."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.shared import protocol
from plugin.shared.protocol import ProtocolError

sides = st.integers(1, 40)
shares = st.floats(0, 1)
words = st.text(max_size=30)
counts = st.integers(0, 2**19)

model_names = st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)

options = st.builds(
    protocol.JobOptions,
    scratches=st.sampled_from(["automatic", "mask", "none"]),
    threshold=st.none() | shares,
    repair_scratches=st.booleans(),
    whole_picture=st.booleans(),
    cleaning=st.booleans(),
    tone=st.booleans(),
    strength=shares,
    enhance_faces=st.booleans(),
    weights=words,
    device=st.sampled_from(["auto", "cpu", "cuda"]),
    inpainting=model_names,
    denoising=model_names,
    faces=model_names,
)
headers = st.builds(
    protocol.RequestHeader,
    width=sides,
    height=sides,
    channels=st.integers(1, 4),
    depth=st.sampled_from([8, 16]),
    has_mask=st.booleans(),
    options=options,
    byte_order=st.sampled_from(["little", "big"]),
)
layers = st.builds(
    protocol.Layer,
    index=counts,
    kind=st.sampled_from(protocol.LAYER_KINDS),
    name=words,
    x=counts,
    y=counts,
    width=sides,
    height=sides,
    channels=st.integers(1, 4),
    depth=st.sampled_from([8, 16]),
    has_mask=st.booleans(),
)
parameters = st.dictionaries(words, words | counts | shares)
events = st.one_of(
    st.builds(protocol.Progress, st.sampled_from(protocol.STAGES), shares, shares),
    layers,
    st.builds(protocol.Note, words, words, parameters),
    st.builds(protocol.Done, st.dictionaries(words, st.floats(0, 1e6)), words),
    st.builds(protocol.Failed, words, words, parameters),
    st.just(protocol.Cancelled()),
)


def content(length: int) -> bytes:
    return bytes(index % 253 for index in range(length))


def sample_header(**changes: Any) -> protocol.RequestHeader:
    return protocol.RequestHeader(**{"width": 2, "height": 3, "channels": 3, "depth": 8, **changes})


def sample_body(**changes: Any) -> bytes:
    header = sample_header(**changes)
    mask = bytes(header.mask_bytes) if header.has_mask else None
    return b"".join(protocol.encode_request(header, content(header.pixel_bytes), mask))


@given(headers)
def test_a_request_comes_out_as_it_went_in(header: protocol.RequestHeader) -> None:
    pixels, mask = content(header.pixel_bytes), content(header.mask_bytes)
    body = b"".join(protocol.encode_request(header, pixels, mask if header.has_mask else None))
    got_header, got_pixels, got_mask = protocol.decode_request(body)
    assert got_header == header
    assert got_pixels.tobytes() == pixels
    assert (got_mask is None) == (not header.has_mask)
    assert got_mask is None or got_mask.tobytes() == mask


@given(events)
def test_an_event_comes_out_as_it_went_in(event: protocol.Event) -> None:
    line = protocol.encode_event(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert protocol.decode_event(line) == event


@given(layers)
def test_a_layers_body_is_split_into_pixels_and_mask(layer: protocol.Layer) -> None:
    body = content(layer.pixel_bytes + layer.mask_bytes)
    pixels, mask = protocol.split_pixels(layer, body)
    assert pixels.tobytes() + (b"" if mask is None else mask.tobytes()) == body
    assert (mask is not None) == layer.has_mask


@given(st.sampled_from(protocol.STATUSES), words, counts, counts, words)
def test_health_comes_out_as_it_went_in(
    status: str, version: str, number: int, pid: int, detail: str
) -> None:
    health = protocol.Health(status, version, number, pid, detail)
    assert protocol.decode_health(protocol.encode_health(health)) == health


@given(st.binary(max_size=64))
def test_any_bytes_are_a_request_or_an_error_that_says_why(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_request(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["width", "depth", "mask", "options", "byte_order", "protocol"]), json_values
)
def test_no_value_in_a_header_raises_anything_but_a_protocol_error(name: str, value: Any) -> None:
    facts = {
        "protocol": protocol.PROTOCOL,
        "width": 2,
        "height": 3,
        "channels": 3,
        "depth": 8,
        "byte_order": "little",
        "mask": False,
        "options": vars(protocol.JobOptions()),
        name: value,
    }
    with suppress(ProtocolError):
        header = protocol.decode_header(json.dumps(facts).encode())
        assert type(header.pixel_bytes) is int


@pytest.mark.parametrize("length", range(len(sample_body(has_mask=True))))
def test_a_request_that_is_cut_off_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_request(sample_body(has_mask=True)[:length])


def test_bytes_after_the_request_are_refused() -> None:
    with pytest.raises(ProtocolError, match="Expected 18 bytes of body, got 19"):
        protocol.decode_request(sample_body() + b"x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width is 0, but it must be from 1"),
        ({"height": -1}, "height is -1"),
        ({"width": 2.5}, "width is 2.5, but it must be a whole number"),
        ({"width": True}, "width is True"),
        ({"channels": 5}, "channels is 5, but it must be one of 1, 2, 3, 4"),
        ({"channels": True}, "channels is True"),
        ({"depth": 32}, "depth is 32, but it must be one of 8, 16"),
        ({"byte_order": "middle"}, "byte order is 'middle'"),
        ({"width": 2**19, "height": 2**19}, "scale it down"),
        ({"options": protocol.JobOptions(threshold=1.5)}, "threshold is 1.5"),
        ({"options": protocol.JobOptions(threshold=math.nan)}, "threshold is nan"),
        ({"options": protocol.JobOptions(faces="../x")}, "name of a model"),
        ({"options": protocol.JobOptions(denoising="")}, "name of a model"),
        ({"options": protocol.JobOptions(scratches="all")}, "scratches is 'all'"),
        ({"options": protocol.JobOptions(weights=None)}, "weights is None"),  # type: ignore[arg-type]
    ],
)
def test_a_header_out_of_range_says_what_was_expected(changes: Any, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        protocol.encode_header(sample_header(**changes))


@pytest.mark.parametrize(
    ("pixels", "mask", "message"),
    [
        (b"x" * 17, b"m" * 6, "Expected 18 bytes of pixels, got 17"),
        (b"x" * 18, b"m" * 5, "Expected 6 bytes of mask, got 5"),
        (b"x" * 18, None, "Expected 6 bytes of mask, got 0"),
    ],
)
def test_buffers_of_another_length_are_not_sent(
    pixels: bytes, mask: bytes | None, message: str
) -> None:
    with pytest.raises(ProtocolError, match=message):
        protocol.encode_request(sample_header(has_mask=True), pixels, mask)


def test_a_mask_that_the_header_denies_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="Expected 0 bytes of mask, got 6"):
        protocol.encode_request(sample_header(), b"x" * 18, b"m" * 6)


def test_samples_of_two_bytes_are_counted_in_bytes() -> None:
    samples = memoryview(bytes(36)).cast("H")
    assert protocol.encode_request(sample_header(depth=16), samples)[1] is samples


def test_pixels_are_sent_without_a_copy() -> None:
    pixels = bytearray(18)
    assert protocol.encode_request(sample_header(), pixels)[1] is pixels


def test_another_protocol_is_named_before_its_fields_are_judged() -> None:
    with pytest.raises(ProtocolError, match="speaks protocol 7, but this backend speaks"):
        protocol.decode_header(b'{"protocol": 7, "picture": "elsewhere"}')


@pytest.mark.parametrize("value", [[], None, {"a": "b"}])
def test_a_parameter_is_text_or_a_number(value: Any) -> None:
    with pytest.raises(ProtocolError, match=r"parameters path is .* must be text or a number"):
        protocol.encode_event(protocol.Note("code", "A sentence.", {"path": value}))


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ProtocolError, match="lacks index, kind, name"):
        protocol.decode_event(b'{"event": "layer", "x": 1}')


@pytest.mark.parametrize("line", [b"", b"[]", b"\xff", b'{"event": "party"}', b"[" * 100000])
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_event(line)
