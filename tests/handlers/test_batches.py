"""A batch is as many submits as it has items, each of which stands for itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain import exact_json
from domain.errors import RateLimited
from domain.protocol import FRAME_LIMIT, MAX_BATCH
from handlers import bootstrap
from tests.handlers.conftest import MARKER, Connect
from tests.kit.clock import FakeClock

Log = Callable[[], str]


def batch(connect: Connect, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = connect().say("submit_batch", items=list(items))
    assert answer["type"] == "acks", answer
    replies: list[dict[str, Any]] = answer["items"]
    return replies


def work(n: int, **more: Any) -> dict[str, Any]:
    return {"action": "echo_async", "payload": n, **more}


def test_each_item_is_a_request_that_its_sender_watches(connect: Connect, clock: FakeClock) -> None:
    acks = batch(connect, *(work(n) for n in range(MAX_BATCH)))
    ids = [ack.pop("request_id") for ack in acks]
    assert acks == [{"type": "ack", "status": "PENDING", "version": 1, "duplicate": False}] * MAX_BATCH
    assert len(set(ids)) == MAX_BATCH
    for n, request_id in enumerate(ids):
        (event,) = connect().say("history", request_id=request_id)["events"]
        assert event["data"].get("payload") == n
        watchers = bootstrap.subscriptions().watchers(f"request#{request_id}", clock.now())
        assert list(watchers) == [connect().connection_id]


def test_what_is_wrong_with_an_item_does_not_concern_the_others(connect: Connect, log: Log) -> None:
    replies = batch(
        connect,
        work(1, id="a"),
        work(2, priority=MARKER, id="b"),
        {"action": "nothing_like_it", "payload": MARKER},
        {"action": "process_data", "payload": {"csv": MARKER, "operations": MARKER}},
        {"action": "echo", "payload": MARKER},
        {"action": "generate_report", "payload": MARKER},
        {"type": "ping"},
        {"type": "submit", **work(3)},
        work(4, id=5),
        {},
    )
    codes = [reply.get("code", reply["type"]) for reply in replies]
    invalid = "VALIDATION_ERROR"
    expected = ["ack", invalid, "INVALID_ACTION", invalid, invalid, "FORBIDDEN", invalid, "ack", invalid, invalid]
    assert codes == expected
    assert [reply.get("id") for reply in replies[:2]] == ["a", "b"]
    assert "priority" in replies[1]["message"]
    assert "synchronous" in replies[4]["message"]
    assert MARKER not in log()
    assert MARKER not in exact_json.encode(replies)


def test_keys_hold_within_a_batch_and_when_it_comes_again(connect: Connect) -> None:
    items = [work(1, idempotency_key="k"), work(1, idempotency_key="k"), work(2, idempotency_key="k"), work(3)]
    first, again, other, without = batch(connect, *items)
    assert (again["request_id"], again["duplicate"]) == (first["request_id"], True)
    assert other["code"] == "CONFLICT"
    repeated = batch(connect, *items)
    assert [reply.get("request_id") for reply in repeated[:2]] == [first["request_id"]] * 2
    assert repeated[3]["request_id"] != without["request_id"]


def test_an_item_that_fails_unexpectedly_leaves_the_others_their_replies(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    real = bootstrap.queue()
    errors = [None, RuntimeError(MARKER), RateLimited(retry_after=timedelta(milliseconds=1500)), None]

    def queue() -> Any:
        error = errors.pop(0)
        if error is not None:
            raise error
        return real

    monkeypatch.setattr(bootstrap, "queue", queue)
    replies = batch(connect, *(work(n) for n in range(4)))
    assert [reply.get("code") for reply in replies] == [None, "INTERNAL_ERROR", "RATE_LIMITED", None]
    assert replies[2]["retry_after_ms"] == 1500
    assert "RuntimeError" in log()


@pytest.mark.parametrize("items", [None, [], [{}] * (MAX_BATCH + 1), [1], {"0": {}}])
def test_a_batch_that_is_none_is_refused_whole(connect: Connect, items: object) -> None:
    answer = connect().say("submit_batch", items=items)
    assert (answer["type"], answer["code"]) == ("error", "VALIDATION_ERROR")
    assert "items" in answer["message"]


def test_the_replies_to_the_worst_items_fit_a_frame(connect: Connect) -> None:
    wrong = {f"{'é' * 200}{n}": n for n in range(10)}
    answer = connect().raw(
        exact_json.encode({"type": "submit_batch", "items": [{**wrong, "action": "echo", "id": "x" * 400}] * MAX_BATCH})
    )
    assert answer["type"] == "acks"
    assert {item["code"] for item in answer["items"]} == {"VALIDATION_ERROR"}
    assert len(exact_json.encode(answer).encode()) < FRAME_LIMIT


def test_a_batch_tells_what_led_to_each_request(connect: Connect) -> None:
    own, batchs = batch(connect, work(1, id="own"), work(2))
    correlations = [next(iter(bootstrap.events().read(reply["request_id"]))).correlation_id for reply in (own, batchs)]
    assert correlations == ["own", "f1"]


def test_a_submission_that_is_sent_again_is_one_request_and_a_synchronous_one_is_answered_again(
    connect: Connect,
) -> None:
    ann = connect()
    first = ann.say("submit", action="echo_async", submission_id="s")
    again = ann.say("submit", action="echo_async", submission_id="s")
    assert (again["request_id"], again["duplicate"]) == (first["request_id"], True)
    for _ in range(2):
        assert ann.say("submit", action="echo", payload=1, submission_id="s")["data"] == 1


@pytest.mark.parametrize("promise", [{"idempotency_key": "k"}, {"delay_s": 5}, {"timeout_s": 5}])
def test_what_nothing_is_kept_for_is_not_promised(connect: Connect, promise: dict[str, Any]) -> None:
    answer = connect().say("submit", action="echo", payload=1, **promise)
    assert answer["code"] == "VALIDATION_ERROR"
    assert next(iter(promise)) in answer["message"]
