"""Connections and subscriptions that come and go."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.items import from_item
from domain.instant import to_text
from tests.kit.calls import (
    Crash,
    Fault,
    answer_lost,
    at,
    crash_after,
    crash_before,
    each,
    nth,
    refused,
    sent_twice,
    watched,
)
from tests.kit.people import connect, watch
from tests.kit.requests import Whose
from tests.kit.streams import Record
from tests.kit.views import presence_counts
from tests.kit.world import World

ZETA = Whose("zeta", "eve")
CAME_AND_WENT = {"connected": 3, "disconnected": 1, "subscribed": 4, "unsubscribed": 1}


def _come_and_go(world: World) -> list[list[Record]]:
    """Three connections of one tenant and one of another; the records of each of the two streams."""
    for name in ("c-1", "c-2", "c-3"):
        connect(world, name)
        watch(world, name, "tenant#acme")
    watch(world, "c-1", "request#r-1")
    connect(world, "z-1", ZETA)
    world.subscriptions.unsubscribe("request#r-1", "c-1")
    world.clock.advance(90)
    world.connections.delete("c-2")
    return [world.records("Connections"), world.records("Subscriptions")]


DELIVERIES: Mapping[str, Callable[[Sequence[Record]], Sequence[Sequence[Record]]]] = {
    "once": lambda records: [records],
    "three times": lambda records: [records] * 3,
    "one by one, each twice": lambda records: [[record] for record in records for _ in range(2)],
    "each twice in one batch": lambda records: [[record for record in records for _ in range(2)]],
    "reversed": lambda records: [records[::-1]],
    "overlapping": lambda records: [records[:3], records[1:4], records[2:]],
    "shuffled": lambda records: [random.Random(7).sample(records, len(records))],
}


@pytest.mark.parametrize("deliveries", DELIVERIES.values(), ids=DELIVERIES.keys())
def test_everyone_who_comes_and_goes_is_counted_once(
    world: World, deliveries: Callable[[Sequence[Record]], Sequence[Sequence[Record]]]
) -> None:
    for records in _come_and_go(world):
        for batch in deliveries(records):
            assert world.project(batch) == []

    assert presence_counts(world.aws, "acme") == CAME_AND_WENT
    assert presence_counts(world.aws, "zeta") == {"connected": 1, "disconnected": 0, "subscribed": 0, "unsubscribed": 0}
    assert len(world.aws.rows("Audit")) == sum(CAME_AND_WENT.values()) + 1


def test_the_audit_tells_who_what_when_where_from_and_which_frames_led_there(world: World) -> None:
    connect(world, "c-1")
    watch(world, "c-1", "request#r-1", frame="f-1")
    opened = to_text(world.clock.now())
    world.connections.delete("c-1")
    connections, subscriptions = world.records("Connections"), world.records("Subscriptions")
    world.project(connections)
    world.project(subscriptions)

    rows = {row["type"]: row for row in map(from_item, world.aws.rows("Audit"))}

    assert set(rows) == {"ConnectionOpened", "ConnectionClosed", "Subscribed"}
    assert {row["user_id"] for row in rows.values()} == {"ann"}
    assert rows["ConnectionOpened"]["at"] == rows["Subscribed"]["at"] == opened
    seen = datetime.fromtimestamp(connections[1]["dynamodb"]["ApproximateCreationDateTime"], UTC)
    assert rows["ConnectionClosed"]["at"] == to_text(seen)
    told = {"connection_id": "c-1", "source_ip": "127.0.0.1", "user_agent": "tests"}
    told |= {"correlation_id": "connect of c-1", "causation_id": "connect of c-1"}
    assert json.loads(rows["ConnectionOpened"]["detail"]) == told
    assert json.loads(rows["ConnectionClosed"]["detail"]) == told
    assert json.loads(rows["Subscribed"]["detail"]) == {
        "connection_id": "c-1",
        "topic": "request#r-1",
        "source_ip": "127.0.0.1",
        "correlation_id": "f-1",
        "causation_id": "frame f-1",
    }


def test_the_end_of_a_subscription_tells_of_the_frame_that_began_it(world: World) -> None:
    watch(world, "c-1", "request#r-1", frame="f-1")
    watch(world, "c-1", "request#r-1", frame="f-2")
    world.subscriptions.unsubscribe("request#r-1", "c-1")

    world.project(world.records("Subscriptions"))

    details = [json.loads(row["detail"]) for row in map(from_item, world.aws.rows("Audit"))]
    assert [(one["correlation_id"], one["causation_id"]) for one in details] == [("f-1", "frame f-1")] * 2


@pytest.mark.parametrize("table", ["Connections", "Subscriptions"])
def test_a_row_from_before_there_were_correlations_is_told_without(world: World, table: str) -> None:
    connect(world, "c-1")
    watch(world, "c-1", "request#r-1")
    [record] = world.records(table)
    for name in ("correlation_id", "causation_id"):
        record["dynamodb"]["NewImage"].pop(name, None)

    world.project([record, record])

    (row,) = map(from_item, world.aws.rows("Audit"))
    assert json.loads(row["detail"]).keys().isdisjoint({"correlation_id", "causation_id"})
    assert world.aws.objects(world.aws.failures_bucket) == {}


def test_a_connection_that_goes_takes_its_subscriptions_with_it(world: World) -> None:
    for name in ("c-1", "c-2"):
        connect(world, name)
        for topic in ("request#r-1", "request#r-2", "tenant#acme"):
            watch(world, name, topic)
    world.connections.delete("c-1")

    world.project(world.records("Connections"))
    world.project(world.records("Subscriptions"))

    assert {row["connection_id"]["S"] for row in world.aws.rows("Subscriptions")} == {"c-2"}
    assert presence_counts(world.aws, "acme") == {"connected": 2, "disconnected": 1, "subscribed": 6, "unsubscribed": 3}


def test_a_row_that_dynamodb_removed_for_its_age_counts_as_gone(world: World) -> None:
    connect(world, "c-1")
    watch(world, "c-1", "tenant#acme")
    world.connections.delete("c-1")
    service = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    opened, closed = world.records("Connections")

    world.project([opened, {**closed, "userIdentity": service}])

    assert presence_counts(world.aws, "acme")["disconnected"] == 1
    assert world.aws.rows("Subscriptions") == []


def test_a_sign_of_life_and_a_longer_subscription_count_nothing(world: World) -> None:
    connection = connect(world, "c-1")
    watch(world, "c-1", "tenant#acme")
    world.clock.advance(by=timedelta(minutes=10))
    world.connections.record_activity(connection, world.clock.now())
    watch(world, "c-1", "tenant#acme")

    for table in ("Connections", "Subscriptions"):
        records = world.records(table)
        assert [record["eventName"] for record in records] == ["INSERT", "MODIFY"]
        world.project(records)

    assert presence_counts(world.aws, "acme") == {"connected": 1, "disconnected": 0, "subscribed": 1, "unsubscribed": 0}


def test_each_life_of_a_subscription_counts_by_itself(world: World) -> None:
    for _ in range(3):
        watch(world, "c-1", "tenant#acme")
        world.clock.advance(0.001)
        world.subscriptions.unsubscribe("tenant#acme", "c-1")

    records = world.records("Subscriptions")
    world.project(records)
    world.project(records)

    assert presence_counts(world.aws, "acme") == {"connected": 0, "disconnected": 0, "subscribed": 3, "unsubscribed": 3}


FAULTS: Mapping[str, Fault] = {
    "crash before": crash_before,
    "crash after": crash_after,
    "refused": refused,
    "answer lost": answer_lost,
    "sent twice": sent_twice,
}
# Two came; one went, with two subscriptions.
OPERATIONS = ("TransactWriteItems", "TransactWriteItems", "Query", "BatchWriteItem", "TransactWriteItems")


@pytest.mark.parametrize("place", range(len(OPERATIONS)), ids=[f"{n}-{name}" for n, name in enumerate(OPERATIONS)])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_nobody_is_forgotten_or_counted_twice_whatever_happens_to_a_call(
    world: World, place: int, fault: Fault
) -> None:
    connect(world, "c-1")
    connect(world, "c-2")
    watch(world, "c-1", "tenant#acme")
    watch(world, "c-1", "request#r-1")
    world.connections.delete("c-1")
    records = world.records("Connections")

    with watched(fault, at(place)) as calls:
        try:
            world.project_all(records)
        except Crash:
            world.project_all(records)

    assert calls.fired == 1
    assert calls.made[place].operation == OPERATIONS[place]
    assert world.aws.rows("Subscriptions") == []
    assert len(world.aws.rows("Audit")) == 3
    assert presence_counts(world.aws, "acme") == {"connected": 2, "disconnected": 1, "subscribed": 0, "unsubscribed": 0}


@pytest.mark.parametrize("failing", range(3))
def test_the_first_record_that_could_not_be_handled_is_reported(world: World, failing: int) -> None:
    for number in range(3):
        connect(world, f"c-{number}")
    records = world.records("Connections")

    with watched(refused, nth("TransactWriteItems", failing)):
        reported = world.project(records)

    assert reported == [records[failing]["dynamodb"]["SequenceNumber"]]
    assert len(world.aws.rows("Audit")) == failing


SPOILT: Mapping[str, Callable[[Record], Any]] = {
    "no image": lambda record: record["dynamodb"].pop("NewImage"),
    "no tenant": lambda record: record["dynamodb"]["NewImage"].pop("tenant_id"),
    "no instant": lambda record: record["dynamodb"].pop("ApproximateCreationDateTime"),
    "instant is text": lambda record: record["dynamodb"]["NewImage"].update(connected_at={"S": "yesterday"}),
    "instant is a number": lambda record: record["dynamodb"]["NewImage"].update(connected_at={"N": "5"}),
    "tenant is a number": lambda record: record["dynamodb"]["NewImage"].update(tenant_id={"N": "5"}),
    "a list": lambda record: record["dynamodb"]["NewImage"].update(user_agent={"L": []}),
    "no event name": lambda record: record.pop("eventName"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_an_unreadable_record_is_kept_whole_and_the_rest_is_handled(
    world: World, spoil: Callable[[Record], Any]
) -> None:
    for name in ("c-1", "c-2", "c-3"):
        connect(world, name)
    records = world.records("Connections")
    spoil(records[1])

    assert world.project(records) == []

    (kept,) = world.aws.objects(world.aws.failures_bucket).values()
    assert json.loads(kept)["record"] == records[1]
    assert presence_counts(world.aws, "acme")["connected"] == 2


def test_an_unreadable_record_that_cannot_be_kept_is_reported(world: World) -> None:
    for name in ("c-1", "c-2", "c-3"):
        connect(world, name)
    records = world.records("Connections")
    del records[1]["eventName"]

    with watched(refused, each("PutObject")):
        reported = world.project(records)

    assert reported == [records[1]["dynamodb"]["SequenceNumber"]]
    assert presence_counts(world.aws, "acme")["connected"] == 1
