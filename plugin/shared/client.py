"""Talk to a running backend: HTTP/1.1 on this machine's loopback, with a token."""

from __future__ import absolute_import, division, unicode_literals

import json
import socket

from . import protocol
from .compat import Timeout, byte_view, describe, http_client, read_line
from .errors import ConnectionLostError, RefusedError
from .fields import parameters as checked_parameters
from .sentences import from_backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Named in type comments.
    from typing import Generator, List, Optional, Text, Tuple  # noqa: F401

    from .messages import Health, RequestHeader  # noqa: F401
    from .protocol import Buffer, Event  # noqa: F401

HOST = "127.0.0.1"
# The backend sends a sign of life each second, but on a busy machine, and while torch loads from a
# slow disk, it is late by more than ten. One that died hangs up at once, and Cancel does not wait.
SILENCE_SECONDS = 30.0
# One send() of more would keep the whole picture in the kernel's queue of a slow reader.
CHUNK_BYTES = 1024 * 1024
# The longest event carries an error sentence with a path or two.
MAX_LINE_BYTES = 64 * 1024

# What a broken connection or an answer that is no HTTP raises.
_BROKEN = (EnvironmentError, http_client.HTTPException)


class Client(object):
    """A running backend.

    Every call opens a connection of its own, so the calls may come from several threads.

    Args:
        port: on 127.0.0.1.
        token: the secret from runtime.json.
        log: the backend's log file, for messages.
        timeout_seconds: silence after which the backend counts as gone.
    """

    def __init__(self, port, token, log="backend.log", timeout_seconds=SILENCE_SECONDS):
        # type: (int, Text, Text, float) -> None
        self.port = port
        self.log = log
        self._token = token
        self._timeout_seconds = timeout_seconds

    def health(self):
        # type: () -> Health
        """The backend's state; it answers at once, also while it loads or works.

        Raises:
            ConnectionLostError: nobody answers, or somebody who is no backend.
            RefusedError: the token is wrong.
        """
        try:
            return protocol.decode_health(self._call("GET", "/health"))
        except protocol.ProtocolError as error:
            raise self._lost(error)

    def submit(self, header, pixels, mask=None):
        # type: (RequestHeader, Buffer, Optional[Buffer]) -> Text
        """Send a picture, which starts a job as soon as earlier ones are done.

        Args:
            header: what the buffers are, and what to do.
            pixels: header.pixel_bytes bytes; rows from the top, samples interleaved.
            mask: a byte a pixel, 255 = repair, 0 = keep; None when header.has_mask is False.

        Returns:
            The job's name for the other calls.

        Raises:
            ProtocolError: a buffer has another length than the header says.
            ConnectionLostError: the backend is gone.
            RefusedError: it does not take the picture.
        """
        data = self._call("POST", "/jobs", protocol.encode_request(header, pixels, mask))
        try:
            return str(json.loads(data.decode("utf-8"))["id"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._lost(error)

    def events(self, job):
        # type: (Text) -> Generator[Optional[Event], None, None]
        """The job's events from the first to the last, which is Done, Failed or Cancelled.

        Closing the generator early cancels the job. None comes at least each second while nothing
        happens, so that the caller can look after its user.

        Raises:
            ConnectionLostError: the backend died, or was silent for too long.
            RefusedError: there is no such job.
        """
        connection, response = self._open("GET", "/jobs/%s/events" % job)
        try:
            while True:
                event = self._next_event(response)
                yield event
                if isinstance(event, protocol.TERMINAL_EVENTS):
                    return
        finally:
            response.close()
            connection.close()

    def layer(self, job, index):
        # type: (Text, int) -> bytes
        """A result layer's pixels and mask, to be taken apart by protocol.split_pixels().

        Raises:
            ConnectionLostError: the backend is gone.
            RefusedError: there is no such layer.
        """
        return self._call("GET", "/jobs/%s/layers/%d" % (job, index))

    def cancel(self, job):
        # type: (Text) -> None
        """Stop a job that waits or runs, and forget it with its layers; a lost job is no error.

        Raises:
            ConnectionLostError: the backend is gone.
        """
        try:
            self._call("DELETE", "/jobs/%s" % job)
        except RefusedError as error:
            if error.status != http_client.NOT_FOUND:
                raise

    def shutdown(self):
        # type: () -> None
        """Ask the backend to cancel its jobs and end.

        Raises:
            ConnectionLostError: it is gone already.
        """
        self._call("POST", "/shutdown")

    def _call(self, method, path, body=None):
        # type: (Text, Text, Optional[List[Buffer]]) -> bytes
        connection, response = self._open(method, path, body)
        try:
            # Unlike a stream, a short answer is an error here: IncompleteRead.
            return response.read()
        except _BROKEN as error:
            raise self._lost(error)
        finally:
            response.close()
            connection.close()

    def _open(self, method, path, body=None):
        # type: (Text, Text, Optional[List[Buffer]]) -> _Exchange
        connection = http_client.HTTPConnection(str(HOST), self.port, timeout=self._timeout_seconds)
        try:
            self._send(connection, method, path, body or [])
            response = connection.getresponse()
            if response.status >= http_client.BAD_REQUEST:
                raise self._refusal(response.status, response.read())
        except _BROKEN as error:
            connection.close()
            raise self._lost(error)
        except RefusedError:
            connection.close()
            raise
        return connection, response

    def _send(self, connection, method, path, body):
        # type: (http_client.HTTPConnection, Text, Text, List[Buffer]) -> None
        views = [byte_view(part) for part in body]
        connection.connect()
        # The head and the body are separate sends, which must not wait for each other.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.putrequest(str(method), str(path))
        connection.putheader(str("Authorization"), str("Bearer " + self._token))
        connection.putheader(str("Connection"), str("close"))
        connection.putheader(str("Content-Length"), str(sum(len(view) for view in views)))
        connection.endheaders()
        try:
            for view in views:
                for start in range(0, len(view), CHUNK_BYTES):
                    connection.send(view[start : start + CHUNK_BYTES])
        except EnvironmentError as error:
            # A backend that refuses early says why before it hangs up; a dead one says nothing.
            if isinstance(error, Timeout):
                raise

    def _next_event(self, response):
        # type: (http_client.HTTPResponse) -> Optional[Event]
        try:
            line = read_line(response, MAX_LINE_BYTES)
            if not line.endswith(b"\n"):
                raise self.cut_off()
            return protocol.decode_event(line) if line.strip() else None
        except _BROKEN + (protocol.ProtocolError,) as error:
            raise self._lost(error)

    def _refusal(self, status, data):
        # type: (int, bytes) -> RefusedError
        try:
            facts = json.loads(data.decode("utf-8"))
            parameters = checked_parameters(facts.get("parameters", {}), "The refusal's parameter")
            error = from_backend(RefusedError, facts["code"], facts["message"], parameters)
        except (ValueError, KeyError, TypeError, AttributeError):
            error = RefusedError(
                "The restoration program refused the request (HTTP {http_status}): close GIMP, "
                "open it again, and try once more.",
                http_status=status,
            )
        error.status = status
        return error

    def _lost(self, reason):
        # type: (Exception) -> ConnectionLostError
        if isinstance(reason, Timeout):
            return ConnectionLostError(
                "The restoration program gave no sign of life for {seconds} seconds, so this was "
                "not finished: try again, or read the reason in {log}.",
                seconds="%g" % self._timeout_seconds,
                log=self.log,
            )
        return ConnectionLostError(
            "The restoration program stopped answering ({reason}), so this was not finished: "
            "try again, or read the reason in {log}.",
            reason=describe(reason),
            log=self.log,
        )

    def cut_off(self):
        # type: () -> ConnectionLostError
        """What is said of a job that was ended before its last event."""
        return ConnectionLostError(
            "The restoration program stopped answering in the middle of its report, so this was "
            "not finished: try again, or read the reason in {log}.",
            log=self.log,
        )


if TYPE_CHECKING:
    _Exchange = Tuple[http_client.HTTPConnection, http_client.HTTPResponse]
