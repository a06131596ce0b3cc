"""notify_subscribers, posting over HTTP to a management API of its own."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters import fan_out as module
from adapters.broadcast import PAUSES_S
from adapters.connection_store import YOUNG
from domain.protocol import FRAME_TARGET
from domain.validity import CHUNK_LIMIT
from tests.kit.calls import each, nth, refused, watched
from tests.kit.people import connect, watch
from tests.kit.requests import Whose
from tests.kit.sink import HANGS_UP, Sink, a_sink, statuses
from tests.kit.stories import completed, tell_all
from tests.kit.world import World, a_world

ROUNDS = 1 + len(PAUSES_S)
QUOTES = 2
ANN, BOB = Whose("acme", "ann"), Whose("acme", "bob")


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as made:
        yield made


@pytest.fixture
def world(sink: Sink) -> Iterator[World]:
    with a_world(MANAGEMENT_ENDPOINT=sink.url) as made:
        yield made


def _everyone_watches(world: World, *names: str) -> None:
    for name in names:
        connect(world, name)
        watch(world, name, "tenant#acme")
    world.clock.advance(by=2 * YOUNG)


def test_those_who_watch_get_every_event_and_nobody_else_gets_any(world: World, sink: Sink) -> None:
    request_id = world.requests.submit(ANN)
    other = world.requests.submit(BOB)
    watch(world, "request", f"request#{request_id}")
    watch(world, "user", "user#acme#ann")
    watch(world, "tenant", "tenant#acme")
    watch(world, "another tenant", "tenant#zeta")
    world.requests.cancel(request_id, reason="enough")

    assert world.notify(world.records()) == []

    for name in ("request", "user"):
        assert {push["request_id"] for push in sink.pushes(name)} == {request_id}
    assert {push["request_id"] for push in sink.pushes("tenant")} == {request_id, other}
    assert sink.asked("another tenant") == 0
    submitted, cancelled = sink.pushes("request")
    assert submitted["event"]["type"] == "RequestSubmitted"
    assert cancelled["event"] == {
        "version": 2,
        "type": "RequestCancelled",
        "at": cancelled["event"]["at"],
        "data": {"by": "ann", "reason": "enough"},
    }
    assert cancelled["state"]["status"] == "CANCELLED"


def test_who_watches_on_three_topics_gets_each_event_once_in_one_frame(world: World, sink: Sink) -> None:
    request_id = completed(world.requests)
    for topic in (f"request#{request_id}", "user#acme#ann", "tenant#acme"):
        watch(world, "c-1", topic)

    world.notify(world.records())

    assert len(sink.texts("c-1")) == 1
    assert len(sink.versions("c-1", request_id)) == len(set(sink.versions("c-1", request_id)))


@pytest.mark.parametrize("status", statuses())
def test_one_bad_connection_holds_up_nobody_and_fails_no_batch(world: World, sink: Sink, status: int) -> None:
    _everyone_watches(world, "a", "bad", "b")
    sink.answer("bad", status)
    request_id = completed(world.requests)

    assert world.notify(world.records()) == []

    assert sink.texts("bad") == []
    assert sink.asked("bad") >= 1
    assert sink.versions("a", request_id) == sink.versions("b", request_id)
    assert sink.versions("a", request_id)[-1][1] == 9


def test_many_bad_connections_hold_up_nobody(world: World, sink: Sink) -> None:
    bad = {f"bad-{n}": statuses()[n % len(statuses())] for n in range(40)}
    _everyone_watches(world, *bad, *(f"good-{n}" for n in range(20)))
    for name, status in bad.items():
        sink.answer(name, status)
    world.requests.submit()

    assert world.notify(world.records()) == []

    assert [len(sink.pushes(f"good-{n}")) for n in range(20)] == [1] * 20


@pytest.mark.parametrize("statuses", [(429, 200), (500, 200), (HANGS_UP, 200), (429, 500, 200)])
def test_a_post_that_fails_for_a_moment_is_tried_again(world: World, sink: Sink, statuses: tuple[int, ...]) -> None:
    _everyone_watches(world, "c-1")
    sink.answer("c-1", *statuses)
    world.requests.submit()

    world.notify(world.records())

    assert sink.asked("c-1") == len(statuses)
    assert len(sink.texts("c-1")) == 1


def test_a_connection_that_is_gone_loses_its_row(world: World, sink: Sink) -> None:
    _everyone_watches(world, "gone", "here")
    sink.answer("gone", 410)
    world.requests.submit()

    world.notify(world.records())

    assert [row["connection_id"]["S"] for row in world.aws.rows("Connections")] == ["here"]


def test_a_connection_that_is_still_opening_keeps_its_row(world: World, sink: Sink) -> None:
    connect(world, "opening")
    watch(world, "opening", "tenant#acme")
    sink.answer("opening", 410)
    world.requests.submit()

    world.notify(world.records())

    assert sink.asked("opening") == 1
    assert len(world.aws.rows("Connections")) == 1


def test_a_subscription_made_after_its_connection_went_is_removed(world: World, sink: Sink) -> None:
    watch(world, "ghost", "tenant#acme")
    sink.answer("ghost", 410)
    world.requests.submit()

    world.notify(world.records())

    assert sink.asked("ghost") == 1
    assert world.aws.rows("Subscriptions") == []


def test_posting_ends_when_its_time_is_over(world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    _everyone_watches(world, "a", "b")
    monkeypatch.setattr(module, "BUDGET_S", -1.0)
    world.requests.submit()

    assert world.notify(world.records()) == []

    assert sink.texts("a") == sink.texts("b") == []


def test_a_row_that_cannot_be_removed_fails_no_batch(world: World, sink: Sink) -> None:
    _everyone_watches(world, "gone", "here")
    sink.answer("gone", 410)
    world.requests.submit()

    with watched(refused, each("DeleteItem")) as calls:
        assert world.notify(world.records()) == []

    assert calls.fired == 1
    assert len(sink.texts("here")) == 1


def test_a_connection_that_is_gone_takes_few_of_its_watches_with_it_for_others_wait(
    world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMOVED", 3)
    _everyone_watches(world, "gone", "here")
    for n in range(9):
        watch(world, "gone", f"request#other-{n}")
    sink.answer("gone", 410)
    world.requests.submit()

    assert world.notify(world.records()) == []

    left = [row for row in world.aws.rows("Subscriptions") if row["connection_id"]["S"] == "gone"]
    assert len(left) == 10 - 3
    world.project_all(world.records("Connections"))
    assert [row["connection_id"]["S"] for row in world.aws.rows("Subscriptions")] == ["here"]


def test_frames_come_in_order_when_there_are_several(world: World, sink: Sink) -> None:
    names = [f"c-{n}" for n in range(30)]
    _everyone_watches(world, *names)
    request_id = world.requests.submit()
    world.requests.start(request_id)
    for number in range(12):
        world.requests.output(request_id, f"{number:02}" * (FRAME_TARGET // 5))
    world.requests.complete(request_id)

    world.notify(world.records())

    for name in names:
        assert len(sink.texts(name)) > 3
        assert sink.versions(name, request_id) == [(version, version) for version in range(1, 16)]


@pytest.mark.parametrize("status", statuses())
def test_after_a_frame_that_failed_no_later_one_is_sent(world: World, sink: Sink, status: int) -> None:
    """Else the client would see a gap that it cannot tell from the end."""
    _everyone_watches(world, "c-1", "c-2")
    tries = ROUNDS if status != HANGS_UP else 3 * ROUNDS  # that a kept line is hung up on says nothing yet
    sink.answer("c-1", 200, *[status] * tries, 200)
    request_id = world.requests.submit()
    world.requests.start(request_id)
    for number in range(8):
        world.requests.output(request_id, f"{number}" * (CHUNK_LIMIT - QUOTES))

    world.notify(world.records())

    assert len(sink.texts("c-1")) == 1
    assert len(sink.texts("c-2")) > 3


def test_who_watches_is_read_consistently(world: World) -> None:
    tell_all(world.requests)

    with watched() as calls:
        world.notify(world.records())

    queries = calls.of("Query")
    assert {call.arguments["TableName"] for call in queries} == {world.aws.tables["Subscriptions"]}
    assert all(call.arguments["ConsistentRead"] is True for call in queries)
    assert not [call for call in queries if "IndexName" in call.arguments]


def test_each_topic_of_a_batch_is_read_once(world: World) -> None:
    for _ in range(3):
        completed(world.requests)

    with watched() as calls:
        world.notify(world.records())

    assert len(calls.of("Query")) == 3 + 2  # each request's topic, and the user's and the tenant's


def test_a_subscription_that_is_over_gets_nothing(world: World, sink: Sink) -> None:
    watch(world, "old", "tenant#acme")
    world.clock.advance(by=timedelta(hours=24, seconds=1))  # a time to live is in whole seconds
    watch(world, "new", "tenant#acme")
    world.requests.submit()

    world.notify(world.records())

    assert (sink.asked("old"), sink.asked("new")) == (0, 1)


@pytest.mark.parametrize("topic", range(3))
def test_the_whole_batch_comes_again_when_nobody_knows_who_watches(world: World, sink: Sink, topic: int) -> None:
    _everyone_watches(world, "c-1")
    world.requests.cancel(world.requests.submit())
    records = world.records()

    with watched(refused, nth("Query", topic)) as calls:
        assert world.notify(records[::-1]) == [records[0]["dynamodb"]["SequenceNumber"]]

    assert calls.fired == 1
    assert sink.asked("c-1") == 0


def test_what_was_posted_and_what_was_left_is_counted_for_operators(
    world: World, sink: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    _everyone_watches(world, "a", "b", "slow")
    sink.answer("slow", 429)
    world.requests.submit()

    world.notify(world.records())

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    figures = {name: line[name] for line in lines for name in ("FramesPosted", "FramesLeft") if name in line}
    assert figures == {"FramesPosted": [2.0], "FramesLeft": [1.0]}
