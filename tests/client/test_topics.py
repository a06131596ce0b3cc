"""A watch of a topic tells of every request of it, also of those that began or ended while nobody was connected."""

from collections.abc import Callable

import pytest

from client import ConnectionLost, RequestRejected, StreamerClient, TopicWatch, Update
from tests.client.scripted_server import Frame, ManualClock, ScriptedServer, error
from tests.client.test_connection import cut

Connect = Callable[..., StreamerClient]
MINE = "user#acme#ann"


async def take(watch: TopicWatch, count: int) -> list[tuple[str, int]]:
    return [(update.request_id, update.version) for update in [await anext(watch) for _ in range(count)]]


async def test_a_topic_gives_the_updates_of_many_requests(server: ScriptedServer, connect: Connect) -> None:
    server.append("a", "RequestSubmitted", "AttemptStarted")
    async with connect() as client:
        watch = await client.watch_topic("tenant#acme")
        assert [(row["request_id"], row["state"]["status"]) for row in watch.requests] == [("a", "PROCESSING")]
        server.progress("a", 50)
        server.append("b", "RequestSubmitted", "AttemptStarted", "OutputAppended", "RequestCompleted")
        for request_id, version in (("a", 3), ("b", 2), ("a", 3), ("b", 4)):
            await server.push(request_id, version)
        seen = await take(watch, 5)
        assert [one for one in seen if one[0] == "a"] == [("a", 3)]
        assert [one for one in seen if one[0] == "b"] == [("b", version) for version in range(1, 5)]
        await watch.close()
        assert [update async for update in watch] == []
    assert server.received("unsubscribe") == [{"topic": "tenant#acme"}]


