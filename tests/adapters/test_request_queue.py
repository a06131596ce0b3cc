"""One key is one request, a large payload comes back exact, and a writer that lost a race decides again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from adapters.event_store import EventStore
from adapters.request_queue import RequestQueue, Submission
from domain.commands import Cancel, ReportProgress, Start
from domain.errors import AlreadyFinal, KeyReused, NotFound, Unavailable
from domain.events import RequestCompleted, RequestSubmitted
from domain.recorded import Head, first_break
from domain.state import Status
from tests.adapters.conftest import Asking
from tests.adapters.racing import PATIENCE_S, race
from tests.adapters.wrapped import Wrapped
from tests.kit.clock import FakeClock

LEASE = timedelta(seconds=30)
EXACT = {"n": 9007199254740993, "list": [1, "é\u2028", None, True, {}], "_metadata": "mine"}


def started(asking: Asking, **asked: Any) -> Head:
    """A request that a worker has."""
    head = asking.ask(**asked)
    now = asking.clock.now()
    return asking.queue.execute(Start(now=now, worker_id="w", lease_until=now + LEASE), head)


def test_an_enqueued_request_is_pending_and_its_log_says_who_asked_for_what(
    asking: Asking, events: EventStore, name: str
) -> None:
    head = asking.ask(payload=EXACT, priority=7, correlation_id="c", causation_id="f", metadata={"a": "b"})
    assert (head.version, head.state.status, head.state.priority) == (1, Status.PENDING, 7)
    assert asking.queue.get(head.request_id) == head
    recorded = events.get(head.request_id, 1)
    assert (recorded.tenant_id, recorded.user_id, recorded.correlation_id, recorded.causation_id) == (
        name,
        "ann",
        "c",
        "f",
    )
    submitted = recorded.event()
    assert isinstance(submitted, RequestSubmitted)
    assert (submitted.payload, submitted.metadata) == (EXACT, {"a": "b"})


def test_without_a_key_every_submission_is_a_request_of_its_own(asking: Asking) -> None:
    assert asking.ask().request_id != asking.ask().request_id


def test_the_same_key_leads_to_the_same_request(asking: Asking) -> None:
    submission = asking.submission(idempotency_key="k", payload={"a": 1, "b": 2})
    request_id = asking.queue.request_id(submission)
    head, was_there = asking.queue.enqueue(request_id, submission)
    assert not was_there
    again = asking.submission(idempotency_key="k", payload={"b": 2, "a": 1})
    assert asking.queue.request_id(again) == request_id
    assert asking.queue.enqueue(request_id, again) == (head, True)


@pytest.mark.parametrize("other", [{"payload": {"a": 2}}, {"payload": None}, {"action": "delay"}])
def test_the_same_key_with_another_request_behind_it_is_refused(asking: Asking, other: dict[str, Any]) -> None:
    asking.ask(idempotency_key="k", payload={"a": 1})
    with pytest.raises(KeyReused):
        asking.ask(**{"idempotency_key": "k", "payload": {"a": 1}, **other})


def test_a_key_is_its_users_own(asking: Asking) -> None:
    asked = [
        asking.ask(idempotency_key="k", **whose).request_id
        for whose in ({}, {"user_id": "bob"}, {"tenant_id": f"{asking.tenant_id}x"})
    ]
    assert len(set(asked)) == 3


def test_a_repeat_finds_the_request_however_far_it_has_come(asking: Asking) -> None:
    head = started(asking, idempotency_key="k")
    done = asking.queue.complete(head, 1, "done")
    assert asking.ask(idempotency_key="k") == done


def test_submissions_that_race_under_one_key_make_one_request(
    asking: Asking, dynamodb: Wrapped, events: EventStore
) -> None:
    submission = asking.submission(idempotency_key="k")
    request_id = asking.queue.request_id(submission)
    answers = race([lambda: asking.queue.enqueue(request_id, submission)] * 16, dynamodb, before="put_item")
    assert sorted(was_there for _, was_there in answers) == [False] + [True] * 15
    assert len({head.hash for head, _ in answers}) == 1
    assert len(list(events.read(request_id))) == 1


def test_submissions_of_different_work_that_race_under_one_key_make_one_request_and_refuse_the_other_work(
    asking: Asking, dynamodb: Wrapped, events: EventStore
) -> None:
    submissions = [asking.submission(idempotency_key="k", payload=n % 2) for n in range(16)]
    request_id = asking.queue.request_id(submissions[0])

    def enqueue(submission: Submission) -> int | None:
        try:
            asking.queue.enqueue(request_id, submission)
        except KeyReused:
            return None
        return int(submission.payload)

    answers = race([partial(enqueue, submission) for submission in submissions], dynamodb, before="put_item")
    (event,) = [recorded.event() for recorded in events.read(request_id)]
    assert isinstance(event, RequestSubmitted)
    assert answers == [event.payload if n % 2 == event.payload else None for n in range(16)]


def test_an_enqueue_whose_answer_was_lost_is_found_again_by_its_key(asking: Asking, dynamodb: Wrapped) -> None:
    dynamodb.lose("put_item")
    with pytest.raises(Unavailable):
        asking.ask(idempotency_key="k")
    submission = asking.submission(idempotency_key="k")
    assert asking.queue.enqueue(asking.queue.request_id(submission), submission)[1]


def test_a_command_on_a_stale_head_is_decided_again_on_the_newest_state(asking: Asking, events: EventStore) -> None:
    stale = asking.ask()
    now = asking.clock.now()
    asking.queue.execute(Start(now=now, worker_id="w", lease_until=now + LEASE), stale)
    cancelled = asking.queue.cancel(stale, "ann", None)
    assert (cancelled.state.status, cancelled.state.cancel_requested) == (Status.PROCESSING, True)
    assert first_break(events.read(stale.request_id)) is None


def test_a_stale_head_never_lets_anything_follow_a_final_event(asking: Asking, events: EventStore) -> None:
    stale = asking.ask()
    asking.queue.cancel(stale, "ann", None)
    now = asking.clock.now()
    with pytest.raises(AlreadyFinal):
        asking.queue.execute(Start(now=now, worker_id="w", lease_until=now + LEASE), stale)
    assert asking.queue.cancel(stale, "bob", None).version == 2
    assert [event.type for event in events.read(stale.request_id)] == ["RequestSubmitted", "RequestCancelled"]


def test_a_completion_whose_answer_was_lost_is_there_once(
    asking: Asking, events: EventStore, dynamodb: Wrapped
) -> None:
    head = started(asking)
    dynamodb.lose("put_item")
    with pytest.raises(Unavailable):
        asking.queue.complete(head, 1, "done")
    assert asking.queue.result(asking.queue.complete(head, 1, "done")) == "done"
    assert sum(isinstance(one.event(), RequestCompleted) for one in events.read(head.request_id)) == 1


def test_a_writer_that_is_always_second_gives_up_after_four_tries(
    asking: Asking, queue: RequestQueue, clock: FakeClock, dynamodb: Wrapped
) -> None:
    head = started(asking)
    percents = iter(range(1, 9))

    def overtake() -> None:
        report = ReportProgress(now=clock.now(), attempt=1, percent=next(percents))
        queue.execute(report, queue.get(head.request_id))

    for _ in range(4):
        dynamodb.first("put_item", overtake)
        dynamodb.first("put_item", lambda: None)  # the overtaker's own put
    # Reports nest: each put of the slow writer is overtaken by a put of its own.
    with pytest.raises(Unavailable):
        queue.execute(Cancel(now=clock.now(), by="ann"), head)
    assert queue.get(head.request_id).version == head.version + 4
    assert not queue.get(head.request_id).state.cancel_requested


def test_writers_that_race_all_have_their_say_in_some_order(
    asking: Asking, queue: RequestQueue, events: EventStore
) -> None:
    head = started(asking)
    start = threading.Barrier(3)

    def report(percent: int) -> Head:
        start.wait(PATIENCE_S)
        return queue.execute(ReportProgress(now=asking.clock.now(), attempt=1, percent=percent), head)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(report, (10, 20, 30)))
    assert queue.get(head.request_id).state.percent == 30
    assert first_break(events.read(head.request_id)) is None


def test_nothing_happens_to_a_request_that_is_not_there(queue: RequestQueue, name: str) -> None:
    assert queue.get(name).version == 0
    with pytest.raises(NotFound):
        queue.cancel(queue.get(name), "ann", None)
