"""The sweeper finds what was lost and sets it going again; what goes its way it leaves alone."""

from datetime import timedelta
from typing import Any

import pytest

from actions.catalog import catalog
from adapters import sweeper as module
from adapters.connection_store import ConnectionStore
from adapters.request_queue import RequestQueue
from adapters.request_view import RequestView
from adapters.stale_connections import StaleConnections
from adapters.sweeper import Sweeper, Swept
from adapters.work_tokens import WorkTokens
from domain import exact_json
from domain.recorded import Head
from domain.request import EXPIRY_MARGIN
from domain.state import Status
from tests.adapters.conftest import Asking
from tests.adapters.sockets import connected
from tests.adapters.wrapped import Wrapped
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, moto_fixture
from tests.kit.tokens import token

aws = moto_fixture()

LEASE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def sweeper(
    queue: RequestQueue,
    view: RequestView,
    tokens: WorkTokens,
    stale: StaleConnections,
    clock: FakeClock,
) -> Sweeper:
    return Sweeper(queue, view, tokens, stale, catalog().retry_policy, clock)


@pytest.fixture
def sent(sqs: Wrapped) -> Any:
    """The tokens that were sent since the last look: which request, and seconds of delay."""

    def sent() -> list[tuple[str, int]]:
        calls = [arguments for name, arguments in sqs.calls if name == "send_message_batch"]
        sqs.calls.clear()
        entries = [entry for call in calls for entry in call["Entries"]]
        return [(exact_json.decode(entry["MessageBody"])["request_id"], entry["DelaySeconds"]) for entry in entries]

    return sent


def running(asking: Asking, **asked: Any) -> Head:
    """A request that a worker has, as the view shows it."""
    claimed = asking.queue.claim(token(asking.ask(**asked)), "w1", LEASE)
    assert claimed is not None
    asking.project()
    return claimed.head


def test_with_nothing_lost_a_turn_does_nothing(sweeper: Sweeper, asking: Asking, sent: Any) -> None:
    asking.ask()
    running(asking)
    assert sweeper.sweep() == Swept(connections=0)
    assert sent() == []


def test_a_lease_that_is_over_leads_to_another_attempt(
    sweeper: Sweeper, asking: Asking, queue: RequestQueue, clock: FakeClock
) -> None:
    head = running(asking)
    clock.set(head.state.lease_until - MOMENT)
    assert sweeper.sweep().leases_expired == 0
    clock.set(head.state.lease_until)
    assert sweeper.sweep().leases_expired == 1
    state = queue.get(head.request_id).state
    assert (state.status, state.attempt) == (Status.RETRYING, 1)
    assert state.error is not None
    assert state.error.code == "LEASE_EXPIRED"


def test_a_lease_that_is_over_in_the_last_attempt_fails_the_request(
    sweeper: Sweeper, asking: Asking, queue: RequestQueue, clock: FakeClock
) -> None:
    head = running(asking, max_attempts=1)
    clock.advance(by=LEASE)
    sweeper.sweep()
    assert queue.get(head.request_id).state.status is Status.FAILED


def test_a_lost_worker_that_was_to_stop_leaves_a_cancelled_request(
    sweeper: Sweeper, asking: Asking, queue: RequestQueue, clock: FakeClock
) -> None:
    head = running(asking)
    queue.cancel(head, "ann", None)
    clock.advance(by=LEASE)
    sweeper.sweep()
    assert queue.get(head.request_id).state.status is Status.CANCELLED


def test_a_lease_that_was_renewed_behind_the_views_back_is_left_alone(
    sweeper: Sweeper, asking: Asking, queue: RequestQueue, clock: FakeClock
) -> None:
    head = running(asking)
    done = queue.complete(head, 1, "done")
    clock.advance(by=LEASE)
    assert sweeper.sweep().leases_expired == 0
    assert queue.get(head.request_id) == done


def test_a_turn_tells_how_long_the_oldest_has_waited_that_may_run(
    sweeper: Sweeper, asking: Asking, clock: FakeClock
) -> None:
    asking.ask(delay=timedelta(seconds=30))
    asking.project()
    assert sweeper.sweep().oldest_queued_s == 0
    clock.advance(90)
    asking.ask(priority=9)
    running(asking)
    assert sweeper.sweep().oldest_queued_s == 60


@pytest.mark.parametrize("priority", [0, 5, 9])
def test_a_ready_request_whose_token_is_lost_gets_another_after_a_minute(
    sweeper: Sweeper, asking: Asking, clock: FakeClock, sent: Any, priority: int
) -> None:
    head = asking.ask(priority=priority)
    asking.project()
    clock.set(head.state.due_at + MINUTE - MOMENT)
    assert sweeper.sweep().tokens_sent == 0
    clock.set(head.state.due_at + MINUTE + MOMENT)
    assert sweeper.sweep().tokens_sent == 1
    assert sent() == [(head.request_id, 0)]


def test_a_waiting_request_gets_its_token_when_it_is_due_and_not_before(
    sweeper: Sweeper, asking: Asking, clock: FakeClock, sent: Any
) -> None:
    head = asking.ask(delay=timedelta(hours=1))
    asking.project()
    clock.set(head.state.due_at - 2 * MINUTE)
    assert sweeper.sweep().tokens_sent == 0
    # A token that came at once would find the request not due and be spent.
    clock.set(head.state.due_at - timedelta(seconds=40))
    assert sweeper.sweep().tokens_sent == 1
    assert sent() == [(head.request_id, 40)]
    clock.set(head.state.due_at + 5 * MINUTE)
    assert sweeper.sweep().tokens_sent == 1
    assert sent() == [(head.request_id, 0)]


