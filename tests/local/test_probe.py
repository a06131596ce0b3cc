"""What is on this machine is asked itself, whatever the environment says of proxies."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.probe import content_of, status_of


class Page(BaseHTTPRequestHandler):
    """Has one page."""

    def do_GET(self) -> None:
        """Give it, or 404."""
        found = self.path == "/page"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(b"the page" if found else b"")

    def log_message(self, *_: object) -> None:
        """Nobody wants to know."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on this machine, where a proxy is set that nobody listens as."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_no_proxy_stands_before_this_machine(address: str) -> None:
    assert status_of(f"{address}/page") == 200
    assert status_of(f"{address}/none") == 404
    assert content_of(f"{address}/page") == b"the page"
    with pytest.raises(OSError, match="404"):
        content_of(f"{address}/none")
