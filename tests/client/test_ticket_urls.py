"""A provider of tickets posts the token, never in the address, and tells a refusal from an outage."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from client import ConnectionLost, ConnectRefused
from client.tickets import tickets_from


class TicketUrl(HTTPServer):
    """Gives the answers that a test wants, and keeps what was asked."""

    answers: list[tuple[int, bytes]]
    asked: list[tuple[str, str, str | None]]


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, TicketUrl)
        self.server.asked.append((self.command, self.path, self.headers["Authorization"]))
        status, body = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def there() -> Iterator[TicketUrl]:
    server = TicketUrl(("127.0.0.1", 0), _Answers)
    server.answers, server.asked = [], []
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url(server: TicketUrl) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


def test_each_ticket_is_asked_for_with_a_token_in_a_header(there: TicketUrl) -> None:
    there.answers = [(200, b'{"ticket": "one"}'), (200, b'{"ticket": "two"}')]
    tokens = iter(["first", "second"])
    ticket = tickets_from(url(there), lambda: next(tokens))
    assert [ticket(), ticket()] == ["one", "two"]
    assert there.asked == [("POST", "/", "Bearer first"), ("POST", "/", "Bearer second")]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"{}", ConnectRefused),
        (403, b"{}", ConnectRefused),
        (503, b"{}", ConnectionLost),
        (200, b"{}", ConnectionLost),
        (200, b"[]", ConnectionLost),
        (200, b"<html>", ConnectionLost),
    ],
    ids=["401", "403", "503", "no ticket", "no object", "no JSON"],
)
def test_no_ticket_is_told_as_what_it_means(there: TicketUrl, status: int, body: bytes, kind: type[Exception]) -> None:
    there.answers = [(status, body)]
    with pytest.raises(kind):
        tickets_from(url(there), "t")()


def test_nobody_there_is_an_outage_and_no_web_address_a_mistake() -> None:
    with pytest.raises(ConnectionLost):
        tickets_from("http://127.0.0.1:1/", "t")()
    with pytest.raises(ValueError, match="web address"):
        tickets_from("file:///etc/passwd", "t")
