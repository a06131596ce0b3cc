"""What is watched no longer is forgotten, by the client and by the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from client import Handle, RequestRejected, StreamerClient, Submission
from tests.client.scripted_server import ScriptedServer, error
from tests.client.test_connection import cut

Connect = Callable[..., StreamerClient]
Begin = Callable[[StreamerClient], Awaitable[Any]]


async def _submitted_again(client: StreamerClient) -> Handle:
    await (await client.submit("report", idempotency_key="k")).close()
    return await client.submit("report", idempotency_key="k")


async def _submitted_twice(client: StreamerClient) -> Any:
    return await client.submit_many([Submission(action="report", payload="x" * 20_000) for _ in range(2)])


BEGINNINGS = {
    "subscribe": lambda client: client.subscribe("r1"),
    "watch_topic": lambda client: client.watch_topic("tenant#acme"),
    "submit": _submitted_again,
}
begun = pytest.mark.parametrize("begin", BEGINNINGS.values(), ids=BEGINNINGS)


@begun
async def test_a_watch_that_is_refused_is_forgotten(server: ScriptedServer, connect: Connect, begin: Begin) -> None:
    server.on["subscribe"] = lambda *_: error("FORBIDDEN", "not yours")
    async with connect() as client:
        with pytest.raises(RequestRejected, match="not yours"):
            await begin(client)
        assert client._watching._all() == []


@begun
async def test_a_watch_that_nobody_waits_for_is_forgotten(
    server: ScriptedServer, connect: Connect, begin: Begin
) -> None:
    server.on["subscribe"] = lambda *_: None
    async with connect() as client:
        beginning = asyncio.ensure_future(begin(client))
        await server.until(lambda: server.received("subscribe"))
        beginning.cancel()
        await asyncio.wait((beginning,))
        assert client._watching._all() == []


async def test_what_was_submitted_of_many_is_forgotten_when_nobody_waits_for_the_rest(
    server: ScriptedServer, connect: Connect
) -> None:
    def once(frame: Any, socket: Any) -> Any:
        return server._submit_batch(frame, socket) if len(server.received("submit_batch")) == 1 else None

    server.on["submit_batch"] = once
    async with connect() as client:
        submitting = asyncio.ensure_future(_submitted_twice(client))
        await server.until(lambda: len(server.received("submit_batch")) == 2)
        submitting.cancel()
        await asyncio.wait((submitting,))
        assert client._watching._all() == []


async def test_the_last_handle_is_unsubscribed_whoever_failed_to_watch_beside_it(
    server: ScriptedServer, connect: Connect
) -> None:
    server.append("r1", "RequestSubmitted")
    async with connect() as client:
        handle = await client.subscribe("r1")
        server.on["subscribe"] = lambda *_: error("FORBIDDEN", "not yours")
        with pytest.raises(RequestRejected):
            await client.subscribe("r1")
        await handle.close()
    assert server.received("unsubscribe") == [{"request_id": "r1"}]


async def test_known_requests_among_many_are_caught_up_with_and_one_that_cannot_be_tells_so(
    server: ScriptedServer, connect: Connect
) -> None:
    work = [Submission(action="report", idempotency_key=key) for key in "ab"]
    async with connect() as client:
        for handle in await client.submit_many(work):
            await handle.close()
        server.append("r2", "RequestCompleted", result=2)
        del server.logs["r1"]
        server.on["submit_batch"] = lambda *_: {
            "type": "acks",
            "items": [
                {"type": "ack", "request_id": name, "status": "PENDING", "version": 1, "duplicate": True}
                for name in ("r1", "r2")
            ],
        }
        lost, found = await client.submit_many(work)
        assert await found.result() == 2
        with pytest.raises(RequestRejected, match="No such request"):
            await lost.result()
        assert (lost.request_id, lost.refusal) == ("r1", None)


async def test_a_closed_topic_is_not_subscribed_again_by_who_looks_for_changes(
    server: ScriptedServer, connect: Connect
) -> None:
    server.on["subscribe"] = lambda frame, _: {**server._subscribe_topic(frame), "more": "since" in frame}
    async with connect() as client:
        watch = await client.watch_topic("tenant#acme")
        await client.ping()
        await cut(server)
        await server.until(lambda: any("since" in frame for frame in server.received("subscribe")))
        await watch.close()
        await asyncio.gather(*(client.ping() for _ in range(5)))
    assert "subscribe" not in after_the_last(server, "unsubscribe")


async def test_a_closed_handle_is_not_subscribed_again_by_who_fills_a_gap(
    server: ScriptedServer, connect: Connect
) -> None:
    server.on["subscribe"] = lambda *_: error("INTERNAL_ERROR", "once more")
    async with connect(tries=1000) as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted")
        await server.push("r1", 2)
        await server.until(lambda: server.received("subscribe"))
        await handle.close()
        await asyncio.gather(*(client.ping() for _ in range(5)))
    assert "subscribe" not in after_the_last(server, "unsubscribe")


async def test_a_handle_is_closed_before_it_began_to_ask(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        handle.resume()
        await handle.close()
    assert server.received("subscribe") == []


async def test_what_is_closed_without_a_connection_waits_for_none(server: ScriptedServer, connect: Connect) -> None:
    async with connect(tries=1000) as client:
        handle, watch = await client.submit("report"), await client.watch_topic("tenant#acme")
        server.refuse_all = 503
        await cut(server)
        await handle.close()
        await watch.close()
        server.refuse_all = None
        await client.ping()
    assert server.received("unsubscribe") == []
    assert server.received("subscribe") == [{"topic": "tenant#acme"}]


def after_the_last(server: ScriptedServer, kind: str) -> list[str]:
    kinds = [frame["type"] for frame in server.frames]
    return kinds[len(kinds) - kinds[::-1].index(kind) :]
