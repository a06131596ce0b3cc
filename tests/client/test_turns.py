"""What was too much for now is asked again, as fast as the server lets it in, and nothing is lost or doubled."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from client import Backoff, RateLimited, RequestRejected, StreamerClient
from domain.instant import EPOCH
from tests.client.scripted_server import HELD, Frame, ManualClock, ScriptedServer, error

Connect = Callable[..., StreamerClient]
LIMITED = error(
    "RATE_LIMITED", "more than 5 a second from this tenant", details={"limit": "tenant"}, retry_after_ms=1500
)


class Limiting:
    """Lets frames in while there are tokens; each wait of the client brings new ones."""

    def __init__(self, server: ScriptedServer, kind: str, tokens: int) -> None:
        self._answer = getattr(server, f"_{kind}")
        self.tokens = tokens
        self.granted: list[Frame] = []
        self.refused = 0
        server.on[kind] = self

    def __call__(self, frame: Frame, socket: Any) -> Any:
        if not self.tokens:
            self.refused += 1
            return LIMITED
        self.tokens -= 1
        self.granted.append(frame)
        return self._answer(frame, socket)


class Refilling(ManualClock):
    """Each wait brings new tokens."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self._tokens = tokens
        self.limit: Limiting | None = None

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.limit and seconds < 60:
            self.limit.tokens = self._tokens


async def test_a_refused_frame_is_asked_again_no_earlier_than_told(server: ScriptedServer, connect: Connect) -> None:
    clock = Refilling(tokens=1)
    clock.limit = Limiting(server, "submit", tokens=0)
    async with connect(backoff=Backoff(sleep=clock.sleep)) as client:
        handle = await client.submit("report", idempotency_key="k")
    assert handle.request_id == "r1"
    assert server.received("submit") == [{"action": "report", "idempotency_key": "k"}] * 2
    assert [wait >= 1.5 for wait in clock.waits] == [True]


async def test_a_client_that_floods_is_slowed_down_and_every_one_of_its_requests_is_taken_in(
    server: ScriptedServer, connect: Connect
) -> None:
    clock = Refilling(tokens=10)
    limit = clock.limit = Limiting(server, "submit", tokens=20)
    async with connect(backoff=Backoff(sleep=clock.sleep)) as client:
        handles = await asyncio.gather(*(client.submit("report", n) for n in range(500)))
    assert len({handle.request_id for handle in handles}) == 500
    assert [frame.get("payload") for frame in limit.granted] == list(range(500))
    assert limit.refused <= 480 + 48, "each once, and then one for each time that the tokens are used up"
    assert len(clock.waits) <= 48 + 1, "who stood behind others does not wait as well"


async def test_when_the_tries_are_used_up_all_who_stand_in_line_are_told(
    server: ScriptedServer, connect: Connect
) -> None:
    server.on["submit"] = lambda *_: LIMITED
    async with connect(tries=5) as client:
        told = await asyncio.gather(*(client.submit("report", n) for n in range(40)), return_exceptions=True)
        assert len(server.received("submit")) == 40 + 5
        with pytest.raises(RateLimited) as refused:
            await client.submit("report", "afterwards, a line of its own")
    assert {type(one) for one in told} == {RateLimited}
    assert isinstance(refused.value, RequestRejected)
    assert (refused.value.code, refused.value.details) == ("RATE_LIMITED", {"limit": "tenant"})
    assert refused.value.retry_after_ms == 1500
    assert str(refused.value) == "Too much for now: more than 5 a second from this tenant; try again in 1.5 s"
    assert len(server.received("submit")) == 40 + 5 + 1 + 5


async def test_one_kind_of_frame_does_not_hold_up_another(server: ScriptedServer, connect: Connect) -> None:
    wakes: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def sleep(seconds: float) -> None:
        wake = asyncio.Event()
        if seconds not in HELD:
            wakes.put_nowait(wake)
        await wake.wait()

    refusals = iter([LIMITED])
    server.on["submit"] = lambda *_: LIMITED
    server.on["ping"] = lambda frame, socket: next(refusals, None) or server._ping(frame, socket)
    async with connect(backoff=Backoff(sleep=sleep)) as client:
        waiting = asyncio.create_task(client.submit("report"))
        wake = await wakes.get()
        pinging = asyncio.create_task(client.ping())
        (await wakes.get()).set()
        assert await pinging == EPOCH
        del server.on["submit"]
        assert not waiting.done()
        wake.set()
        assert (await waiting).request_id == "r1"


async def test_a_repair_that_is_too_much_for_now_takes_its_turn(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted", "RequestCompleted")
        refusals = iter([LIMITED, LIMITED])
        server.on["subscribe"] = lambda frame, socket: next(refusals, None) or server._subscribe(frame, socket)
        await server.push("r1", 3)
        assert [update.version async for update in handle] == [1, 2, 3]
    assert [wait >= 1.5 for wait in clock.waits] == [True, True]
