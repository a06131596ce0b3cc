"""A handle gives each update once and in order, over a real socket, whatever the server pushes when."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from client import (
    EventsLost,
    Handle,
    RequestCancelled,
    RequestFailed,
    RequestRejected,
    StreamerClient,
    WatchClosed,
)
from domain import exact_json
from tests.client.scripted_server import ManualClock, ScriptedServer, error

Connect = Callable[..., StreamerClient]


async def versions(handle: Handle) -> list[int]:
    return [update.version async for update in handle]


async def test_a_submitted_request_is_followed_to_its_result(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report", {"of": "day"}, priority=9, metadata={"a": "b"})
        server.append("r1", "AttemptStarted")
        server.progress("r1", 50)
        server.append("r1", "RequestCompleted", result={"rows": 3})
        for version in range(1, 5):
            await server.push("r1", version)
        updates = [update async for update in handle]
        assert [update.type for update in updates][-2:] == ["ProgressReported", "RequestCompleted"]
        assert [update.percent for update in updates] == [0, 0, 50, 50]
        assert await handle.result() == {"rows": 3}
    assert server.received("submit")[0]["priority"] == 9
    assert server.received("subscribe") == []


async def test_pushes_that_come_before_the_acknowledgement_are_kept(server: ScriptedServer, connect: Connect) -> None:
    async def submit(frame: dict[str, Any], socket: Any) -> Any:
        reply = server._submit(frame, socket)
        server.append("r1", "RequestCompleted", result=1)
        await server.push("r1", 1)
        await server.push("r1", 2)
        return reply

    server.on["submit"] = submit
    async with connect() as client:
        handle = await client.submit("report")
        assert await versions(handle) == [1, 2]


async def test_a_push_that_comes_twice_is_given_once(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted", "RequestCompleted")
        for version in (1, 1, 2, 1, 2, 3, 3):
            await server.push("r1", version)
        assert await versions(handle) == [1, 2, 3]


async def test_a_gap_is_filled_from_the_log(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted", "OutputAppended", "RequestCompleted")
        await server.push("r1", 1)
        await server.push("r1", 4)
        assert await versions(handle) == [1, 2, 3, 4]
    assert server.received("subscribe") == [{"request_id": "r1", "after": 1}]


async def test_conflated_progress_is_no_gap(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted")
        server.progress("r1", 10, 20, 30, 40)
        server.append("r1", "RequestCompleted")
        await server.push("r1", 1)
        await server.send({"type": "events", "items": [server.item("r1", 2), server.item("r1", 3, 6)]})
        await server.push("r1", 7)
        seen = [(update.from_version, update.version, update.skipped) async for update in handle]
        assert seen == [(1, 1, 0), (2, 2, 0), (3, 6, 3), (7, 7, 0)]
    assert server.received("subscribe") == []


async def test_a_known_key_gives_the_same_request_from_its_start(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        await client.submit("report", idempotency_key="k")
        server.append("r1", "AttemptStarted", "RequestCompleted")
        again = await client.submit("report", idempotency_key="k")
        assert again.request_id == "r1"
        assert await versions(again) == [1, 2, 3]
    assert server.received("subscribe") == [{"request_id": "r1", "after": 0}]


async def test_subscribing_gives_what_was_missed_and_then_what_comes(server: ScriptedServer, connect: Connect) -> None:
    server.append("r1", "RequestSubmitted", "AttemptStarted")
    async with connect() as client:
        handle = await client.subscribe("r1", after=1)
        assert handle.version == 2
        server.append("r1", "RequestCompleted")
        await server.push("r1", 2, 3)
        assert await versions(handle) == [2, 3]


async def test_events_pushed_while_subscribing_come_after_those_of_the_answer(
    server: ScriptedServer, connect: Connect
) -> None:
    async def subscribe(frame: dict[str, Any], socket: Any) -> Any:
        reply = server._subscribe(frame, socket)
        reply["events"] = list(reply["events"])
        server.on.clear()
        server.append("r1", "RequestCompleted")
        await server.push("r1", 3)
        return reply

    server.append("r1", "RequestSubmitted", "AttemptStarted")
    server.on["subscribe"] = subscribe
    async with connect() as client:
        assert await versions(await client.subscribe("r1")) == [1, 2, 3]


async def test_a_long_log_that_comes_in_parts_is_asked_for_to_its_end(server: ScriptedServer, connect: Connect) -> None:
    def subscribe(frame: dict[str, Any], socket: Any) -> Any:
        reply = server._subscribe(frame, socket)
        return {**reply, "events": reply["events"][:2]}

    server.append("r1", "RequestSubmitted", "AttemptStarted", "OutputAppended", "OutputAppended", "RequestCompleted")
    server.on["subscribe"] = subscribe
    async with connect() as client:
        assert await versions(await client.subscribe("r1")) == [1, 2, 3, 4, 5]
    assert [frame["after"] for frame in server.received("subscribe")] == [0, 2, 4]


async def test_events_that_the_log_no_longer_has_are_told_and_not_skipped(
    server: ScriptedServer, connect: Connect
) -> None:
    server.append("r1", "RequestSubmitted", "AttemptStarted")
    server.on["subscribe"] = lambda frame, socket: {**server._subscribe(frame, socket), "events": []}
    async with connect() as client:
        with pytest.raises(EventsLost):
            await client.subscribe("r1")


async def test_a_log_that_went_while_it_was_watched_is_told(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        await server.push("r1", 1)
        assert (await anext(handle)).version == 1
        server.logs.clear()
        server.kill()
        with pytest.raises(EventsLost):
            await anext(handle)


async def test_a_refused_subscription_is_told(connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(RequestRejected) as refused:
            await client.subscribe("unknown")
    assert refused.value.code == "NOT_FOUND"


async def test_a_repair_that_was_refused_for_now_is_tried_again(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    def too_many(_: object, __: object) -> Any:
        server.on.clear()
        return error("TIMEOUT", "Took too long", retry_after_ms=1500)

    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "AttemptStarted", "RequestCompleted")
        server.on["subscribe"] = too_many
        await server.push("r1", 3)
        assert await versions(handle) == [1, 2, 3]
    assert clock.waits == [1.5]


async def test_a_failed_request_raises_its_error(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "RequestFailed", error={"code": "BROKEN", "message": "no luck"})
        await server.push("r1", 1, 2)
        with pytest.raises(RequestFailed) as failed:
            await handle.result()
    assert failed.value.error == {"code": "BROKEN", "message": "no luck"}


async def test_a_cancelled_request_raises_who_and_why(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        ack = await handle.cancel("no longer needed")
        await server.push("r1", 1, 2)
        with pytest.raises(RequestCancelled, match="no longer needed") as cancelled:
            await handle.result()
    assert (ack.status, cancelled.value.by) == ("CANCELLED", "ann")


async def test_who_cancelled_a_request_is_known_to_whoever_has_seen_its_end(
    server: ScriptedServer, connect: Connect
) -> None:
    def subscribe(frame: dict[str, Any], socket: Any) -> Any:
        reply = server._subscribe(frame, socket)
        return {**reply, "state": {**reply["state"], "cancel_by": "ann", "cancel_reason": "too late"}}

    server.append("r1", "RequestSubmitted", "RequestCancelled")
    server.on["subscribe"] = subscribe
    async with connect() as client:
        handle = await client.subscribe("r1", after=2)
        with pytest.raises(RequestCancelled, match="too late") as cancelled:
            await handle.result()
    assert cancelled.value.by == "ann"


async def test_a_result_that_is_stored_elsewhere_is_fetched(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "RequestCompleted", result_ref="s3://somewhere")
        await server.push("r1", 1, 2)
        assert await handle.result() == 42


async def test_a_result_of_nothing_is_none(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "RequestCompleted")
        await server.push("r1", 1, 2)
        assert await handle.result() is None
    assert server.received("get") == []


async def test_the_result_of_a_request_that_was_seen_to_its_end_is_fetched(
    server: ScriptedServer, connect: Connect
) -> None:
    server.append("r1", "RequestSubmitted", "RequestCompleted")
    async with connect() as client:
        handle = await client.subscribe("r1", after=2)
        assert await versions(handle) == []
        assert await handle.result() == 42


async def test_a_synchronous_action_gives_its_value(connect: Connect) -> None:
    exact = exact_json.decode('{"n": 123456789012345678901234567890, "d": 0.1000000000000000000001}')
    async with connect() as client:
        assert await client.call("echo", exact) == exact
        handle = await client.submit("echo", None)
        assert await versions(handle) == []
        assert await handle.result() is None


async def test_two_handles_on_one_request_both_get_everything(server: ScriptedServer, connect: Connect) -> None:
    server.append("r1", "RequestSubmitted")
    async with connect() as client:
        handles = [await client.subscribe("r1"), await client.subscribe("r1")]
        await handles[0].close()
        assert server.received("unsubscribe") == []
        server.append("r1", "RequestCompleted")
        await server.push("r1", 2)
        assert await versions(handles[1]) == [1, 2]


async def test_a_closed_handle_gives_no_more_and_is_unsubscribed(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        waiting = asyncio.create_task(handle.result())
        await handle.close()
        await handle.close()
        assert await versions(handle) == []
        with pytest.raises(WatchClosed):
            await waiting
    assert server.received("unsubscribe") == [{"request_id": "r1"}]
