"""The sockets' management API on 127.0.0.1: it answers each connection's posts as it is told to, and keeps them."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import unquote

HANGS_UP: Final = 0  # instead of a status: the line is cut without an answer
_ERRORS: Final = {
    403: "ForbiddenException",
    410: "GoneException",
    413: "PayloadTooLargeException",
    429: "LimitExceededException",
    500: "InternalServerError",
}


class Sink:
    """What every connection was sent, and what is answered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = Lock()
        self._answers: dict[str, list[int]] = {}
        self._taken: dict[str, list[str]] = {}
        self._asked: dict[str, int] = {}
        self.answered: Counter[int] = Counter()  # how many posts with each status

    def answer(self, connection_id: str, *statuses: int) -> None:
        """Answer a connection's posts with these in turn, the last one for good."""
        self._answers[connection_id] = list(statuses)

    def texts(self, connection_id: str) -> list[str]:
        """The frames that a connection took, in the order they came."""
        return self._taken.get(connection_id, [])

    def pushes(self, connection_id: str) -> list[dict[str, Any]]:
        """The event pushes that a connection took, taken out of their frames."""
        frames = [json.loads(text) for text in self.texts(connection_id)]
        return [push for frame in frames for push in (frame["items"] if frame["type"] == "events" else [frame])]

    def versions(self, connection_id: str, request_id: str) -> list[tuple[int, int]]:
        """The ranges of versions of a request that a connection was told of."""
        own = [push for push in self.pushes(connection_id) if push["request_id"] == request_id]
        return [(push["from_version"], push["version"]) for push in own]

    def asked(self, connection_id: str) -> int:
        """How many posts to a connection were tried, by the SDK too."""
        return self._asked.get(connection_id, 0)

    def take(self, connection_id: str, text: str) -> int:
        """Note a post; the status that it is answered with."""
        with self._lock:
            self._asked[connection_id] = self.asked(connection_id) + 1
            answers = self._answers.get(connection_id, [200])
            status = answers.pop(0) if len(answers) > 1 else answers[0]
            self.answered[status] += 1
            if status == 200:
                self._taken.setdefault(connection_id, []).append(text)
            return status


@contextmanager
def a_sink() -> Iterator[Sink]:
    """A sink that answers; the SDK does not pause before it tries again."""
    server = _Server(("127.0.0.1", 0), _Posts)
    server.sink = sink = Sink(f"http://127.0.0.1:{server.server_port}/live")  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with patch("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None)):
            yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def statuses() -> Sequence[int]:
    """Every way in which a post can fail."""
    return [*_ERRORS, HANGS_UP]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # of connects that were not taken in yet

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a line that breaks: those who post may end at any time."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Posts(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        content = self.rfile.read(length)
        if len(content) < length:  # who posts has ended in the middle
            self.close_connection = True
            return
        text = content.decode()
        stage, _, connection_id = self.path.partition("/@connections/")
        sink: Sink = self.server.sink  # type: ignore[attr-defined]
        status = sink.take(unquote(connection_id), text) if stage == "/live" else 404
        if status == HANGS_UP:
            self.close_connection = True
            return
        body = b"" if status == 200 else b'{"message":"made up"}'
        self.send_response(status)
        if status in _ERRORS:
            self.send_header("x-amzn-ErrorType", _ERRORS[status])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
