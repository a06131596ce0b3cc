"""The console on this machine: the files of console/ as they are, and config.json with the stack's addresses.

It runs within the emulator's process, and so as long as the stack does. The headers are those that the deployed stack
sends (template.yaml), with this machine's addresses.
"""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

FILES: Final = Path(__file__).resolve().parent.parent / "console"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {addresses}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HINT: Final = ".venv/bin/streamer token --tenant acme --user ann --scope tenant:read"


def serve(port: int, description: Path) -> None:
    """Serve the console on a port of 127.0.0.1 from now on; `description` is the stack.json that will be written."""

    class Console(_Console):
        stack = description

    server = ThreadingHTTPServer(("127.0.0.1", port), Console)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


class _Console(BaseHTTPRequestHandler):
    """Answers GET and HEAD of the files that there are; nothing else is there."""

    stack: Path
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Console", ""
    timeout = 60

    def do_GET(self) -> None:
        """Answer with a file."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer with what a file's answer begins with."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the emulator's log is for the stack."""

    def _answer(self) -> None:
        found = self._found(urlsplit(self.path).path)
        status, kind, content = found or (HTTPStatus.NOT_FOUND, "text/plain", b"Not found\n")
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Security-Policy": POLICY.format(addresses=self._addresses())}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _found(self, path: str) -> tuple[HTTPStatus, str, bytes] | None:
        name = path.removeprefix("/") or "index.html"
        if name == "config.json":
            config = self._config()
            return (HTTPStatus.OK, "application/json", json.dumps(config).encode()) if config else None
        file = FILES / name
        if "/" in name or file.suffix not in TYPES or not file.is_file():
            return None
        return HTTPStatus.OK, TYPES[file.suffix], file.read_bytes()

    def _config(self) -> dict[str, str]:
        """What the page needs to know, once the stack is up; never the key."""
        try:
            stack = json.loads(self.stack.read_text())
        except FileNotFoundError:
            return {}
        return {"ws_url": stack["ws_url"], "ticket_url": stack["ticket_url"], "token_hint": _HINT}

    def _addresses(self) -> str:
        """Where the page may connect to: the socket, the tickets and the links to large results."""
        config = self._config()
        return " ".join(sorted({_origin(config[name]) for name in ("ws_url", "ticket_url") if name in config}))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
