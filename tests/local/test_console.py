"""The console's files are served on this machine, with the headers of the deployed ones, and nothing else is."""

import http.client
import json
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Final

import pytest

from local import console
from local.emulator import free_port
from local.template import template

DESCRIBED: Final = {
    "ws_url": "ws://127.0.0.1:1/live",
    "ticket_url": "http://127.0.0.1:2/ticket/",
    "token_key": "s3cret",
}
Get = Callable[..., tuple[int, Message, bytes]]


@pytest.fixture
def description(tmp_path: Path) -> Path:
    """Where the stack describes itself, once it is up."""
    return tmp_path / "stack.json"


@pytest.fixture
def get(description: Path) -> Get:
    """Asks for a path, as it stands."""
    port = free_port()
    console.serve(port, description)

    def get(path: str, method: str = "GET") -> tuple[int, Message, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, path)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    return get


def test_the_page_and_its_files_are_served_as_what_they_are(get: Get) -> None:
    status, headers, content = get("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert content == (console.FILES / "index.html").read_bytes()
    assert get("/streamer.js?x=1")[1]["Content-Type"] == "text/javascript; charset=utf-8"
    assert get("/console.css", "HEAD")[2] == b""


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/pyproject.toml", "//etc/passwd", "/nothing.js", "/streamer.d.ts", "/sub/"]
)
def test_what_is_no_file_of_the_console_is_not_there(get: Get, path: str) -> None:
    assert get(path)[0] == 404


def test_only_reading_is_answered(get: Get) -> None:
    assert get("/", "POST")[0] == 501


def test_the_page_is_told_where_the_stack_is_and_never_its_key(get: Get, description: Path) -> None:
    assert get("/config.json")[0] == 404
    description.write_text(json.dumps(DESCRIBED))
    status, _, content = get("/config.json")
    assert status == 200
    config = json.loads(content)
    assert (config["ws_url"], config["ticket_url"]) == (DESCRIBED["ws_url"], DESCRIBED["ticket_url"])
    assert b"s3cret" not in content


def test_the_page_may_connect_to_its_stack_alone(get: Get, description: Path) -> None:
    description.write_text(json.dumps(DESCRIBED))
    policy = get("/")[1]["Content-Security-Policy"]
    assert "connect-src 'self' http://127.0.0.1:2 ws://127.0.0.1:1;" in policy


def test_no_script_or_style_but_from_files_and_no_markup_from_text(get: Get) -> None:
    policy = get("/")[1]["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
    page = (console.FILES / "index.html").read_text()
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == page.count('<script type="module" src=')


def test_the_deployed_console_has_the_same_headers() -> None:
    config = template()["Resources"]["ConsoleHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    security = config["SecurityHeadersConfig"]
    deployed = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Sub"][0]
    before, _, rest = deployed.partition("connect-src 'self' ")
    assert f"{before}connect-src 'self' {{addresses}};{rest.partition(';')[2]}" == console.POLICY
    assert {
        config["CustomHeadersConfig"]["Items"][0]["Header"]: config["CustomHeadersConfig"]["Items"][0]["Value"],
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
    } == console.HEADERS
