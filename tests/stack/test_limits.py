"""A client that floods is slowed, not broken; a tenant's queue has an end, and room again when it is worked off."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import websockets

from client import Backoff, Handle, RateLimited, StreamerClient
from client.tokens import make_token
from domain.state import Status
from local.stack import Stack, running

NUMBERS = itertools.count(1)
DEPTH, PER_SECOND, BURST = 12, 5, 6


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose limits are soon reached."""
    directory = tmp_path_factory.mktemp("narrow")
    rate = {"SubmitsPerSecond": f"{PER_SECOND}", "SubmitBurst": f"{BURST}"}
    with running(directory, lambda _: None, **rate, TenantQueueDepth=f"{DEPTH}") as started:
        yield started


@pytest.fixture
def token(narrow: Stack) -> str:
    """Ann's, of a tenant of this test alone."""
    return make_token(narrow, tenant=f"narrow-{next(NUMBERS)}", user="ann", now=datetime.now(UTC))


@pytest.fixture
async def client(narrow: Stack, token: str) -> AsyncIterator[StreamerClient]:
    async with StreamerClient(narrow.ws_url, token=token) as opened:
        yield opened


async def test_every_request_of_a_flood_is_taken_in_and_ends(client: StreamerClient) -> None:
    handles = await asyncio.gather(*(client.submit("echo_async", n) for n in range(24)))
    assert await asyncio.gather(*(handle.result() for handle in handles)) == list(range(24))
    assert len({handle.request_id for handle in handles}) == 24


async def test_a_socket_that_floods_is_told_when_to_come_again_and_stays_open(narrow: Stack, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(narrow.ws_url, additional_headers=headers) as socket:
        told: dict[str, Any] = {}
        taken_in = 0
        while told.get("type") != "error":
            for n in range(2 * BURST):
                await socket.send(json.dumps({"type": "submit", "id": f"{n}", "action": "echo", "payload": n}))
            for _ in range(2 * BURST):
                reply = json.loads(await socket.recv())
                taken_in += reply["type"] == "response"
                told = reply if reply["type"] == "error" else told
        assert taken_in >= BURST
        assert told["code"] == "RATE_LIMITED"
        assert told["details"] == {"limit": "tenant", "per_second": PER_SECOND, "burst": BURST}
        assert 1 <= told["retry_after_ms"] <= 1000 / PER_SECOND
        await socket.send('{"type":"ping","id":"alive"}')
        assert json.loads(await socket.recv())["type"] == "pong"


async def test_a_queue_that_is_full_takes_nothing_in_until_something_leaves_it(narrow: Stack, token: str) -> None:
    async with StreamerClient(narrow.ws_url, token=token, backoff=Backoff(tries=3)) as client:
        waiting, refused = await submitted_until_refused(client)
        assert refused.details == {"limit": "queue", "most": DEPTH}
        assert len(waiting) >= DEPTH
        stored: Sequence[Any] = []
        while len(stored) < len(waiting):  # the view is behind the log
            stored = await client.list(limit=200)
        assert {row["request_id"] for row in stored} == {handle.request_id for handle in waiting}
        for handle in waiting:
            assert (await handle.cancel()).status is Status.CANCELLED
    async with StreamerClient(narrow.ws_url, token=token) as client:
        assert await client.call("echo_async", "room again") == "room again"


async def submitted_until_refused(client: StreamerClient) -> tuple[list[Handle], RateLimited]:
    """The requests that were taken in, none of which runs soon, and the refusal that followed."""
    taken_in: list[Handle] = []
    while True:
        try:
            taken_in.append(await client.submit("echo_async", len(taken_in), delay_s=3600))
        except RateLimited as refused:
            return taken_in, refused
