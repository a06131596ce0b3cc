"""Every kind of frame is answered as the protocol says, within what its sender may see and do."""

from datetime import timedelta

from domain.instant import from_text, to_text
from handlers import bootstrap, message
from handlers import connect as connect_handler
from tests.handlers.attempts import completed, started
from tests.handlers.conftest import Connect, Project, RecordedSockets, frame_event
from tests.kit.clock import FakeClock


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


def test_a_reply_that_cannot_be_posted_raises_nothing(connect: Connect, sockets: RecordedSockets) -> None:
    ann = connect()
    sockets.stuck.add(ann.connection_id)
    event = frame_event('{"type":"ping"}', ann.claims, ann.connection_id)
    assert message.handler(event, None) == {"statusCode": 200}
    assert sockets.sent == []


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
