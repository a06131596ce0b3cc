"""What goes over the wire: frames refused here, errors told whole, replies read to their end, nonsense ignored."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from client import RequestRejected, StreamerClient, UnreadableReply
from client.line import PIECE, Line
from domain.exact_json import FRAME_DEPTH, FRAME_DIGITS
from domain.instant import EPOCH
from domain.protocol import FRAME_LIMIT
from tests.client.scripted_server import ScriptedServer, error

Connect = Callable[..., StreamerClient]


def nested(depth: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


async def test_a_frame_that_is_too_large_is_refused_here_and_the_connection_lives(
    server: ScriptedServer, connect: Connect
) -> None:
    async with connect() as client:
        with pytest.raises(RequestRejected, match="at most 131072") as refused:
            await client.submit("report", "x" * FRAME_LIMIT)
        assert refused.value.code == "PAYLOAD_TOO_LARGE"
        assert await client.ping() == EPOCH
    assert server.received("submit") == []


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"], ids=["1 byte", "2 bytes", "4 bytes"])
async def test_a_large_frame_is_sent_in_pieces_that_api_gateway_takes(
    server: ScriptedServer, connect: Connect, letter: str
) -> None:
    large = letter * ((FRAME_LIMIT - 1_000) // len(letter.encode()))
    async with connect() as client:
        assert await client.call("echo", large) == large
        assert await client.ping() == EPOCH
    assert len(server.headers) == 1, "over one connection"


class _Slow:
    """A socket that takes a while for each piece of a message."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.is_closed = asyncio.Event()

    async def send(self, pieces: Iterable[str]) -> None:
        taken = []
        for piece in pieces:
            await asyncio.sleep(0)
            taken.append(piece)
        self.taken.append("".join(taken))

    async def __aiter__(self) -> AsyncIterator[str]:
        await self.is_closed.wait()
        yield ""

    async def close(self) -> None:
        self.is_closed.set()


