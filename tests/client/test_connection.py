"""A lost connection is replaced without a gap; what cannot be helped is told as a typed error."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from client import Backoff, ConnectionLost, ConnectRefused, NoReply, StreamerClient
from domain.instant import EPOCH
from tests.client.scripted_server import ManualClock, ScriptedServer

Connect = Callable[..., StreamerClient]


async def cut(server: ScriptedServer) -> None:
    """Cut the connection and wait for the next one."""
    connects = len(server.headers)
    server.kill()
    await server.until(lambda: len(server.headers) > connects)


async def test_a_lost_connection_is_replaced_and_the_handle_goes_on(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted", "OutputAppended")
        await server.push("r1", 1)
        await server.push("r1", 2)
        assert [(await anext(handle)).version for _ in range(2)] == [1, 2]
        await cut(server)
        server.append("r1", "RequestCompleted", result="ok")
        assert [update.version async for update in handle] == [3, 4]
        assert await handle.result() == "ok"
    assert server.received("subscribe")[0] == {"request_id": "r1", "after": 2}


async def test_a_submit_whose_reply_was_lost_is_neither_doubled_nor_lost(
    server: ScriptedServer, connect: Connect
) -> None:
    def take_in_and_die(frame: dict[str, Any], socket: Any) -> None:
        server.on.clear()
        server._submit(frame, socket)
        server.kill()

    server.on["submit"] = take_in_and_die
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "RequestCompleted", result="once")
        await server.push("r1", 1, 2)
        assert await handle.result() == "once"
    assert list(server.logs) == ["r1"]
    assert len({frame["submission_id"] for frame in server.received("submit")}) == 1


async def test_each_submit_without_a_key_is_a_request_of_its_own(connect: Connect) -> None:
    async with connect() as client:
        assert {(await client.submit("report")).request_id for _ in range(3)} == {"r1", "r2", "r3"}


async def test_a_read_whose_reply_was_lost_is_repeated(server: ScriptedServer, connect: Connect) -> None:
    def die(_: object, __: object) -> None:
        server.on.clear()
        server.kill()

    server.append("r1", "RequestSubmitted")
    server.on["get"] = die
    async with connect() as client:
        assert (await client.get("r1")).state["status"] == "PENDING"


async def test_what_is_asked_without_a_connection_waits_for_the_next_one(
    server: ScriptedServer, connect: Connect
) -> None:
    server.append("r1", "RequestSubmitted")
    async with connect() as client:
        await client.ping()
        server.refusals = [503, 503]
        server.kill()
        assert (await client.get("r1")).version == 1
    assert len(server.received("get")) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_told_at_once(server: ScriptedServer, connect: Connect, status: int) -> None:
    server.refuse_all = status
    with pytest.raises(ConnectRefused):
        async with connect():
            pytest.fail("connected")
    assert len(server.headers) == 1


async def test_a_token_refused_on_reconnecting_ends_all_handles(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.refuse_all = 401
        server.kill()
        with pytest.raises(ConnectRefused):
            await handle.result()
        with pytest.raises(ConnectRefused):
            await anext(handle)
        with pytest.raises(ConnectRefused):
            await client.ping()


async def test_each_connect_asks_for_a_token_and_sends_it_in_a_header_only(
    server: ScriptedServer, connect: Connect
) -> None:
    tokens = iter(["first", "second"])

    async def provide() -> str:
        return next(tokens)

    async with connect(token=provide) as client:
        await client.ping()
        await cut(server)
        await client.ping()
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer first", "Bearer second"]
    assert server.paths == ["/stage", "/stage"]


async def test_a_token_provider_that_fails_once_is_asked_again(connect: Connect) -> None:
    answers: list[Any] = [OSError("no network"), "token"]

    def provide() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    async with connect(token=provide) as client:
        assert await client.ping() == EPOCH


async def test_no_server_is_told_after_a_few_tries(clock: ManualClock) -> None:
    backoff = Backoff(random=lambda: 1.0, sleep=clock.sleep)
    with pytest.raises(ConnectionLost):
        async with StreamerClient("ws://127.0.0.1:1/", token="t", backoff=backoff):
            pytest.fail("connected")
    assert clock.waits == [0.2, 0.4]


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:port/", f"ws://{'a' * 70}.example/", "ws://[::1/", "http://127.0.0.1/", "nowhere"]
)
async def test_an_address_that_is_none_is_no_connection(url: str, clock: ManualClock) -> None:
    with pytest.raises(ConnectionLost):
        async with StreamerClient(url, token="t", backoff=Backoff(sleep=clock.sleep)):
            pytest.fail("connected")


async def test_the_waits_grow_up_to_a_cap_and_end(server: ScriptedServer, clock: ManualClock) -> None:
    backoff = Backoff(tries=9, random=lambda: 1.0, sleep=clock.sleep)
    async with StreamerClient(server.url, token="t", backoff=backoff) as client:
        handle = await client.submit("report")
        server.refuse_all = 503
        server.kill()
        with pytest.raises(ConnectionLost):
            await handle.result()
    assert clock.waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20])


def test_a_wait_is_a_random_part_of_its_bound() -> None:
    parts = iter([0.0, 0.25, 1.0])
    waits = list(Backoff(base=timedelta(seconds=1), tries=3, random=lambda: next(parts)).waits())
    assert waits == [timedelta(0), timedelta(seconds=0.5), timedelta(seconds=4)]


def test_however_often_is_tried_no_wait_grows_beyond_the_cap() -> None:
    waits = list(Backoff(cap=timedelta(seconds=20), tries=1000, random=lambda: 1.0).waits())
    assert waits[-1] == timedelta(seconds=20)


async def test_sockets_that_never_bring_a_frame_use_up_the_tries(server: ScriptedServer, connect: Connect) -> None:
    async with connect(tries=4) as client:
        server.on["get"] = lambda *_: server.kill()
        with pytest.raises(ConnectionLost):
            await client.get("r1")
    assert len(server.headers) == 5


async def test_a_socket_that_brought_a_frame_gives_all_tries_back(server: ScriptedServer, connect: Connect) -> None:
    async with connect(tries=2) as client:
        for _ in range(5):
            await client.ping()
            await cut(server)
        assert await client.ping() == EPOCH


async def test_a_frame_that_is_never_answered_is_told_after_three_times(
    server: ScriptedServer, connect: Connect
) -> None:
    server.on["get"] = lambda *_: None
    async with connect(reply_timeout=timedelta(0)) as client:
        with pytest.raises(NoReply):
            await client.get("r1")
        await server.until(lambda: len(server.received("get")) >= 3)


async def test_a_heartbeat_is_sent(server: ScriptedServer, clock: ManualClock, connect: Connect) -> None:
    async with connect(heartbeat=timedelta(seconds=300)):
        for _ in range(2):
            await clock.let_pass(300)
        await server.until(lambda: len(server.received("ping")) == 2)
    assert len(server.headers) == 1


async def test_a_socket_whose_heartbeat_is_not_answered_is_replaced(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    server.on["ping"] = lambda *_: None
    async with connect(reply_timeout=timedelta(0)) as client:
        await clock.let_pass(300)
        await server.until(lambda: len(server.headers) == 2)
        server.on.clear()
        assert client is not None


async def test_a_socket_is_replaced_before_the_platform_closes_it(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    open_then: list[int] = []

    def subscribe(frame: dict[str, Any], socket: Any) -> Any:
        open_then.append(len(server.sockets))
        return server._subscribe(frame, socket)

    server.on["subscribe"] = subscribe
    async with connect() as client:
        handle = await client.submit("report")
        await clock.let_pass(6600)
        await server.until(lambda: server.received("subscribe") and len(server.sockets) == 1)
        server.append("r1", "RequestCompleted", result="seen")
        await server.push("r1", 2)
        assert await handle.result() == "seen"
    assert open_then == [2]  # the old one is closed only after everything is watched on the new one
    assert len(server.headers) == 2


async def test_while_a_socket_is_replaced_pushes_over_either_are_heard_once(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    async def subscribe(frame: dict[str, Any], socket: Any) -> Any:
        server.append("r1", "AttemptStarted")
        await server.push("r1", 1)
        await server.push("r1", 2)
        return server._subscribe(frame, socket)

    server.on["subscribe"] = subscribe
    async with connect() as client:
        handle = await client.submit("report")
        await clock.let_pass(6600)
        await server.until(lambda: server.received("subscribe") and len(server.sockets) == 1)
        server.append("r1", "RequestCompleted")
        await server.push("r1", 3)
        assert [update.version async for update in handle] == [1, 2, 3]


@pytest.mark.parametrize("refusals", [[503, 503], [503, 401]])
async def test_a_socket_that_cannot_be_replaced_yet_goes_on(
    server: ScriptedServer, clock: ManualClock, connect: Connect, refusals: list[int]
) -> None:
    async with connect() as client:
        server.refusals = list(refusals)
        await clock.let_pass(6600)
        await server.until(lambda: len(server.headers) == 3)
        assert await client.ping() == EPOCH
        if refusals == [503, 503]:
            await server.until(lambda: len(server.headers) == 4 and len(server.sockets) == 1)
            assert await client.ping() == EPOCH


async def test_a_socket_that_does_not_answer_after_a_sleep_of_the_machine_is_replaced(
    server: ScriptedServer, clock: ManualClock, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = [1000.0]
    monkeypatch.setattr("client.connection.time.time", lambda: wall[0])
    monkeypatch.setattr("client.connection.PROBE", timedelta(0))
    server.on["ping"] = lambda *_: None
    async with connect():
        wall[0] += 15
        await clock.let_pass(15)
        wall[0] += 3600
        await clock.let_pass(15)
        await server.until(lambda: len(server.headers) == 2)
    assert len(server.received("ping")) <= 2  # the second is the first, asked again on the new socket


@pytest.mark.parametrize("seed", range(15))
async def test_however_often_the_connection_is_cut_each_version_comes_once(
    server: ScriptedServer, connect: Connect, seed: int
) -> None:
    chance = random.Random(seed)
    async with connect(tries=50) as client:
        handle = await client.submit("report")
        seen = asyncio.create_task(_ranges(handle))
        server.append("r1", "AttemptStarted")
        await _storm(server, chance)
        server.append("r1", "RequestCompleted")
        await cut(server)
        ranges = await seen
    ends = [end for _, end in ranges]
    assert [start for start, _ in ranges] == [1, *(end + 1 for end in ends[:-1])]
    assert ends[-1] == len(server.logs["r1"])


async def _ranges(handle: Any) -> list[tuple[int, int]]:
    return [(update.from_version, update.version) async for update in handle]


async def _storm(server: ScriptedServer, chance: random.Random) -> None:
    for percent in range(40):
        head = server.progress("r1", percent)
        fate = chance.random()
        if fate < 0.1:
            await cut(server)
        elif fate < 0.8:
            await server.push("r1", max(1, head - chance.randrange(3)), head)
        else:
            await asyncio.sleep(0)
