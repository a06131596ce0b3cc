"""Who subscribes to a topic is told its newest requests, and who comes back which of them changed meanwhile."""

from datetime import timedelta
from typing import Any

import pytest

from domain.instant import to_text
from handlers import bootstrap, topics
from projections import presence
from projections.presence import Change
from tests.handlers.conftest import Connect, Project
from tests.kit.clock import FakeClock


def shown(answer: dict[str, Any]) -> list[str]:
    assert answer["type"] == "subscribed", answer
    return [row["request_id"] for row in answer["requests"]]


@pytest.fixture
def mine(tenant: str) -> str:
    return f"user#{tenant}#ann"


def test_a_first_subscription_tells_the_newest_requests_with_their_states(
    connect: Connect, project: Project, clock: FakeClock, mine: str, tenant: str
) -> None:
    ann, bob, reader = connect(), connect("bob"), connect("eve", "tenant:read")
    first = ann.submit()
    clock.advance(1)
    second, other = ann.submit(), bob.submit()
    project()
    answer = ann.say("subscribe", topic=mine)
    assert shown(answer) == [second, first]
    assert [(row["user_id"], row["version"], row["state"]["status"]) for row in answer["requests"]] == [
        ("ann", 1, "PENDING")
    ] * 2
    assert answer["at"] == to_text(clock.now() - topics.LAG)
    assert set(shown(reader.say("subscribe", topic=f"tenant#{tenant}"))) == {first, second, other}


def test_the_subscription_is_there_before_what_it_answers_is_read(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, clock: FakeClock, mine: str
) -> None:
    ann = connect()
    seen: list[list[str]] = []

    def watchers(*_: object) -> Any:
        seen.append(list(bootstrap.subscriptions().watchers(mine, clock.now())))
        return bootstrap.request_view().by_user("nobody", "x", clock.now(), 1, None, None)

    monkeypatch.setattr(bootstrap.queue(), "list_by_user", watchers)
    ann.say("subscribe", topic=mine)
    assert seen == [[ann.connection_id]]


def test_what_changed_since_an_instant_is_told_and_nothing_else(
    connect: Connect, project: Project, clock: FakeClock, mine: str, tenant: str
) -> None:
    ann, bob, reader = connect(), connect("bob"), connect("eve", "tenant:read")
    old, cancelled = ann.submit(), ann.submit()
    clock.advance(by=timedelta(minutes=30))
    since = to_text(clock.now())
    clock.advance(1)
    begun, other = ann.submit(), bob.submit()
    ann.say("cancel", request_id=cancelled)
    project()
    clock.advance(by=topics.LAG)
    answer = ann.say("subscribe", topic=mine, since=since)
    assert {(row["request_id"], row["version"]) for row in answer["requests"]} == {(begun, 1), (cancelled, 2)}
    assert "more" not in answer
    everybody = reader.say("subscribe", topic=f"tenant#{tenant}", since=since)
    assert set(shown(everybody)) == {begun, cancelled, other}
    assert old not in shown(everybody)


def test_the_next_question_overlaps_with_this_one_as_far_as_the_view_may_be_behind(
    connect: Connect, project: Project, clock: FakeClock, mine: str
) -> None:
    ann = connect()
    clock.advance(by=timedelta(minutes=30))
    late = ann.submit()
    clock.advance(by=topics.LAG / 2)
    since = to_text(clock.now() - timedelta(hours=1))
    first = ann.say("subscribe", topic=mine, since=since)
    assert shown(first) == []  # the view does not have it yet
    project()
    assert shown(ann.say("subscribe", topic=mine, since=first["at"])) == [late]


def test_what_changed_over_days_comes_in_parts_that_lose_nothing(
    connect: Connect, project: Project, clock: FakeClock, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "MOST", 3)
    ann = connect()
    since = to_text(clock.now())
    submitted: set[str] = set()
    for _ in range(4):
        submitted |= {ann.submit() for _ in range(2)}  # two at one instant
        clock.advance(by=timedelta(hours=13))
        ann = connect()
    project()
    found: list[str] = []
    parts = 0
    more: bool | None = True
    while more:
        answer = ann.say("subscribe", topic=mine, since=since)
        found += shown(answer)
        assert answer["at"] > since
        since, more = answer["at"], answer.get("more")
        parts += 1
    assert (set(found), len(found), parts) == (submitted, 8, 2)


def test_an_answer_reads_so_many_entries_and_no_more_whatever_they_are_about(
    connect: Connect, project: Project, clock: FakeClock, mine: str, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "_READ", 4)
    ann = connect()
    since = to_text(clock.now())
    for _ in range(3):
        ann.submit()
        came = Change(presence.OPENED, to_text(clock.now()), to_text(clock.now()), tenant, "bob", f"{tenant}-bob")
        bootstrap.views().commit(presence.project(came))  # an entry of the same tenant, about no request
        clock.advance(1)
    project()
    answer = ann.say("subscribe", topic=mine, since=since)
    assert (len(shown(answer)), answer["more"]) == (2, True)
    rest = ann.say("subscribe", topic=mine, since=answer["at"])
    assert (len(shown(rest)), "more" in rest) == (1, False)


def test_an_instant_that_the_log_does_not_go_back_to_is_refused_in_words(
    connect: Connect, clock: FakeClock, mine: str
) -> None:
    answer = connect().say("subscribe", topic=mine, since=to_text(clock.now() - timedelta(days=8)))
    assert answer["code"] == "VALIDATION_ERROR"
    assert "no longer kept" in answer["message"]


def test_an_instant_goes_with_a_topic_only(connect: Connect, clock: FakeClock) -> None:
    ann = connect()
    answer = ann.say("subscribe", request_id=ann.submit(), since=to_text(clock.now()))
    assert answer["code"] == "VALIDATION_ERROR"


def test_a_page_of_history_tells_where_the_log_ends(connect: Connect) -> None:
    ann = connect()
    request_id = ann.submit()
    ann.say("cancel", request_id=request_id)
    answer = ann.say("history", request_id=request_id, limit=1)
    assert (answer["next"], answer["version"], answer["state"]["status"]) == (1, 2, "CANCELLED")
