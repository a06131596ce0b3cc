"""A tenant's metrics are told exactly, and no answer takes longer than it may."""

import re
from datetime import timedelta
from typing import Any

import pytest

from domain.instant import to_text
from handlers import tenant_metrics
from tests.handlers.conftest import Connect, Project
from tests.kit.calls import watched
from tests.kit.clock import FakeClock


def test_metrics_are_the_tenants_exact_counts(connect: Connect, project: Project, clock: FakeClock) -> None:
    for user in ("ann", "bob"):
        connect(user).submit()
    project()
    period = {"from": to_text(clock.now() - timedelta(hours=1)), "to": to_text(clock.now() + timedelta(hours=1))}
    assert connect().say("metrics", **period)["code"] == "FORBIDDEN"
    reader = connect("eve", "tenant:read")
    answer = reader.say("metrics", **period)
    assert (answer["type"], answer["totals"]["submitted"], len(answer["rows"])) == ("metrics", 2, 1)
    assert answer["gauges"] == {"queued": 2, "running": 0, "connections": 0, "subscriptions": 0}
    assert float(answer["quantile_error"]) == 0.091
    [hour] = reader.say("metrics", **period, resolution="hour")["rows"]
    assert (hour["per"], hour["submitted"], hour["queued"]) == ("hour", 2, 2)
    before = {"from": to_text(clock.now() - timedelta(hours=2)), "to": period["from"]}
    assert reader.say("metrics", **before, action="delay")["gauges"] == {"queued": 0, "running": 0}
    assert reader.say("metrics", **period, action="delay")["rows"] == []
    backwards = {"from": period["to"], "to": period["from"]}
    assert reader.say("metrics", **backwards)["code"] == "VALIDATION_ERROR"
    years = {"from": period["from"], "to": to_text(clock.now() + timedelta(days=60))}
    assert reader.say("metrics", **years)["code"] == "VALIDATION_ERROR"


def test_metrics_up_to_what_is_ahead_are_those_up_to_now(connect: Connect, project: Project, clock: FakeClock) -> None:
    connect().submit()
    project()
    reader, start = connect("eve", "tenant:read"), to_text(clock.now() - timedelta(minutes=1))
    for seconds in (0, 10, 50, 60, 90):
        until = to_text(clock.now() + timedelta(seconds=seconds))
        with watched() as calls:
            answer = reader.say("metrics", **{"from": start, "to": until})
        ranges = [query.arguments["ExpressionAttributeValues"] for query in calls.of("Query")]
        assert all(given[":low"]["S"] <= given[":high"]["S"] for given in ranges)  # DynamoDB takes no other
        assert ([row["queued"] for row in answer["rows"]], answer["totals"]["submitted"]) == ([1], 1)
    end = {"from": "9999-12-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}
    assert reader.say("metrics", **end)["rows"] == []


def test_the_gauges_of_a_row_are_those_at_its_end(connect: Connect, project: Project, clock: FakeClock) -> None:
    start = to_text(clock.now() - timedelta(minutes=1))
    first = connect().submit()
    clock.advance(60)
    middle = to_text(clock.now())
    connect().submit()
    connect().say("cancel", request_id=first)
    clock.advance(60)
    connect().submit()
    project()
    reader = connect("eve", "tenant:read")
    whole = reader.say("metrics", **{"from": start, "to": to_text(clock.now() + timedelta(hours=1))})
    assert [row["queued"] for row in whole["rows"]] == [1, 1, 2]
    assert [row["queued"] for row in reader.say("metrics", **{"from": start, "to": middle})["rows"]][:1] == [1]
    clock.advance(30 * 60)
    days = {"from": start, "to": to_text(clock.now())}
    assert reader.say("metrics", **days, resolution="day")["rows"][-1]["queued"] == 2


def test_more_minutes_than_one_answer_can_count_are_refused_with_the_end_of_what_it_can(
    connect: Connect, project: Project, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_metrics, "MOST_READ", 2)
    reader, start = connect("eve", "tenant:read"), to_text(clock.now())
    for _ in range(4):
        connect().submit()
        clock.advance(60)
    project()

    def ask(end: str) -> dict[str, Any]:
        return reader.say("metrics", **{"from": start, "to": end}, resolution="minute")

    refused = ask(to_text(clock.now()))
    assert refused["code"] == "VALIDATION_ERROR"
    [until] = re.findall(r"at most (\S+),", refused["message"])
    allowed = ask(until)
    assert [(row["submitted"], row["queued"]) for row in allowed["rows"]] == [(1, 1), (1, 2)]
    clock.advance(60)
    connect().submit()
    project()
    assert [(row["submitted"], "queued" in row) for row in ask(until)["rows"]] == [(1, False)] * 2
    assert ask(until)["gauges"]["queued"] == 5


def test_more_rows_of_a_resolution_than_a_frame_holds_are_refused(
    connect: Connect, project: Project, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_metrics, "MOST_ROWS", 3)
    reader, start = connect("eve", "tenant:read"), to_text(clock.now())

    def ask_after_another() -> dict[str, Any]:
        connect().submit()
        clock.advance(60)
        project()
        return reader.say("metrics", **{"from": start, "to": to_text(clock.now())}, resolution="minute")

    assert [len(ask_after_another()["rows"]) for _ in range(3)] == [1, 2, 3]
    assert ask_after_another()["code"] == "VALIDATION_ERROR"
