"""The client against a real server, and against everything else that may answer a port."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin.shared import protocol
from plugin.shared.client import Client
from plugin.shared.errors import ConnectionLostError, RefusedError
from tests.backend.running import RunningServer, header_for, pixels_for, running_server, submit


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("home")) as running:
        yield running


@contextmanager
def impostor(answer: Callable[[socket.socket], None]) -> Iterator[Client]:
    """A client of something that reads a request and then does what `answer` says."""

    def work() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=work)
        thread.start()
        yield Client(listener.getsockname()[1], "token", "some.log", timeout_seconds=0.3)
        thread.join()


def saying(data: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(data)


def stream_of(*lines: bytes, is_complete: bool = False) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + chunks + (b"0\r\n\r\n" if is_complete else b"")


def test_a_large_picture_arrives_unchanged(server: RunningServer) -> None:
    header = header_for(2000, 1500, has_mask=True)
    pixels = pixels_for(header)
    mask = pixels[: header.mask_bytes]
    job = server.client.submit(header, memoryview(pixels), bytearray(mask))
    (layer,) = [e for e in server.client.events(job) if isinstance(e, protocol.Layer)]
    got_pixels, got_mask = protocol.split_pixels(layer, server.client.layer(job, 0))
    assert got_pixels == pixels
    assert got_mask is not None
    assert got_mask.tobytes() == mask


def test_sixteen_bit_samples_are_sent_as_they_are(server: RunningServer) -> None:
    header = protocol.RequestHeader(3, 2, 1, 16)
    job = server.client.submit(header, memoryview(bytes(range(12))).cast("H"))
    list(server.client.events(job))
    assert server.client.layer(job, 0) == bytes(range(12))


def test_a_wrong_token_is_a_refusal(server: RunningServer) -> None:
    with pytest.raises(RefusedError, match="token"):
        Client(server.runtime.port, "guessed").health()


def test_a_cancel_from_another_thread_ends_the_stream(server: RunningServer) -> None:
    job = submit(server, "slow")
    events = server.client.events(job)
    next(events)
    threading.Timer(0.1, server.client.cancel, [job]).start()
    assert [event for event in events if event is not None] == [protocol.Cancelled()]


def test_a_kill_midway_is_one_clear_error(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        events = server.client.events(submit(server, "fatal"))
        start = time.monotonic()
        with pytest.raises(ConnectionLostError, match="stopped answering") as caught:
            list(events)
        assert time.monotonic() - start < 5
        assert str(server.log) in caught.value.message
        server.process.wait(10)
        with pytest.raises(ConnectionLostError, match="refused"):
            submit(server)
        with pytest.raises(ConnectionLostError):
            server.client.health()


def test_silence_is_an_error_after_a_while() -> None:
    release = threading.Event()

    def fall_silent(connection: socket.socket) -> None:
        connection.sendall(stream_of(b"\n"))
        release.wait(10)

    with impostor(fall_silent) as client:
        events = client.events("job")
        assert next(events) is None
        with pytest.raises(ConnectionLostError, match=re.escape("no sign of life for 0.3 seconds")):
            next(events)
        release.set()


@pytest.mark.slow
def test_a_busy_machines_silence_is_borne() -> None:
    """Ten seconds were seen on two cores that eight programs used, while torch was loading."""

    def pause(connection: socket.socket) -> None:
        connection.sendall(stream_of(b"\n"))
        time.sleep(12)
        connection.sendall(b"1\r\n\n\r\n")

    with impostor(pause) as short_of_patience:
        events = Client(short_of_patience.port, "token").events("job")
        assert [next(events), next(events)] == [None, None]


def test_a_server_that_never_answers_is_an_error() -> None:
    release = threading.Event()

    def wait(_: socket.socket) -> None:
        release.wait(10)

    with impostor(wait) as client:
        with pytest.raises(ConnectionLostError, match="no sign of life"):
            client.health()
        release.set()


@pytest.mark.parametrize("is_complete", [True, False])
def test_a_stream_that_ends_too_early_is_an_error(is_complete: bool) -> None:
    progress = protocol.encode_event(protocol.Progress("faces", 0.5, 0.5))
    with impostor(saying(stream_of(progress, is_complete=is_complete))) as client:
        events = client.events("job")
        assert isinstance(next(events), protocol.Progress)
        with pytest.raises(ConnectionLostError):
            next(events)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    ],
)
def test_a_stranger_on_the_port_is_no_backend(answer: bytes) -> None:
    with impostor(saying(answer)) as client, pytest.raises(ConnectionLostError):
        client.health()


def test_a_refusal_without_words_still_says_what_to_do() -> None:
    answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops"
    with impostor(saying(answer)) as client:
        with pytest.raises(RefusedError, match="HTTP 500") as caught:
            client.health()
        assert caught.value.status == 500


def test_an_endless_line_is_an_error() -> None:
    with (
        impostor(saying(stream_of(b"x" * 70000))) as client,
        pytest.raises(ConnectionLostError),
    ):
        next(client.events("job"))