async def test_a_large_frame_is_sent_to_its_end_also_when_nobody_waits_for_it_any_more() -> None:
    socket: Any = _Slow()
    line = Line(socket, lambda _: None)
    sending = asyncio.create_task(line.send("x" * FRAME_LIMIT))
    for _ in range(4):
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    for _ in range(FRAME_LIMIT // PIECE + 4):
        await asyncio.sleep(0)
    assert socket.taken == ["x" * FRAME_LIMIT]
    await line.close()


@pytest.mark.parametrize(
    "payload",
    [float("nan"), object(), "\ud800", {"\ud800": 1}, nested(FRAME_DEPTH), Decimal(f"1E+{FRAME_DIGITS + 1}")],
    ids=["no number", "no value", "no text", "no name", "too deep", "too long"],
)
async def test_what_the_server_could_not_read_is_refused_here(
    server: ScriptedServer, connect: Connect, payload: object
) -> None:
    async with connect() as client:
        with pytest.raises(RequestRejected) as refused:
            await client.submit("report", payload)
    assert refused.value.code == "VALIDATION_ERROR"
    assert server.frames == []


async def test_what_the_server_can_just_read_is_sent(connect: Connect) -> None:
    async with connect() as client:
        for payload in (nested(FRAME_DEPTH - 1), Decimal(f"1E+{FRAME_DIGITS}")):
            assert await client.call("echo", payload) == payload


async def test_an_error_frame_is_raised_with_all_it_tells(server: ScriptedServer, connect: Connect) -> None:
    server.on["get"] = lambda *_: error(
        "RATE_LIMITED", "slow down", details={"a": 1}, retry_after_ms=250, request_id="r1"
    )
    async with connect() as client:
        with pytest.raises(RequestRejected) as refused:
            await client.get("r1")
    told = refused.value
    assert (told.code, told.told, told.details, told.retry_after_ms, told.request_id) == (
        "RATE_LIMITED",
        "slow down",
        {"a": 1},
        250,
        "r1",
    )


@pytest.mark.parametrize(
    "frame",
    [
        '{"message": "Internal server error", "connectionId": "c", "requestId": "r"}',
        "not JSON",
        b"\xff",
        '{"type": "event", "request_id": "r1", "from_version": 1, "version": 1, "event": {}, "state": {}}',
        '{"type": "events", "items": [{}]}',
        '{"type": "pong", "id": "99", "at": "2026-01-01T00:00:00.000Z"}',
        '{"type": "error", "code": "INTERNAL_ERROR", "message": "of no frame"}',
    ],
)
async def test_a_frame_that_means_nothing_to_the_client_is_ignored(
    server: ScriptedServer, connect: Connect, frame: str | bytes
) -> None:
    async with connect() as client:
        await client.ping()
        await server.send(frame)
        assert await client.ping() == EPOCH
    assert len(server.headers) == 1


async def test_a_reply_of_another_kind_is_an_error(server: ScriptedServer, connect: Connect) -> None:
    server.on["get"] = lambda *_: {"type": "unsubscribed"}
    async with connect() as client:
        with pytest.raises(UnreadableReply):
            await client.get("r1")


async def test_long_answers_are_read_to_their_end(server: ScriptedServer, connect: Connect) -> None:
    server.append("r1", "RequestSubmitted", "AttemptStarted", "OutputAppended", "OutputAppended", "RequestCompleted")
    pages = {None: ([{"n": 1}, {"n": 2}], "c"), "c": ([{"n": 3}], None)}

    def page(kind: str) -> Callable[..., Any]:
        def reply(frame: dict[str, Any], _: object) -> Any:
            items, cursor = pages[frame.get("cursor")]
            return {"type": kind, "items": items[: frame["limit"]], **({"cursor": cursor} if cursor else {})}

        return reply

    server.on |= {"list": page("requests"), "audit": page("audit")}
    async with connect() as client:
        assert [event.version for event in await client.history("r1", after=1)] == [2, 3, 4, 5]
        assert [row["n"] for row in await client.list()] == [1, 2, 3]
        assert [row["n"] for row in await client.list(limit=2)] == [1, 2]
        assert [row["n"] for row in await client.audit(day=datetime(2026, 1, 2, tzinfo=UTC).date())] == [1, 2, 3]
    assert server.received("audit")[0]["day"] == "2026-01-02"


async def test_pages_that_lead_nowhere_are_an_error(server: ScriptedServer, connect: Connect) -> None:
    server.append("r1", "RequestSubmitted", "RequestCompleted")
    server.on["history"] = lambda frame, socket: {**server._history(frame, socket), "next": 1}
    server.on["audit"] = lambda *_: {"type": "audit", "items": [], "cursor": "c"}
    server.on["list"] = lambda *_: {"type": "requests", "items": [], "cursor": "c"}
    async with connect() as client:
        for read in (client.history("r1"), client.audit(request_id="r1"), client.list()):
            with pytest.raises(UnreadableReply, match="leads"):
                await read


async def test_the_actions_are_told_with_what_they_take(server: ScriptedServer, connect: Connect) -> None:
    echo = {"name": "echo", "mode": "sync", "description": "The payload.", "input_schema": {}}
    server.on["actions"] = lambda *_: {"type": "actions", "items": [echo]}
    async with connect() as client:
        (told,) = await client.actions()
    assert (told.name, told.mode, told.input_schema) == ("echo", "sync", {})


STATES = [{"status": []}, {"submitted_at": "yesterday"}, {"updated_at": 1}, {"percent": "most"}, {"error": "none"}]


@pytest.mark.parametrize("state", STATES, ids=str)
async def test_a_push_whose_state_makes_no_sense_is_ignored(
    server: ScriptedServer, connect: Connect, state: dict[str, Any]
) -> None:
    async with connect() as client:
        watch = await client.watch_topic("tenant#acme")
        server.append("a", "RequestSubmitted")
        await server.send({"type": "event", **server.item("a", 1), "state": state})
        await server.push("a", 1)
        assert (await anext(watch)).version == 1
    assert len(server.headers) == 1


@pytest.mark.parametrize(
    "row", [{"x": 1}, {"request_id": "a", "version": 1}, *({"state": one} for one in STATES)], ids=str
)
async def test_a_topic_whose_requests_make_no_sense_is_an_error(
    server: ScriptedServer, connect: Connect, row: dict[str, Any]
) -> None:
    row = row if "state" not in row else {"request_id": "a", "version": 1, **row}
    server.on["subscribe"] = lambda frame, _: {**server._subscribe_topic(frame), "requests": [row]}
    async with connect() as client:
        with pytest.raises(UnreadableReply):
            await client.watch_topic("tenant#acme")


async def test_what_the_log_says_in_other_words_is_an_error(server: ScriptedServer, connect: Connect) -> None:
    server.append("r1", "RequestSubmitted")
    server.on["history"] = lambda *_: {"type": "history", "request_id": "r1", "events": [{}]}
    server.on["subscribe"] = lambda frame, socket: {**server._subscribe(frame, socket), "state": {"status": []}}
    async with connect() as client:
        with pytest.raises(UnreadableReply):
            await client.history("r1")
        with pytest.raises(UnreadableReply):
            await client.subscribe("r1")


async def test_a_topic_that_is_none_is_refused_by_the_server(server: ScriptedServer, connect: Connect) -> None:
    server.on["subscribe"] = lambda *_: error("VALIDATION_ERROR", "topic: user#TENANT#USER or tenant#TENANT")
    async with connect() as client:
        for topic in ("user#acme", "user#", "acme"):
            with pytest.raises(RequestRejected):
                await client.watch_topic(topic)
