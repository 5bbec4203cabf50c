"""The HTTP side, with a real process and real sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from plugin.shared import protocol
from plugin.shared.errors import RefusedError
from tests.backend.running import (
    RunningServer,
    environment_for,
    header_for,
    pixels_for,
    running_server,
    submit,
    wait_until,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("home")) as running:
        yield running


def code_of(body: bytes) -> str:
    return str(json.loads(body)["code"])


def state_of(server: RunningServer, job: str) -> str:
    return str(json.loads(server.request("GET", f"/jobs/{job}")[1])["state"])


def upload(server: RunningServer, body: bytes) -> tuple[int, bytes]:
    return server.request("POST", "/jobs", body)


def request_body(weights: str = "bundled") -> bytes:
    header = header_for(weights=weights, has_mask=True)
    parts = protocol.encode_request(header, pixels_for(header), bytes(header.mask_bytes))
    return b"".join(parts)


def test_health_tells_who_answers(server: RunningServer) -> None:
    health = server.client.health()
    assert health.status == "ready"
    assert health.pid == server.process.pid
    assert health.protocol == protocol.PROTOCOL


@pytest.mark.parametrize("path", ["/health", "/jobs/none", "/openapi.json", "/nothing"])
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic \xff"])
def test_without_the_token_nothing_answers(
    server: RunningServer, path: str, authorization: str
) -> None:
    status, body = server.request("GET", path, Authorization=authorization)
    assert (status, code_of(body)) == (401, "token")


@pytest.mark.parametrize("origin", ["http://example.org", "null", "http://127.0.0.1"])
def test_web_pages_are_refused_although_they_know_the_token(
    server: RunningServer, origin: str
) -> None:
    status, body = server.request("GET", "/health", Origin=origin)
    assert (status, code_of(body)) == (403, "origin")


@pytest.mark.parametrize("host", ["example.org", "example.org:{port}", "127.0.0.1", "localhost:1"])
def test_a_foreign_host_is_refused(server: RunningServer, host: str) -> None:
    status, body = server.request("GET", "/health", Host=host.format(port=server.runtime.port))
    assert (status, code_of(body)) == (403, "host")


def test_localhost_is_our_own_host(server: RunningServer) -> None:
    assert server.request("GET", "/health", Host=f"localhost:{server.runtime.port}")[0] == 200


def test_only_loopback_is_listened_on(server: RunningServer) -> None:
    # All of 127.0.0.0/8 is this machine, so a socket bound to every address would answer here.
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", server.runtime.port), timeout=5)


def test_a_job_streams_its_events_and_hands_out_its_layers(server: RunningServer) -> None:
    header = header_for(640, 480, has_mask=True)
    pixels, mask = pixels_for(header), bytes(header.mask_bytes)
    job = server.client.submit(header, pixels, mask)
    events = [event for event in server.client.events(job) if event is not None]
    kinds = [protocol.Progress, protocol.Layer, protocol.Note, protocol.Done]
    assert [type(event) for event in events] == kinds
    assert events[-1] == protocol.Done({"scratches": 0.25}, "echo")
    layer = events[1]
    assert isinstance(layer, protocol.Layer)
    got_pixels, got_mask = protocol.split_pixels(layer, server.client.layer(job, layer.index))
    assert got_pixels == pixels
    assert got_mask is not None
    assert got_mask.tobytes() == mask


def test_the_events_of_a_finished_job_can_be_read_again(server: RunningServer) -> None:
    job = submit(server)
    first = list(server.client.events(job))
    assert [event for event in first if event] == list(server.client.events(job))
    assert state_of(server, job) == "done"


def test_a_layer_can_be_fetched_before_the_job_is_done(server: RunningServer) -> None:
    job = submit(server, "bundled")
    for event in server.client.events(job):
        if isinstance(event, protocol.Layer):
            assert len(server.client.layer(job, event.index)) == event.pixel_bytes


def test_a_forgotten_job_is_unknown(server: RunningServer) -> None:
    job = submit(server)
    list(server.client.events(job))
    server.client.cancel(job)
    with pytest.raises(RefusedError, match="not known"):
        server.client.layer(job, 0)
    server.client.cancel(job)


@pytest.mark.parametrize("path", ["/jobs/none", "/jobs/none/events", "/jobs/none/layers/0"])
def test_an_unknown_job_is_not_found(server: RunningServer, path: str) -> None:
    status, body = server.request("GET", path)
    assert (status, code_of(body)) == (404, "unknown-job")


def test_an_unknown_layer_is_not_found(server: RunningServer) -> None:
    job = submit(server)
    list(server.client.events(job))
    assert server.request("GET", f"/jobs/{job}/layers/7")[0] == 404


def test_a_declared_oversize_is_refused_before_it_is_read(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.runtime.port), timeout=10) as sender:
        head = (
            "POST /jobs HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{server.runtime.port}\r\n"
            f"Authorization: Bearer {server.runtime.token}\r\n"
            f"Content-Length: {protocol.MAX_BODY_BYTES + 1}\r\n\r\n"
        )
        sender.sendall(head.encode())
        assert b"HTTP/1.1 413" in sender.recv(4096)


def test_an_undeclared_oversize_is_refused_while_it_comes(server: RunningServer) -> None:
    def endless() -> Iterator[bytes]:
        yield request_body()
        yield b"more"

    status, body = server.request("POST", "/jobs", endless())  # type: ignore[arg-type]
    assert (status, code_of(body)) == (400, "upload")
    assert b"got more" in body


@pytest.mark.parametrize("length", [0, 3, 8, 20, len(request_body()) - 1])
def test_a_truncated_body_is_refused(server: RunningServer, length: int) -> None:
    status, body = upload(server, request_body()[:length])
    assert (status, code_of(body)) == (400, "upload")


@pytest.mark.parametrize("body", [b"GIF89a" * 9, b"ROP1\xff\xff\xff\xff", b"ROP1\0\0\0\x02[]"])
def test_garbage_is_refused(server: RunningServer, body: bytes) -> None:
    status, answer = upload(server, body)
    assert (status, code_of(answer)) == (400, "upload")


def test_a_sender_that_hangs_up_midway_does_no_harm(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.runtime.port), timeout=10) as sender:
        head = (
            "POST /jobs HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{server.runtime.port}\r\n"
            f"Authorization: Bearer {server.runtime.token}\r\nContent-Length: 1000000\r\n\r\n"
        )
        sender.sendall(head.encode() + request_body()[:30])
    assert server.client.health().status == "ready"
    assert isinstance(list(server.client.events(submit(server)))[-1], protocol.Done)


def test_closing_the_stream_cancels_within_a_second(server: RunningServer) -> None:
    job = submit(server, "slow")
    events = server.client.events(job)
    assert isinstance(next(events), protocol.Progress)
    events.close()
    assert wait_until(lambda: state_of(server, job) == "cancelled") < 1.0


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_killing_the_client_cancels_within_a_second(server: RunningServer) -> None:
    # GIMP's own Cancel does this to a plug-in.
    program = (
        "import sys; from plugin.shared.client import Client;"
        "from tests.backend.running import header_for, pixels_for;"
        "client, header = Client(int(sys.argv[1]), sys.argv[2]), header_for(weights='slow');"
        "job = client.submit(header, pixels_for(header)); events = client.events(job);"
        "next(events); print(job, flush=True); list(events)"
    )
    client = subprocess.Popen(
        [sys.executable, "-c", program, str(server.runtime.port), server.runtime.token],
        env=environment_for(server.home),
        stdout=subprocess.PIPE,
    )
    assert client.stdout is not None
    job = client.stdout.readline().decode().strip()
    assert state_of(server, job) == "running"
    client.kill()
    assert wait_until(lambda: state_of(server, job) == "cancelled") < 1.0
    client.communicate()


def test_delete_cancels_within_a_second(server: RunningServer) -> None:
    job = submit(server, "slow")
    events = server.client.events(job)
    next(events)
    start = time.monotonic()
    server.client.cancel(job)
    rest = [event for event in events if event is not None]
    assert rest == [protocol.Cancelled()]
    assert time.monotonic() - start < 1.0


def test_a_quiet_job_gives_a_sign_of_life_each_second(server: RunningServer) -> None:
    events = server.client.events(submit(server, "slow"))
    next(events)
    for _ in range(2):
        start = time.monotonic()
        assert next(events) is None
        assert time.monotonic() - start < 1.3
    events.close()


def test_a_job_that_waits_can_be_cancelled(server: RunningServer) -> None:
    running, waiting = submit(server, "slow"), submit(server)
    assert state_of(server, waiting) == "queued"
    server.client.cancel(waiting)
    server.client.cancel(running)


def test_too_many_jobs_are_refused_in_one_sentence(server: RunningServer) -> None:
    running = submit(server, "slow")
    wait_until(lambda: state_of(server, running) == "running")
    waiting = [submit(server) for _ in range(4)]
    # More than the sockets' buffers hold, so that the refusal comes while it is sent.
    header = header_for(2000, 2000)
    pixels = bytes(header.pixel_bytes)
    with pytest.raises(RefusedError, match="4 photos are waiting already") as caught:
        server.client.submit(header, pixels)
    assert (caught.value.code, caught.value.parameters) == ("busy", {"count": 4})
    for job in [*waiting, running]:
        server.client.cancel(job)


def test_a_refusal_of_the_restorer_reaches_the_client(server: RunningServer) -> None:
    last = list(server.client.events(submit(server, "failing")))[-1]
    message = "The picture is too dark (3): choose another."
    assert last == protocol.Failed("dark", message, {"level": 3})


def test_a_bug_is_one_sentence_for_the_user_and_a_traceback_in_the_log(
    server: RunningServer,
) -> None:
    last = list(server.client.events(submit(server, "broken")))[-1]
    assert isinstance(last, protocol.Failed)
    assert last.code == "unexpected"
    assert str(server.log) in last.message
    assert "one over nothing" in server.log.read_text()
    assert "Traceback" in server.log.read_text()


@pytest.mark.parametrize("weights", ["failing", "broken", "greedy"])
def test_after_a_failed_job_the_next_one_works(server: RunningServer, weights: str) -> None:
    assert isinstance(list(server.client.events(submit(server, weights)))[-1], protocol.Failed)
    assert isinstance(list(server.client.events(submit(server)))[-1], protocol.Done)


def test_the_token_is_never_logged(server: RunningServer) -> None:
    assert server.runtime.token not in server.log.read_text()