async def test_the_log_is_read_without_a_subscription_to_each_request(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        server.append("b", "RequestSubmitted", "AttemptStarted", "RequestCompleted")
        await server.push("b", 3)
        assert await take(watch, 3) == [("b", 1), ("b", 2), ("b", 3)]
    assert server.received("subscribe") == [{"topic": MINE}]


async def test_two_topics_get_each_their_own(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        ann, bob = await client.watch_topic(MINE), await client.watch_topic("user#acme#bob")
        everybody = await client.watch_topic("tenant#acme")
        for name, whose in (("a", "ann"), ("b", "bob")):
            server.append(name, "RequestSubmitted")
            await server.send({"type": "event", **server.item(name, 1), "user_id": whose})
        assert await take(everybody, 2) == [("a", 1), ("b", 1)]
        assert (await take(ann, 1), await take(bob, 1)) == ([("a", 1)], [("b", 1)])
        for watch in (ann, bob, everybody):
            await watch.close()
            assert [update async for update in watch] == []


async def test_what_began_and_what_went_on_while_nobody_was_connected_is_told(
    server: ScriptedServer, connect: Connect
) -> None:
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        server.append("old", "RequestSubmitted")
        await server.push("old", 1)
        assert await take(watch, 1) == [("old", 1)]
        server.refusals = [503]
        server.kill()
        server.append("old", "RequestCancelled")
        server.append("whole", "RequestSubmitted", "AttemptStarted", "RequestCompleted")
        server.append("begun", "RequestSubmitted")
        seen = await take(watch, 5)
        assert [one for one in seen if one[0] == "whole"] == [("whole", 1), ("whole", 2), ("whole", 3)]
        assert {("old", 2), ("begun", 1)} < set(seen)
        server.append("begun", "RequestCompleted")
        await server.push("begun", 2)
        await server.push("old", 2)
        assert await take(watch, 1) == [("begun", 2)]


async def test_a_watch_that_does_not_ask_what_changed_would_miss_it(
    server: ScriptedServer, clock: ManualClock, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broken twin of the test above."""
    monkeypatch.setattr(TopicWatch, "_look", lambda _: None)
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        await cut(server)
        server.append("whole", "RequestSubmitted", "AttemptStarted", "RequestCompleted")
        for _ in range(50):
            await clock.let_pass(10)
        await client.ping()
        await watch.close()
        assert [update async for update in watch] == []


async def test_what_changed_is_asked_for_page_after_page(server: ScriptedServer, connect: Connect) -> None:
    def in_pages(frame: Frame, _: object) -> Frame:
        reply = server._subscribe_topic(frame)
        if "since" in frame:
            rows = sorted(reply["requests"], key=lambda row: server.logs[row["request_id"]][-1]["at"])
            reply |= {"requests": rows[:2], "more": len(rows) > 2}
            reply["at"] = server.logs[rows[2]["request_id"]][-1]["at"] if len(rows) > 2 else reply["at"]
        return reply

    server.on["subscribe"] = in_pages
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        await client.ping()
        server.refusals = [503]
        server.kill()
        for name in "abcde":
            server.append(name, "RequestSubmitted")
        assert {name for name, _ in await take(watch, 5)} == set("abcde")


async def test_a_request_whose_every_push_got_lost_is_found(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        server.append("a", "RequestSubmitted", "RequestCompleted")
        for _ in range(2):
            await clock.let_pass(10)
        assert await take(watch, 2) == [("a", 1), ("a", 2)]


async def test_a_running_request_that_fell_silent_is_looked_at(
    server: ScriptedServer, clock: ManualClock, connect: Connect
) -> None:
    server.append("a", "RequestSubmitted")
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        await clock.let_pass(10)
        # An answer that leaves it out, as a view that is behind would.
        server.on["subscribe"] = lambda frame, _: {**server._subscribe_topic(frame), "requests": []}
        server.append("a", "RequestCompleted")
        await clock.let_pass(10)
        assert await take(watch, 1) == [("a", 2)]


async def test_of_a_request_that_ran_before_only_what_follows_is_told(server: ScriptedServer, connect: Connect) -> None:
    server.append("a", "RequestSubmitted", "AttemptStarted")
    server.on["subscribe"] = lambda frame, _: {**server._subscribe_topic(frame), "requests": []}
    server.append("later", "RequestSubmitted")
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        server.progress("a", 10)
        await server.push("a", 3)
        assert await take(watch, 1) == [("a", 3)]


async def test_a_push_that_comes_before_the_answer_is_not_lost(server: ScriptedServer, connect: Connect) -> None:
    async def subscribe(frame: Frame, _: object) -> Frame:
        reply = server._subscribe_topic(frame)
        server.append("a", "RequestSubmitted")
        await server.push("a", 1)
        return reply

    server.on["subscribe"] = subscribe
    async with connect() as client:
        assert await take(await client.watch_topic(MINE), 1) == [("a", 1)]


async def test_events_that_the_log_no_longer_has_are_told_and_the_others_go_on(
    server: ScriptedServer, connect: Connect
) -> None:
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        server.append("a", "RequestSubmitted", "AttemptStarted")
        item = server.item("a", 2)
        del server.logs["a"]
        await server.send({"type": "event", **item})
        lost: Update = await anext(watch)
        assert (lost.type, lost.request_id, lost.version) == ("EventsLost", "a", 1)
        server.append("b", "RequestSubmitted")
        await server.push("b", 1)
        assert await take(watch, 1) == [("b", 1)]


async def test_a_watch_that_comes_back_too_late_is_told_so(server: ScriptedServer, connect: Connect) -> None:
    def too_late(frame: Frame, _: object) -> Frame:
        if "since" in frame:
            return error("VALIDATION_ERROR", "since: what changed before X is no longer kept")
        return server._subscribe_topic(frame)

    server.on["subscribe"] = too_late
    async with connect() as client:
        watch = await client.watch_topic(MINE)
        await client.ping()
        await cut(server)
        with pytest.raises(RequestRejected, match="no longer kept"):
            await anext(watch)


async def test_closing_the_client_ends_its_topics(connect: Connect) -> None:
    async with connect() as client:
        watch = await client.watch_topic(MINE)
    with pytest.raises(ConnectionLost):
        await anext(watch)
