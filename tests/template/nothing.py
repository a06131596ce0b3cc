"""A world that has nothing: an AWS on this machine that keeps nothing, finds nothing and refuses nothing."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.kit.tables import TOKEN_KEY

_FOUND: Final = json.dumps(
    {"SecretString": TOKEN_KEY, "Items": [], "ScannedCount": 0, "Count": 0, "Responses": {}, "UnprocessedItems": {}}
).encode()
_LISTED: Final = b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"


class _Nothing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(_LISTED)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(_FOUND)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def nothing() -> Iterator[str]:
    """Where it is, while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