def test_a_retry_whose_token_is_lost_gets_another(
    sweeper: Sweeper, asking: Asking, clock: FakeClock, sent: Any
) -> None:
    head = running(asking)
    clock.advance(by=LEASE)
    sweeper.sweep()
    asking.project()
    clock.set(asking.queue.get(head.request_id).state.due_at + MINUTE)
    sent()
    assert sweeper.sweep().tokens_sent == 1
    assert sent() == [(head.request_id, 0)]


def test_the_longer_a_request_is_overdue_the_rarer_it_gets_another_token(
    sweeper: Sweeper, asking: Asking, clock: FakeClock, sent: Any
) -> None:
    due_at = asking.ask().state.due_at
    asking.project()
    at = []
    for minutes in range(40):
        clock.set(due_at + minutes * MINUTE + timedelta(seconds=30))
        at += [minutes] * sweeper.sweep().tokens_sent
    assert at == [1, 2, 4, 8, 16, 32]
    assert len(sent()) == 6


def test_many_lost_tokens_are_sent_in_batches_that_sqs_takes(
    sweeper: Sweeper, asking: Asking, clock: FakeClock, sqs: Wrapped
) -> None:
    for _ in range(23):
        asking.ask()
    asking.project()
    clock.advance(by=2 * MINUTE)
    assert sweeper.sweep().tokens_sent == 23
    assert [len(call["Entries"]) for _, call in sqs.calls] == [10, 10, 3]


def test_however_many_tokens_are_lost_all_are_sent_in_one_turn(
    sweeper: Sweeper, asking: Asking, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 2)
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    heads = [asking.ask() for _ in range(8)]
    asking.project()
    clock.advance(by=MINUTE + timedelta(seconds=30))
    assert sweeper.sweep().tokens_sent == len(heads)


def test_a_part_of_a_turn_that_takes_too_long_is_cut_short_and_the_others_are_done(
    sweeper: Sweeper, asking: Asking, connections: ConnectionStore, clock: FakeClock, sqs: Wrapped
) -> None:
    for _ in range(module._AT_ONCE + 1):
        asking.ask()
    asking.project()
    connected(connections, "over", clock.now(), ends_at=clock.now())
    clock.advance(by=MINUTE + timedelta(seconds=30))
    sqs.first("send_message_batch", lambda: clock.advance(module.PART_S + 1))
    swept = sweeper.sweep()
    assert (swept.tokens_sent, swept.parts_cut_short, swept.connections_closed) == (module._AT_ONCE, 1, 1)


@pytest.mark.parametrize("state", ["ready", "waiting", "running"])
def test_nothing_disappears_without_a_final_event(
    sweeper: Sweeper, asking: Asking, queue: RequestQueue, clock: FakeClock, sent: Any, state: str
) -> None:
    head = running(asking) if state == "running" else asking.ask(delay=MINUTE if state == "waiting" else 0 * MINUTE)
    asking.project()
    clock.set(head.state.expires_at + timedelta(seconds=1) - EXPIRY_MARGIN)
    assert sweeper.sweep().requests_expired == 1
    ended = queue.get(head.request_id).state
    assert ended.status is Status.FAILED
    assert ended.error is not None
    assert ended.error.code == "EXPIRED"
    assert sent() == []


def test_a_second_turn_changes_nothing_more(
    sweeper: Sweeper, asking: Asking, connections: ConnectionStore, clock: FakeClock, aws: Aws
) -> None:
    running(asking)
    running(asking, max_attempts=1)
    asking.ask()
    asking.project()
    connected(connections, "over", clock.now(), ends_at=clock.now())
    clock.advance(by=2 * MINUTE)
    first = sweeper.sweep()
    assert (first.leases_expired, first.connections_closed) == (2, 1)
    rows = {table: aws.rows(table) for table in aws.tables}
    for _ in range(2):
        again = sweeper.sweep()
        assert (again.leases_expired, again.requests_expired, again.connections_closed) == (0, 0, 0)
        assert {table: aws.rows(table) for table in aws.tables} == rows
        asking.project()
        rows = {table: aws.rows(table) for table in aws.tables}


def test_a_request_whose_log_is_gone_or_unreadable_does_not_hold_up_the_others(
    sweeper: Sweeper, asking: Asking, queue: RequestQueue, clock: FakeClock, aws: Aws
) -> None:
    heads = [running(asking) for _ in range(4)]
    ordered = sorted(heads, key=lambda head: head.request_id)
    events = aws.tables["Events"]
    for version in ("1", "2"):
        key = {"request_id": {"S": ordered[0].request_id}, "version": {"N": version}}
        aws.dynamodb.delete_item(TableName=events, Key=key)
    key = {"request_id": {"S": ordered[1].request_id}, "version": {"N": "2"}}
    aws.dynamodb.update_item(
        TableName=events, Key=key, UpdateExpression="REMOVE #state", ExpressionAttributeNames={"#state": "state"}
    )
    clock.advance(by=LEASE)
    swept = sweeper.sweep()
    assert (swept.leases_expired, swept.unreadable) == (2, 2)
    assert {queue.get(one.request_id).state.status for one in ordered[2:]} == {Status.RETRYING}
