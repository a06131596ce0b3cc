"""What was lost on the way is looked for when it is silent, soon and then ever more rarely."""

from collections.abc import Callable

import pytest

from client import StreamerClient
from client.vigil import LATE, SOON, Patience
from tests.client.scripted_server import ManualClock, ScriptedServer

Connect = Callable[..., StreamerClient]
TICK = 10


async def ticks(clock: ManualClock, count: int) -> None:
    for _ in range(count):
        await clock.let_pass(TICK)


def test_a_silence_is_borne_for_longer_each_time_until_something_is_heard() -> None:
    patience = Patience()
    looks = [tick for tick in range(1, 200) if patience.tick()]
    assert [later - sooner for sooner, later in zip([0, *looks], looks, strict=False)][:7] == [2, 4, 8, 16, 30, 30, 30]
    patience.heard()
    assert [patience.tick() for _ in range(SOON)] == [False, True]
    assert LATE * TICK == 300


async def test_a_last_push_that_got_lost_is_found_after_two_ticks(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted")
        await server.push("r1", 1, 2)
        assert (await anext(handle)).version == 2
        server.append("r1", "RequestCompleted", result="seen")  # throttled: nobody is told
        await ticks(clock, 2)
        assert await handle.result() == "seen"
    assert server.received("subscribe") == [{"request_id": "r1", "after": 2}]


async def test_a_client_that_does_not_look_would_wait_for_ever(
    server: ScriptedServer, clock: ManualClock, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin of the test above: without the vigil, the last push stays lost."""
    monkeypatch.setattr(Patience, "tick", lambda _: False)
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "RequestCompleted")
        await ticks(clock, 100)
        await client.ping()
        assert handle.version == 0
    assert server.received("subscribe") == []


async def test_a_request_that_is_heard_of_is_not_looked_at(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        for version in range(1, 9):
            await server.push("r1", version)
            assert (await anext(handle)).version == version
            server.append("r1", "LeaseRenewed")
            await ticks(clock, 1)
        await client.ping()
    assert server.received("subscribe") == []


async def test_a_request_that_waits_is_looked_at_ever_more_rarely(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        await server.push("r1", 1)
        await anext(handle)
        await ticks(clock, 2 + 4 + 8 + 16 + 30 + 30)
        await client.ping()
        await server.until(lambda: len(server.received("subscribe")) == 6)


async def test_a_handle_that_has_ended_is_not_looked_at(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "RequestCompleted")
        await server.push("r1", 1, 2)
        await handle.result()
        await ticks(clock, 10)
        await client.ping()
    assert server.received("subscribe") == []
