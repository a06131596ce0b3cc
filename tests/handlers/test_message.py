"""Every kind of frame is answered as the protocol says, within what its sender may see and do."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actions.catalog import MODULES
from actions.registry import Registry
from domain.commands import Start
from domain.instant import from_text, to_text
from domain.recorded import Head
from handlers import bootstrap, message, readings
from handlers import connect as connect_handler
from tests.handlers.conftest import Connect, RecordedSockets, frame_event
from tests.kit.calls import watched
from tests.kit.clock import FakeClock

Project = Callable[[], None]


def started(request_id: str) -> None:
    """Let a worker have the request."""
    now = bootstrap.CLOCK.now()
    command = Start(now=now, worker_id="w", lease_until=now + timedelta(seconds=30))
    bootstrap.queue().execute(command, bootstrap.queue().get(request_id))


def completed(request_id: str, result: Any) -> None:
    """Let a worker complete the request."""
    started(request_id)
    bootstrap.queue().complete(bootstrap.queue().get(request_id), 1, result)


def test_a_sync_action_is_answered_in_the_reply(connect: Connect) -> None:
    payload = {"n": 9007199254740993, "text": "é\u2028", "_metadata": [None]}
    assert connect().say("submit", action="echo", payload=payload) == {"type": "response", "data": payload}
    assert connect().say("submit", action="echo", payload=None) == {"type": "response"}


def test_an_async_action_is_acknowledged_and_its_sender_watches_it(connect: Connect, clock: FakeClock) -> None:
    ann = connect()
    ack = ann.say("submit", action="echo_async", payload={"a": 1})
    request_id = ack.pop("request_id")
    assert ack == {"type": "ack", "status": "PENDING", "version": 1, "duplicate": False}
    assert list(bootstrap.subscriptions().watchers(f"request#{request_id}", clock.now())) == [ann.connection_id]


def test_who_does_not_want_to_watch_does_not(connect: Connect, clock: FakeClock) -> None:
    request_id = connect().submit(subscribe=False)
    assert list(bootstrap.subscriptions().watchers(f"request#{request_id}", clock.now())) == []


def test_one_key_is_one_request_of_one_user(connect: Connect) -> None:
    ann = connect()
    request_id = ann.submit(idempotency_key="k", payload=1)
    again = ann.say("submit", action="echo_async", idempotency_key="k", payload=1)
    assert (again["request_id"], again["duplicate"]) == (request_id, True)
    other = ann.say("submit", action="echo_async", idempotency_key="k", payload=2)
    assert (other["type"], other["code"]) == ("error", "CONFLICT")
    assert connect("bob").submit(idempotency_key="k", payload=1) != request_id


def test_a_request_keeps_what_was_asked_of_it(connect: Connect, clock: FakeClock) -> None:
    request_id = connect().submit(priority=9, delay_s=60, max_attempts=7, metadata={"a": "b"})
    state = connect().say("get", request_id=request_id)["state"]
    assert (state["priority"], state["max_attempts"]) == (9, 7)
    assert from_text(state["due_at"]) == clock.now() + timedelta(seconds=60)


def test_subscribing_gives_every_event_after_a_version_and_the_state(connect: Connect, clock: FakeClock) -> None:
    request_id = connect().submit(subscribe=False)
    started(request_id)
    ann = connect()
    answer = ann.say("subscribe", request_id=request_id)
    assert (answer["type"], answer["request_id"], answer["version"]) == ("subscribed", request_id, 2)
    assert answer["state"]["status"] == "PROCESSING"
    assert [event["type"] for event in answer["events"]] == ["RequestSubmitted", "AttemptStarted"]
    assert set(answer["events"][0]) == {"version", "type", "at", "data"}
    assert [event["version"] for event in ann.say("subscribe", request_id=request_id, after=1)["events"]] == [2]
    assert ann.say("subscribe", request_id=request_id, after=2)["events"] == []
    assert ann.say("subscribe", request_id=request_id, after=3)["code"] == "VALIDATION_ERROR"
    assert list(bootstrap.subscriptions().watchers(f"request#{request_id}", clock.now())) == [ann.connection_id]


def test_unsubscribing_ends_the_watch(connect: Connect, clock: FakeClock) -> None:
    request_id = connect().submit()
    for _ in range(2):
        assert connect().say("unsubscribe", request_id=request_id) == {"type": "unsubscribed"}
    assert list(bootstrap.subscriptions().watchers(f"request#{request_id}", clock.now())) == []


def test_a_user_watches_what_is_theirs_and_a_reader_the_tenant(connect: Connect, tenant: str) -> None:
    own, others, all_of_it = f"user#{tenant}#ann", f"user#{tenant}#bob", f"tenant#{tenant}"
    ann, reader = connect(), connect("eve", "tenant:read")
    assert ann.say("subscribe", topic=own)["topic"] == own
    assert ann.say("unsubscribe", topic=own) == {"type": "unsubscribed"}
    for topic in (others, all_of_it):
        assert ann.say("subscribe", topic=topic)["code"] == "FORBIDDEN"
        assert reader.say("subscribe", topic=topic)["topic"] == topic
    for topic in ("tenant#other", "user#other#ann"):
        assert reader.say("subscribe", topic=topic)["code"] == "NOT_FOUND"
    for topic in ("request#x", "x", "user#a", "tenant#a#b#c"):
        assert reader.say("subscribe", topic=topic)["code"] == "VALIDATION_ERROR"


def test_a_waiting_request_is_cancelled_at_once_and_a_running_one_is_asked(connect: Connect) -> None:
    waiting, running = connect().submit(), connect().submit()
    started(running)
    ack = connect().say("cancel", request_id=waiting, reason="enough")
    assert ack == {"type": "ack", "request_id": waiting, "status": "CANCELLED", "version": 2}
    assert connect().say("cancel", request_id=waiting) == ack
    assert connect().say("cancel", request_id=running)["status"] == "PROCESSING"


def test_a_request_that_has_ended_cannot_be_cancelled(connect: Connect) -> None:
    request_id = connect().submit()
    completed(request_id, 1)
    answer = connect().say("cancel", request_id=request_id)
    assert (answer["code"], answer["details"]) == ("ALREADY_FINAL", {"status": "COMPLETED"})
    assert answer["request_id"] == request_id


def test_getting_tells_the_state_now_or_as_it_was(connect: Connect) -> None:
    request_id = connect().submit()
    completed(request_id, {"n": 1})
    now = connect().say("get", request_id=request_id)
    assert (now["type"], now["version"], now["state"]["status"], now["result"]) == ("request", 3, "COMPLETED", {"n": 1})
    before = connect().say("get", request_id=request_id, at_version=1)
    assert (before["version"], before["state"]["status"], "result" in before) == (1, "PENDING", False)
    assert connect().say("get", request_id=request_id, at_version=4)["code"] == "NOT_FOUND"


def test_a_large_result_is_behind_a_link(connect: Connect) -> None:
    request_id = connect().submit()
    completed(request_id, "x" * 50_000)
    answer = connect().say("get", request_id=request_id)
    assert "result" not in answer
    assert "Signature" in answer["result_url"]


def test_history_is_read_in_pages(connect: Connect) -> None:
    request_id = connect().submit()
    completed(request_id, 1)
    first = connect().say("history", request_id=request_id, limit=2)
    assert ([event["version"] for event in first["events"]], first["next"]) == ([1, 2], 2)
    rest = connect().say("history", request_id=request_id, after=first["next"])
    assert ([event["version"] for event in rest["events"]], "next" in rest) == ([3], False)


def test_history_tells_the_state_after_the_last_of_its_events_also_when_it_has_just_been_appended(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = connect()
    request_id = ann.submit()
    look_up = readings.request_for

    def then_it_ends(*asked: Any) -> Head:
        head = look_up(*asked)
        completed(request_id, "done")
        return head

    monkeypatch.setattr(readings, "request_for", then_it_ends)
    page = ann.say("history", request_id=request_id)
    assert page["events"][-1]["type"] == "RequestCompleted"
    assert (page["version"], page["state"]["status"]) == (page["events"][-1]["version"], "COMPLETED")


def test_a_list_shows_ones_own_and_with_the_scope_the_tenants(connect: Connect, project: Project) -> None:
    by_ann, by_bob = connect().submit(), connect("bob").submit()
    connect("ann", of="elsewhere").submit()
    connect().say("cancel", request_id=by_ann)
    project()
    assert [item["request_id"] for item in connect().say("list")["items"]] == [by_ann]
    assert connect().say("list", scope="tenant")["code"] == "FORBIDDEN"
    reader = connect("eve", "tenant:read")
    everything = reader.say("list", scope="tenant")["items"]
    assert {item["request_id"] for item in everything} == {by_ann, by_bob}
    assert set(everything[0]) == {"request_id", "user_id", "version", "state"}
    cancelled = reader.say("list", scope="tenant", status="CANCELLED")["items"]
    assert [item["request_id"] for item in cancelled] == [by_ann]
    assert reader.say("list")["items"] == []


def test_a_list_goes_on_from_its_cursor(connect: Connect, project: Project, clock: FakeClock) -> None:
    made = []
    for _ in range(3):
        made.append(connect().submit())
        clock.advance(1)
    project()
    first = connect().say("list", limit=2)
    rest = connect().say("list", limit=2, cursor=first["cursor"])
    assert [item["request_id"] for page in (first, rest) for item in page["items"]] == made[::-1]


def test_a_list_that_does_not_fit_a_frame_comes_in_more_pages(
    connect: Connect, project: Project, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for _ in range(3):
        made.append(connect().submit())
        clock.advance(1)
    project()
    monkeypatch.setattr(readings, "LIST_BUDGET", 1)
    found: list[str] = []
    page: dict[str, Any] = {}
    while not found or "cursor" in page:
        page = connect().say("list", limit=200, **({"cursor": page["cursor"]} if page else {}))
        assert len(page["items"]) == 1
        found += [item["request_id"] for item in page["items"]]
    assert found == made[::-1]


def test_a_reply_that_cannot_be_posted_raises_nothing(connect: Connect, sockets: RecordedSockets) -> None:
    ann = connect()
    sockets.stuck.add(ann.connection_id)
    event = frame_event('{"type":"ping"}', ann.claims, ann.connection_id)
    assert message.handler(event, None) == {"statusCode": 200}
    assert sockets.sent == []


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
    monkeypatch.setattr(readings, "MOST_READ", 2)
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


def test_a_request_is_told_as_it_was_at_an_instant(connect: Connect, clock: FakeClock) -> None:
    before = to_text(clock.now() - timedelta(milliseconds=1))
    request_id = connect().submit()
    then = to_text(clock.now())
    clock.advance(60)
    connect().say("cancel", request_id=request_id)
    assert connect().say("get", request_id=request_id, at=then)["state"]["status"] == "PENDING"
    assert connect().say("get", request_id=request_id, at=to_text(clock.now()))["state"]["status"] == "CANCELLED"
    early = connect().say("get", request_id=request_id, at=before)
    assert (early["code"], early["message"]) == ("NOT_FOUND", "it had not been submitted by then")
    assert connect().say("get", request_id=request_id, at=then, at_version=1)["code"] == "VALIDATION_ERROR"


def test_an_explanation_says_why_a_request_is_where_it_is(connect: Connect, project: Project, clock: FakeClock) -> None:
    client = connect()
    first, second = client.submit(), client.submit(delay_s=60)
    clock.advance(1)
    third = client.submit()
    project()
    told = client.say("explain", request_id=third)
    assert (told["type"], told["view_version"]) == ("explanation", 1)
    assert told["why"].startswith("It waits for a worker; ")
    assert told["position"] >= 1
    (watcher,) = told["watchers"]
    assert (watcher["topic"], watcher["seen"], watcher["told"]) == (f"request#{third}", 0, 0)
    client.say("subscribe", request_id=third, after=1)
    (watcher,) = client.say("explain", request_id=third)["watchers"]
    assert (watcher["seen"], watcher["told"]) == (1, 1)
    assert watcher["delivered"].endswith("its client had version 1, and there was no more. Nothing happened since.")
    assert client.say("explain", request_id=second)["why"].startswith("It waits until ")
    client.say("cancel", request_id=first)
    ended = client.say("explain", request_id=first)
    assert ended["why"].startswith("It ended as CANCELLED at ")
    assert connect("eve").say("explain", request_id=first)["code"] == "FORBIDDEN"


def test_the_audit_of_a_day_may_be_one_users(connect: Connect, project: Project, clock: FakeClock) -> None:
    for user in ("ann", "bob", "ann"):
        connect(user).submit()
    project()
    reader, day = connect("eve", "tenant:read"), clock.now().date().isoformat()
    first = reader.say("audit", day=day, user_id="ann", limit=1)
    rest = reader.say("audit", day=day, user_id="ann", cursor=first["cursor"])
    assert [entry["user_id"] for entry in first["items"] + rest["items"]] == ["ann", "ann"]
    assert reader.say("audit", request_id="r-1", user_id="ann")["code"] == "VALIDATION_ERROR"


def test_more_rows_of_a_resolution_than_a_frame_holds_are_refused(
    connect: Connect, project: Project, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "MOST_ROWS", 3)
    reader, start = connect("eve", "tenant:read"), to_text(clock.now())

    def ask_after_another() -> dict[str, Any]:
        connect().submit()
        clock.advance(60)
        project()
        return reader.say("metrics", **{"from": start, "to": to_text(clock.now())}, resolution="minute")

    assert [len(ask_after_another()["rows"]) for _ in range(3)] == [1, 2, 3]
    assert ask_after_another()["code"] == "VALIDATION_ERROR"


def test_the_audit_of_a_request_has_all_its_events_and_of_a_day_the_tenants(
    connect: Connect, project: Project, clock: FakeClock
) -> None:
    request_id = connect().submit()
    connect().say("cancel", request_id=request_id, reason="enough")
    project()
    first = connect().say("audit", request_id=request_id, limit=1)
    rest = connect().say("audit", request_id=request_id, cursor=first["cursor"])
    items = first["items"] + rest["items"]
    assert [item["type"] for item in items] == ["RequestSubmitted", "RequestCancelled"]
    assert "cursor" not in rest
    day = clock.now().date().isoformat()
    assert connect().say("audit", day=day)["code"] == "FORBIDDEN"
    reader = connect("eve", "tenant:read")
    answer = reader.say("audit", day=day)
    assert {"RequestSubmitted", "RequestCancelled"} <= {item["type"] for item in answer["items"]}
    page = reader.say("audit", day=day, limit=1)
    assert page["items"] + reader.say("audit", day=day, cursor=page["cursor"])["items"] == answer["items"]


def test_the_audit_of_a_day_that_does_not_fit_a_frame_comes_in_more_pages(
    connect: Connect, project: Project, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        connect().submit()
    project()
    reader, day = connect("eve", "tenant:read"), clock.now().date().isoformat()
    whole = reader.say("audit", day=day)["items"]
    monkeypatch.setattr(readings, "LIST_BUDGET", 1)
    found: list[Any] = []
    page: dict[str, Any] = {}
    while not found or "cursor" in page:
        page = reader.say("audit", day=day, **({"cursor": page["cursor"]} if page else {}))
        assert len(page["items"]) == 1
        found += page["items"]
    assert found == whole


@pytest.mark.parametrize("text", ["r" * 15_000, "\u5831" * 5_000])
def test_events_come_in_pages_that_fit_a_frame_whatever_their_letters_are(connect: Connect, text: str) -> None:
    ann = connect()
    request_id = ann.submit()
    started(request_id)
    head = bootstrap.queue().get(request_id)
    for index in range(20):
        head = bootstrap.queue().append_output(head, 1, index, text)
    seen = ann.say("subscribe", request_id=request_id)["events"]
    while seen[-1]["version"] < head.version:
        seen += ann.say("history", request_id=request_id, after=seen[-1]["version"])["events"]
    assert [event["version"] for event in seen] == [*range(1, 23)]


def test_a_ping_is_answered_with_the_time_and_noted_as_activity(connect: Connect, clock: FakeClock) -> None:
    ann = connect()
    assert ann.say("ping") == {"type": "pong", "at": to_text(clock.now())}
    assert bootstrap.connections().get(ann.connection_id, clock.now()) is None
    opened = frame_event(None, ann.claims, ann.connection_id)
    assert connect_handler.handler(opened, None) == {"statusCode": 200}
    clock.advance(60)
    ann.say("ping")
    connection = bootstrap.connections().get(ann.connection_id, clock.now())
    assert connection is not None
    assert connection.last_active_at == clock.now()


def test_a_client_that_has_gone_needs_no_answer(connect: Connect, sockets: RecordedSockets, clock: FakeClock) -> None:
    ann = connect()
    sockets.gone.add(ann.connection_id)
    for claims in (ann.claims, {**ann.claims, "ends_at": to_text(clock.now())}):
        assert message.handler(frame_event('{"type":"ping"}', claims, ann.connection_id), None) == {"statusCode": 200}
    assert (sockets.sent, sockets.closed) == ([], [])


def test_one_is_told_the_actions_that_one_may_submit_and_what_they_take(connect: Connect) -> None:
    told = {item["name"]: item for item in connect().say("actions")["items"]}
    assert told["echo"]["mode"] == "sync"
    assert told["delay"]["mode"] == "async"
    assert told["delay"]["description"]
    assert told["delay"]["input_schema"]["properties"]["steps"]["maximum"] == 1000
    assert "generate_report" not in told, "it needs a scope"
    allowed = {item["name"]: item for item in connect("bob", "tenant:read").say("actions")["items"]}
    assert allowed["generate_report"]["scope"] == "tenant:read"


def test_an_action_that_cannot_be_loaded_is_not_among_those_one_may_submit(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bootstrap, "registry", lambda: Registry({}, {"delay": "actions.no_such", "echo": MODULES["echo"]})
    )
    assert [item["name"] for item in connect().say("actions")["items"]] == ["echo"]
    assert connect().say("submit", action="delay")["code"] == "INTERNAL_ERROR"
    assert connect().say("submit", action="echo", payload=1)["data"] == 1
