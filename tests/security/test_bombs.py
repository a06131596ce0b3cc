"""What is small on the wire and large in memory, or has two meanings, costs no more than it is worth."""

import ast
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from client.credentials import Credentials
from client.dial import dial
from domain import exact_json
from domain.protocol import FRAME_LIMIT
from local.template import PROJECT
from tests.security.house import House

SOCKET = "socket"
MOST_MB = 40
BOMBS = {
    "deep lists": "[" * 60_000 + "]" * 60_000,
    "deep objects": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "a list that is never closed": "[" * 130_000,
    "a great exponent": "1E+999999999",
    "a small exponent": "1E-999999999",
    "an exponent beyond any": "1E+99999999999999999999",
    "nothing of a great exponent": "0E+999999999",
    "a long integer": "9" * 100_000,
    "a long fraction": f"0.{'9' * 100_000}",
    "many names": "{" + ",".join(f'"{n}":0' for n in range(9000)) + "}",
    "many empty lists": "[" + ",".join(["[]"] * 40_000) + "]",
    "many escapes": '"' + "\\u0000" * 20_000 + '"',
}
PLACES = (
    '{{"type":"submit","action":"delay","payload":{{"steps":{}}}}}',
    '{{"type":"submit","action":"delay","payload":{{"seconds":{}}}}}',
    '{{"type":"submit","action":"echo","payload":{}}}',
    '{{"type":"submit","action":"echo","priority":{}}}',
    '{{"type":"list","limit":{}}}',
    '{{"type":"submit_batch","items":[{}]}}',
    '{{"type":"subscribe","request_id":"r","after":{}}}',
    "{}",
)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    made = House()
    with made.open():
        yield made


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_answered_and_takes_no_more_memory_than_any_frame(house: House, bomb: str, place: str) -> None:
    body = place.format(BOMBS[bomb])
    assert len(body) < FRAME_LIMIT + 1000
    tracemalloc.start()
    began = time.process_time()
    try:
        answer = exact_json.decode(house.raw(SOCKET, house.claims("acme", "ann"), body))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.get("code") != "INTERNAL_ERROR"
    assert peak < MOST_MB * 2**20
    # A bomb that goes off takes minutes; this only ends the test before the one that waits for it.
    assert time.process_time() - began < 60


def test_a_field_that_is_there_twice_means_its_last_value_to_everybody(house: House) -> None:
    ann = house.claims("acme", "ann")
    twice = '{"type":"ping","type":"submit","action":"echo_async","action":"echo","payload":{"a":1,"a":2}}'
    assert exact_json.decode(house.raw(SOCKET, ann, twice)) == {"type": "response", "data": {"a": 2}}
    unknown = '{"type":"ping","tenant_id":"umbrella","type":"ping"}'
    assert exact_json.decode(house.raw(SOCKET, ann, unknown))["code"] == "VALIDATION_ERROR"


FOLDERS = ("domain", "projections", "adapters", "handlers", "actions", "client")
UNPACKING = {"gzip", "bz2", "lzma", "zipfile", "tarfile", "compression", "brotli", "zstandard"}
MODULES = sorted(file for folder in FOLDERS for file in (PROJECT / folder).glob("*.py"))


def imported(module: Path) -> set[str]:
    """What a module imports, with the names that it takes out of zlib."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            top = node.module.partition(".")[0]
            found |= {f"zlib.{name.name}" for name in node.names} if top == "zlib" else {top}
    return found


def test_nothing_that_is_deployed_or_in_the_client_unpacks_what_it_is_given() -> None:
    everything = set().union(*map(imported, MODULES))
    assert not everything & UNPACKING
    assert {name for name in everything if name.startswith("zlib")} == {"zlib.crc32"}


async def test_a_client_offers_no_compression_and_takes_no_frame_without_bound() -> None:
    offered: list[str | None] = []

    async def answer(line: ServerConnection) -> None:
        assert line.request is not None
        offered.append(line.request.headers.get("Sec-WebSocket-Extensions"))
        await line.send("x" * FRAME_LIMIT)
        await line.send("x" * (2 * FRAME_LIMIT + 1))
        await line.wait_closed()

    async with serve(answer, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        socket = await dial(f"ws://127.0.0.1:{port}", Credentials(token="none"))
        assert len(await socket.recv()) == FRAME_LIMIT
        with pytest.raises(ConnectionClosedError, match="1009"):
            await socket.recv()
        await socket.close()
    assert offered == [None]
