"""Whatever is wrong with a frame, its sender is told what and under its id, the log is not told the payload."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from domain import exact_json
from domain.errors import ErrorCode, RateLimited, Unavailable
from domain.instant import to_text
from domain.protocol import FRAME_LIMIT, server_frame
from handlers import bootstrap, message
from handlers.callers import identity_of
from tests.handlers.conftest import MARKER, Connect, RecordedSockets, frame_event
from tests.kit.clock import FakeClock

Log = Callable[[], str]
GOOD_ID = "0190a0b0-0000-7000-8000-000000000000"
PERIOD = {"from": "2026-11-22T00:00:00Z", "to": "2026-11-22T01:00:00Z"}


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "VALIDATION_ERROR"),
        ("", "VALIDATION_ERROR"),
        (MARKER, "VALIDATION_ERROR"),
        ('{"type":"ping"', "VALIDATION_ERROR"),
        ('{"type":"submit","action":"echo","payload":NaN}', "VALIDATION_ERROR"),
        ('{"type":"submit","action":"echo","payload":-Infinity}', "VALIDATION_ERROR"),
        (f'"{MARKER}"', "VALIDATION_ERROR"),
        ("[]", "VALIDATION_ERROR"),
        ("5", "VALIDATION_ERROR"),
        ("null", "VALIDATION_ERROR"),
        ('{"type":"ping","id":"\\ud800"}', "VALIDATION_ERROR"),
        ('{"type":"ping","id":"\ud800"}', "VALIDATION_ERROR"),
        (f'{{"type":"submit","action":"echo","payload":"\\uD800{MARKER}"}}', "VALIDATION_ERROR"),
        (f'{{"type":"submit","action":"echo","payload":"\udfff{MARKER}"}}', "VALIDATION_ERROR"),
        (f'{{"type":"submit","action":"echo","payload":{nested(70)}}}', "VALIDATION_ERROR"),
        (nested(60_000), "VALIDATION_ERROR"),
        (f'{{"type":"submit","action":"echo","payload":1{"0" * 5000}}}', "VALIDATION_ERROR"),
        (f'{{"type":"submit","action":"echo","payload":"{MARKER}{"x" * FRAME_LIMIT}"}}', "PAYLOAD_TOO_LARGE"),
        (f'{{"type":"submit","action":"echo","payload":"{"é" * (FRAME_LIMIT // 2)}"}}', "PAYLOAD_TOO_LARGE"),
    ],
)
def test_text_that_is_no_frame_is_refused(connect: Connect, log: Log, body: str | None, code: str) -> None:
    answer = connect().raw(body)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert "id" not in answer
    assert MARKER not in log()
    assert MARKER not in answer["message"]


SUBMIT = {"type": "submit", "action": "echo"}


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ({}, "type"),
        ({"type": MARKER}, "type"),
        ({"type": None}, "type"),
        ({"type": ["ping"]}, "type"),
        ({"type": "PING"}, "type"),
        ({"type": "ack"}, "type"),
        ({"type": "ping", "tenant_id": MARKER}, "tenant_id"),
        ({**SUBMIT, "metadata": {"user_id": 5}}, "metadata"),
        ({**SUBMIT, "metadata": {f"k{n}": "v" for n in range(17)}}, "metadata"),
        ({"type": "submit", "payload": MARKER}, "action"),
        ({**SUBMIT, "action": ""}, "action"),
        ({**SUBMIT, "priority": "5", "payload": MARKER}, "priority"),
        ({**SUBMIT, "priority": 5.5}, "priority"),
        ({**SUBMIT, "priority": 10}, "priority"),
        ({**SUBMIT, "priority": -1}, "priority"),
        ({**SUBMIT, "priority": True}, "priority"),
        ({**SUBMIT, "delay_s": 604801}, "delay_s"),
        ({**SUBMIT, "max_attempts": 0}, "max_attempts"),
        ({**SUBMIT, "subscribe": "yes"}, "subscribe"),
        ({**SUBMIT, "idempotency_key": "x" * 129}, "idempotency_key"),
        ({**SUBMIT, "idempotency_key": "a\nb"}, "idempotency_key"),
        ({"type": "subscribe"}, "request_id"),
        ({"type": "subscribe", "request_id": GOOD_ID, "topic": "tenant#a"}, "topic"),
        ({"type": "get", "request_id": f"../{MARKER}"}, "request_id"),
        ({"type": "get", "request_id": {"$ne": 1}}, "request_id"),
        ({"type": "get", "request_id": GOOD_ID, "at_version": 10**30}, "at_version"),
        ({"type": "history", "request_id": GOOD_ID, "after": 10**30}, "after"),
        ({"type": "history", "request_id": GOOD_ID, "after": -1}, "after"),
        ({"type": "history", "request_id": GOOD_ID, "limit": 201}, "limit"),
        ({"type": "subscribe", "request_id": GOOD_ID, "after": 10**30}, "after"),
        ({"type": "list", "status": "DONE"}, "status"),
        ({"type": "list", "scope": "all"}, "scope"),
        ({"type": "list", "cursor": "junk"}, "cursor"),
        ({"type": "metrics", "from": "yesterday", "to": PERIOD["to"]}, "from"),
        ({"type": "metrics", **PERIOD, "from": "2026-11-22T00:00:00"}, "from"),
        ({"type": "metrics", "from": "0001-01-01T00:00:00+14:00", "to": PERIOD["to"]}, "from"),
        ({"type": "metrics", "from": "9999-12-31T23:59:59-14:00", "to": PERIOD["to"]}, "from"),
        ({"type": "audit"}, "day"),
        ({"type": "audit", "day": "2026-11-31"}, "day"),
        ({"type": "audit", "day": "2026-11-22", "cursor": "\x7f\x7f"}, "cursor"),
        ({"type": "audit", "day": "2026-11-22", "cursor": "é"}, "cursor"),
        ({"type": "audit", "day": "2026-11-22", "cursor": "x" * 2000}, "cursor"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(
    connect: Connect, log: Log, frame: Mapping[str, Any], named: str
) -> None:
    answer = connect("ann", "tenant:read").raw(exact_json.encode({"id": "f1", **frame}))
    assert (answer["type"], answer["id"], answer["code"]) == ("error", "f1", "VALIDATION_ERROR")
    assert named in answer["message"]
    assert MARKER not in log()
    assert MARKER not in answer["message"]


@pytest.mark.parametrize("cursor", ["junk", "9" * 1000, "-1", "1.5"])
def test_a_cursor_of_ones_own_making_is_refused_for_a_requests_audit_too(connect: Connect, cursor: str) -> None:
    ann = connect()
    assert ann.say("audit", request_id=ann.submit(), cursor=cursor)["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("frame_id", [5, None, ["f"], {"a": 1}, "", "x" * 129, "a\nb", "é"])
def test_an_id_that_may_not_be_one_is_refused_and_the_answer_is_still_a_frame(connect: Connect, frame_id: Any) -> None:
    answer = connect().raw(exact_json.encode({"type": "ping", "id": frame_id}))
    if frame_id is None:
        assert answer["type"] == "pong"
    else:
        assert answer["code"] == "VALIDATION_ERROR"
        assert answer.get("id") == (frame_id[:128] if isinstance(frame_id, str) else None)


@pytest.mark.parametrize("fill", ["x", "é", "\\"])
def test_a_refusal_fits_a_frame_however_long_the_names_in_it_are(connect: Connect, fill: str) -> None:
    ann = connect()
    long = fill * (FRAME_LIMIT // len(exact_json.encode(fill).encode()) - 100)
    for frame in ({"type": long}, {"type": "ping", long: 1}, {"type": "submit", "action": "process_data", long: 1}):
        answer = ann.raw(exact_json.encode(frame))
        assert answer["code"] == "VALIDATION_ERROR"
        assert len(answer["message"]) < 4096


def test_an_unknown_action_is_told_with_those_there_are(connect: Connect, log: Log) -> None:
    answer = connect().say("submit", action="nothing_like_it", payload=MARKER)
    assert answer["code"] == "INVALID_ACTION"
    assert "echo" in answer["message"]
    assert MARKER not in log()


@pytest.mark.parametrize("payload", [None, 5, {}, {MARKER: 1}, {"csv": MARKER, "operations": MARKER}, [MARKER]])
def test_a_payload_that_does_not_fit_its_action_is_refused_before_it_is_stored(
    connect: Connect, log: Log, payload: Any
) -> None:
    answer = connect().say("submit", action="process_data", payload=payload)
    assert answer["code"] == "VALIDATION_ERROR"
    assert "payload" in answer["message"]
    assert MARKER not in log()


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("get", {}),
    ("history", {}),
    ("cancel", {}),
    ("subscribe", {}),
    ("audit", {}),
]


@pytest.mark.parametrize(("kind", "fields"), KINDS)
def test_another_tenants_request_is_not_there_whatever_ones_scopes(
    connect: Connect, kind: str, fields: dict[str, Any]
) -> None:
    request_id = connect("ann", of="elsewhere").submit()
    eve = connect("ann", "tenant:read", "tenant:write")
    foreign = eve.say(kind, request_id=request_id, **fields)
    assert (foreign["code"], foreign["request_id"]) == ("NOT_FOUND", request_id)
    unknown = eve.say(kind, request_id=GOOD_ID, **fields)
    assert {**unknown, "request_id": ""} == {**foreign, "request_id": ""}


@pytest.mark.parametrize(("kind", "fields"), KINDS)
def test_another_users_request_needs_the_scope(connect: Connect, kind: str, fields: dict[str, Any]) -> None:
    request_id = connect("bob").submit()
    assert connect().say(kind, request_id=request_id, **fields)["code"] == "FORBIDDEN"
    wrong, right = ("tenant:read", "tenant:write") if kind == "cancel" else ("tenant:write", "tenant:read")
    assert connect("ann", wrong).say(kind, request_id=request_id, **fields)["code"] == "FORBIDDEN"
    assert connect("ann", right).say(kind, request_id=request_id, **fields)["type"] != "error"


@pytest.mark.parametrize(
    "change",
    [
        {"tenant_id": None},
        {"tenant_id": "a#b"},
        {"user_id": ""},
        {"scopes": None},
        {"ends_at": "soon"},
        {"ends_at": 5},
        {"ends_at": "2999-01-01T00:00:00"},
    ],
)
def test_a_socket_without_an_identity_is_answered_and_closed(
    connect: Connect, sockets: RecordedSockets, change: dict[str, Any]
) -> None:
    ann = connect()
    broken = frame_event('{"type":"ping","id":"f1"}', {**ann.claims, **change}, ann.connection_id)
    for event in (broken, frame_event('{"type":"ping","id":"f1"}', None, ann.connection_id)):
        sockets.sent.clear()
        sockets.closed.clear()
        assert message.handler(event, None) == {"statusCode": 200}
        answer = exact_json.decode(sockets.sent[0][1])
        assert (answer["code"], answer["id"]) == ("UNAUTHORIZED", "f1")
        assert sockets.closed == [ann.connection_id]


def test_a_socket_whose_token_has_ended_is_answered_and_closed(
    connect: Connect, sockets: RecordedSockets, clock: FakeClock
) -> None:
    ann = connect()
    ann.claims["ends_at"] = to_text(clock.now() + timedelta(milliseconds=1))
    assert ann.say("ping")["type"] == "pong"
    assert sockets.closed == []
    clock.advance(0.001)
    answer = ann.say("submit", action="echo_async")
    assert answer["code"] == "UNAUTHORIZED"
    assert sockets.closed == [ann.connection_id]


def test_an_identity_comes_from_the_context_alone(connect: Connect) -> None:
    claims = connect().claims
    forged = {**frame_event('{"type":"ping"}', claims), "queryStringParameters": {"tenant_id": "other"}}
    assert identity_of(forged).tenant_id == claims["tenant_id"]
    assert connect().say("ping", metadata={"tenant_id": "other"})["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    "error",
    [RuntimeError("boom"), Unavailable("down", table="t"), ParamValidationError(report="bad"), RecursionError()],
)
def test_what_nobody_expected_is_an_internal_error_and_nothing_more(
    connect: Connect, log: Log, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> Any:
        raise error

    monkeypatch.setattr(bootstrap, "queue", fail)
    answer = connect().say("submit", action="echo_async", payload=MARKER)
    assert answer == {"type": "error", "code": "INTERNAL_ERROR", "message": "Something went wrong"}
    assert type(error).__name__ in log()
    assert MARKER not in log()


def test_a_limit_tells_when_to_come_again(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def limit() -> Any:
        raise RateLimited("slow down", limit="made up", retry_after=timedelta(seconds=1.5))

    monkeypatch.setattr(bootstrap, "queue", limit)
    answer = connect().say("submit", action="echo_async")
    assert (answer["code"], answer["retry_after_ms"]) == (ErrorCode.RATE_LIMITED, 1500)


def test_an_answer_that_does_not_fit_a_frame_is_told_as_such(connect: Connect) -> None:
    longer_when_written_by_us = ",".join(["1e5"] * 30_000)
    answer = connect().raw(f'{{"type":"submit","id":"f1","action":"echo","payload":[{longer_when_written_by_us}]}}')
    assert (answer["code"], answer["id"]) == ("PAYLOAD_TOO_LARGE", "f1")
    whole = connect().say("submit", action="echo", payload="x" * (FRAME_LIMIT - 100))
    assert whole["type"] == "response"


def test_what_was_taken_in_can_always_be_read_again(connect: Connect) -> None:
    ann = connect()
    answers = {n: ann.raw(exact_json.encode({**SUBMIT, "payload": tree(n)}))["type"] for n in range(1, 70)}
    deepest = max(n for n, kind in answers.items() if kind == "response")
    assert "error" in answers.values()
    request_id = ann.submit(payload=tree(deepest))
    for kind in ("subscribe", "history", "get", "audit"):
        answer = ann.say(kind, request_id=request_id)  # the socket itself refuses what no client can read
        server_frame(exact_json.encode(answer))
        assert answer["type"] != "error"


def tree(levels: int) -> Any:
    return [tree(levels - 1)] if levels else []
