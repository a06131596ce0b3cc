"""What is known to have been delivered: what a connection did not take is on its subscription, and explained."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters import fan_out as module
from adapters.connection_store import YOUNG
from adapters.subscription_store import SubscriptionStore
from domain import protocol
from domain.subscription import Missed, Subscription
from handlers import bootstrap, explaining
from tests.kit.calls import each, refused, watched
from tests.kit.people import ask, connect, identity, watch
from tests.kit.sink import HANGS_UP, Sink, a_sink
from tests.kit.stories import completed
from tests.kit.world import World, a_world


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as made:
        yield made


@pytest.fixture
def world(sink: Sink) -> Iterator[World]:
    with a_world(MANAGEMENT_ENDPOINT=sink.url) as made:
        yield made


def watching(world: World, request_id: str, *names: str, seen: int = 0, told: int = 0) -> None:
    """Let connections watch a request, as clients that have so much of it."""
    for name in names:
        connect(world, name)
        ask(world, name, request_id, seen=seen, told=told)
    world.clock.advance(by=2 * YOUNG)


def row(world: World, name: str, topic: str) -> Subscription:
    (found,) = [one for one in world.subscriptions.list_by_topic(topic, world.clock.now()) if one.connection_id == name]
    return found


def explained(world: World, request_id: str) -> dict[str, dict[str, Any]]:
    """What an explanation tells of each who watches."""
    frame = protocol.Explain(request_id=request_id)
    return {one["connection_id"]: one for one in explaining.explain(frame, identity(world)).watchers}


@pytest.mark.parametrize(
    ("status", "why"), [(429, "throttled (429)"), (500, "answered with 500"), (403, "answered with 403")]
)
def test_what_was_not_taken_is_explained_with_when_and_why(world: World, sink: Sink, status: int, why: str) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "good", "slow")
    sink.answer("slow", status)
    records = world.records()

    for _ in range(2):  # a second delivery changes nothing
        assert world.notify(records) == []
        told = explained(world, request_id)
        at = told["slow"]["missed"]["at"]
        assert told["slow"]["missed"] == {"from_version": 1, "version": 1, "at": at, "why": why}
        assert told["slow"]["delivered"].endswith(
            f"Version 1 was not taken at {at}, {why}: its client asks for what it misses."
        )
        assert "missed" not in told["good"]
        assert told["good"]["delivered"].endswith("No push since is known not to have been taken.")


def test_the_first_that_was_not_taken_stays_until_the_client_asks_again(world: World, sink: Sink) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "slow")
    sink.answer("slow", 429)
    world.notify(world.records())
    first = row(world, "slow", f"request#{request_id}").missed
    world.clock.advance(5)
    world.requests.cancel(request_id)

    with watched() as calls:
        world.notify(world.records())

    assert [call.operation for call in calls.made if call.operation == "UpdateItem"] == []  # it is noted already
    assert row(world, "slow", f"request#{request_id}").missed == first
    ask(world, "slow", request_id, seen=1, told=2)
    told = explained(world, request_id)["slow"]
    assert "missed" not in told
    asked = told["asked_at"]
    assert told["delivered"] == (
        f"At {asked} its client had version 1 and was answered up to version 2. Nothing happened since."
    )


def test_a_request_that_is_told_of_costs_no_write(world: World) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "good")
    completed(world.requests)
    records = world.records()

    with watched() as calls:
        world.notify(records)

    assert {call.operation for call in calls.made} == {"Query"}


def test_what_the_answer_to_a_new_question_had_is_not_missed(world: World, sink: Sink) -> None:
    """The push comes late: its client has asked again meanwhile."""
    request_id = world.requests.submit()
    watching(world, request_id, "slow", seen=0, told=1)
    sink.answer("slow", 429)
    late = world.records()
    world.requests.cancel(request_id)

    world.notify(late)
    assert row(world, "slow", f"request#{request_id}").missed is None

    world.notify([*late, *world.records()])
    told = explained(world, request_id)["slow"]["missed"]
    assert (told["from_version"], told["version"]) == (2, 2)  # not from 1: that was answered


def test_what_its_client_had_and_was_answered_is_told(world: World) -> None:
    request_id = world.requests.submit()
    world.requests.cancel(request_id)
    for name, seen, told in (("new", 0, 1), ("behind", 1, 2), ("up to date", 2, 2)):
        watching(world, request_id, name, seen=seen, told=told)

    found = explained(world, request_id)

    said = {name: one["delivered"].replace(one["asked_at"], "T") for name, one in found.items()}
    assert said == {
        "new": "At T its client had nothing and was answered up to version 1. "
        "No push since is known not to have been taken.",
        "behind": "At T its client had version 1 and was answered up to version 2. Nothing happened since.",
        "up to date": "At T its client had version 2, and there was no more. Nothing happened since.",
    }
    assert (found["behind"]["seen"], found["behind"]["told"]) == (1, 2)


def test_a_connection_that_is_gone_is_no_watcher_any_more(world: World, sink: Sink) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "good", "gone")
    sink.answer("gone", 410)
    records = world.records()

    for _ in range(2):
        world.notify(records)
        assert set(explained(world, request_id)) == {"good"}
    assert len(world.aws.rows("Subscriptions")) == 1


def test_a_connection_that_is_still_opening_keeps_its_row_with_what_it_missed(world: World, sink: Sink) -> None:
    request_id = world.requests.submit()
    connect(world, "new")
    ask(world, "new", request_id)
    sink.answer("new", 410)

    world.notify(world.records())

    assert explained(world, request_id)["new"]["missed"]["why"] == "gone, or not open yet (410)"


def test_of_a_topic_the_first_request_is_told_and_of_others_that_it_is_not_known(world: World, sink: Sink) -> None:
    for name in ("slow", "good"):
        connect(world, name)
        watch(world, name, "user#acme#ann")
    world.clock.advance(by=2 * YOUNG)
    sink.answer("slow", HANGS_UP)
    first, second = world.requests.submit(), world.requests.submit()

    world.notify(world.records())

    told = row(world, "slow", "user#acme#ann").missed
    assert told is not None
    other = {first, second} - {told.request_id}
    assert explained(world, told.request_id)["slow"]["missed"]["why"] == "no answer in time"
    of_other = explained(world, *other)["slow"]
    assert "missed" not in of_other
    assert "another request" in of_other["delivered"]
    assert told.request_id not in of_other["delivered"]
    at = of_other["asked_at"]
    assert explained(world, first)["good"]["delivered"] == (
        f"At {at} it asked for the topic, and is told of what happens since. "
        "No push since is known not to have been taken."
    )


def test_several_versions_that_were_not_taken_are_told_together(world: World, sink: Sink) -> None:
    request_id = completed(world.requests)
    watching(world, request_id, "slow", told=3)
    sink.answer("slow", 429)

    world.notify(world.records())

    last = bootstrap.queue().get(request_id).version
    told = explained(world, request_id)["slow"]
    assert (told["missed"]["from_version"], told["missed"]["version"]) == (4, last)
    assert f"Versions 4 to {last} were not taken" in told["delivered"]


def test_a_note_makes_no_row_of_who_has_left_meanwhile(world: World, sink: Sink) -> None:
    request_id = world.requests.submit()
    topic = f"request#{request_id}"
    missed = Missed(request_id, 1, 1, world.clock.now(), "429")

    world.subscriptions.note_missed(topic, "left", missed)

    assert world.aws.rows("Subscriptions") == []
    assert sink.asked("left") == 0


def test_a_note_counts_as_nobody_who_came_or_went(world: World, sink: Sink) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "slow")
    sink.answer("slow", 429)
    world.notify(world.records())

    records = world.records("Subscriptions")
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY"]
    for _ in range(2):
        assert world.project(records) == []

    assert len(world.aws.rows("Audit")) == 1


def test_a_note_that_cannot_be_written_fails_no_batch(world: World, sink: Sink) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "slow")
    sink.answer("slow", 429)

    with watched(refused, each("UpdateItem")):
        assert world.notify(world.records()) == []

    assert "missed" not in explained(world, request_id)["slow"]


def test_noting_ends_when_its_time_is_over(world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "slow")
    sink.answer("slow", 429)
    monkeypatch.setattr(module, "NOTING_S", -1.0)

    with watched() as calls:
        assert world.notify(world.records()) == []

    assert "UpdateItem" not in {call.operation for call in calls.made}


def test_a_watch_from_before_this_was_noted_is_told_as_such(world: World) -> None:
    request_id = world.requests.submit()
    watching(world, request_id, "old")
    key = {"topic": {"S": f"request#{request_id}"}, "connection_id": {"S": "old"}}
    table = world.aws.tables["Subscriptions"]
    world.aws.dynamodb.update_item(TableName=table, Key=key, UpdateExpression="REMOVE asked_at, seen, told")

    told = explained(world, request_id)["old"]

    assert told["delivered"] == f"It watches since {told['since']}; what it was told is not known."


class Careless(SubscriptionStore):
    """The twin that notes what was not taken without looking whether its client has asked again."""

    def note_missed(self, topic: str, connection_id: str, missed: Missed) -> None:
        """Note it on whatever is there, or is not."""
        super().note_missed(topic, connection_id, Missed(missed.request_id, 1, 10**6, missed.at + timedelta(1), "429"))


def test_a_twin_that_does_not_look_is_caught(world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Careless(world.aws.dynamodb, world.aws.tables["Subscriptions"])
    monkeypatch.setattr(bootstrap, "subscriptions", lambda: twin)
    with pytest.raises(AssertionError):
        test_what_the_answer_to_a_new_question_had_is_not_missed(world, sink)
