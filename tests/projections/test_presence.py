"""Connections and subscriptions as they come and go."""

import pytest
from msgspec.structs import replace

from domain import exact_json
from projections.intents import Add, Once, RemoveSubscriptions, View
from projections.presence import CLOSED, COUNTED, OPENED, SUBSCRIBED, UNSUBSCRIBED, Change, clean_up, project
from projections.requests import shard_of

OPEN = Change(
    type=OPENED,
    at="2026-01-01T00:07:00.123Z",
    made_at="2026-01-01T00:07:00.000Z",
    tenant_id="acme",
    user_id="ann",
    connection_id="c-1",
    source_ip="192.0.2.7",
    user_agent="curl",
    correlation_id="CONNECT=",
    causation_id="CONNECT=",
)
WATCH = replace(
    OPEN, type=SUBSCRIBED, topic="request#r-1", user_agent=None, correlation_id="my-7", causation_id="FRAME="
)
OLD = replace(WATCH, source_ip=None, correlation_id=None, causation_id=None)


def marker(change: Change) -> tuple[str, ...]:
    return tuple(project(change)[0].key.values())


def test_a_connection_is_told_and_counted_together() -> None:
    once, count, gauge = project(OPEN)
    assert (type(once), once.view) == (Once, View.AUDIT)
    assert once.key == {
        "day": f"acme#2026-01-01#{shard_of('c-1', 4)}",
        "entry": "2026-01-01T00:07:00.123Z#c-1#ConnectionOpened#2026-01-01T00:07:00.000Z",
    }
    assert (once.attributes["type"], once.attributes["user_id"]) == ("ConnectionOpened", "ann")
    assert exact_json.decode(str(once.attributes["detail"])) == {
        "connection_id": "c-1",
        "source_ip": "192.0.2.7",
        "user_agent": "curl",
        "correlation_id": "CONNECT=",
        "causation_id": "CONNECT=",
    }
    assert (type(count), count.view, count.counts) == (Add, View.METRICS, {"connected": 1})
    assert count.key == {"scope": "acme", "minute": "2026-01-01T00:07"}
    assert (gauge.key, gauge.counts) == ({"scope": "=gauges#acme", "minute": "now"}, {"connections": 1})


def test_a_subscription_tells_its_topic() -> None:
    once, *_ = project(WATCH)
    assert once.key["entry"].startswith("2026-01-01T00:07:00.123Z#c-1#request#r-1#Subscribed#")
    assert exact_json.decode(str(once.attributes["detail"])) == {
        "connection_id": "c-1",
        "topic": "request#r-1",
        "source_ip": "192.0.2.7",
        "correlation_id": "my-7",
        "causation_id": "FRAME=",
    }


def test_a_row_that_knows_nothing_of_its_frame_is_told_all_the_same() -> None:
    once, *_ = project(OLD)
    assert exact_json.decode(str(once.attributes["detail"])) == {"connection_id": "c-1", "topic": "request#r-1"}
    assert marker(OLD) == marker(WATCH)


@pytest.mark.parametrize(
    ("kind", "count", "gauge"),
    [
        (OPENED, "connected", {"connections": 1}),
        (CLOSED, "disconnected", {"connections": -1}),
        (SUBSCRIBED, "subscribed", {"subscriptions": 1}),
        (UNSUBSCRIBED, "unsubscribed", {"subscriptions": -1}),
    ],
)
def test_each_change_has_its_count_and_moves_its_gauge(kind: str, count: str, gauge: dict[str, int]) -> None:
    _, counted, moved = project(replace(OPEN, type=kind))
    assert counted.counts == {count: 1}
    assert moved.counts == gauge
    assert len(COUNTED) == 4


def test_a_second_delivery_meets_the_marker_of_the_first() -> None:
    assert project(OPEN) == project(replace(OPEN))


@pytest.mark.parametrize(
    "other",
    [
        replace(OPEN, type=CLOSED),
        replace(OPEN, made_at="2026-01-01T00:00:00.000Z"),
        replace(OPEN, connection_id="c-2"),
        replace(OPEN, at="2026-01-01T00:08:00.000Z"),
        replace(OPEN, tenant_id="umbrella"),
        WATCH,
        replace(WATCH, topic="request#r-2"),
        replace(WATCH, type=UNSUBSCRIBED),
    ],
)
def test_another_change_has_another_marker(other: Change) -> None:
    assert marker(other) != marker(OPEN)


def test_a_closed_connection_takes_its_subscriptions_with_it() -> None:
    assert clean_up(replace(OPEN, type=CLOSED)) == [RemoveSubscriptions("c-1")]
    for kind in (OPENED, SUBSCRIBED, UNSUBSCRIBED):
        assert clean_up(replace(OPEN, type=kind)) == []
