"""A running attempt tells the newest it knows, keeps its lease while it is silent, and hears when nobody wants it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from actions.doubles import RecordingProgress
from actions.limits import CHECKPOINT_LIMIT, CHUNK_LIMIT, DETAILS_LIMIT
from actions.outcomes import Cancelled, Stopped, TakenOver
from adapters import attempt as module
from adapters.attempt import OUTPUTS_WAITING, REPORT_INTERVAL_S, Attempt
from adapters.event_store import EventStore
from adapters.request_queue import RequestQueue
from domain.commands import ExpireLease, Start
from domain.errors import InvalidJson, InvalidValue, PayloadTooLarge, Rejected, Unavailable
from domain.events import OutputAppended, ProgressReported
from domain.recorded import Head
from domain.state import Status
from tests.adapters.conftest import Asking
from tests.adapters.racing import PATIENCE_S
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import FakeClock
from tests.kit.tokens import token

LEASE = timedelta(seconds=30)


@pytest.fixture
def head(asking: Asking, queue: RequestQueue) -> Head:
    """A request that this worker has just started."""
    claimed = queue.claim(token(asking.ask()), "w1", LEASE)
    assert claimed is not None
    return claimed.head


@pytest.fixture
def attempt(queue: RequestQueue, head: Head, clock: FakeClock) -> Attempt:
    """The attempt without its keeper: nothing happens but what the action does."""
    return Attempt(queue, head, LEASE, clock)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a keeper look every millisecond."""
    monkeypatch.setattr(module, "REPORT_INTERVAL_S", 0.001)


def percents(events: EventStore, head: Head) -> list[float]:
    facts = (one.event() for one in events.read(head.request_id))
    return [fact.percent for fact in facts if isinstance(fact, ProgressReported)]


def outputs(events: EventStore, head: Head) -> list[Any]:
    facts = (one.event() for one in events.read(head.request_id))
    return [fact.chunk for fact in facts if isinstance(fact, OutputAppended)]


def noticed(dynamodb: Wrapped, operation: str, is_it: Callable[[], bool]) -> threading.Event:
    """Set as soon as a call of the operation finds the condition true."""
    seen = threading.Event()
    dynamodb.always(operation, lambda: seen.set() if is_it() else None)
    return seen


def test_the_first_report_is_written_at_once(attempt: Attempt, events: EventStore, head: Head) -> None:
    attempt.report(10, "on the way", {"rows": 3})
    state = events.head(head.request_id).state
    assert (state.percent, state.message, state.details) == (10, "on the way", {"rows": 3})


def test_reports_that_come_too_fast_are_merged_and_the_newest_wins(
    attempt: Attempt, events: EventStore, head: Head, clock: FakeClock
) -> None:
    for percent in range(98):
        attempt.report(percent, f"{percent}")
        clock.advance(REPORT_INTERVAL_S / 8.5)
    assert percents(events, head) == [*range(0, 98, 9)]
    assert attempt.finish().state.percent == 97
    assert percents(events, head) == [*range(0, 98, 9), 97]


def test_what_is_pending_is_written_before_an_output(attempt: Attempt, events: EventStore, head: Head) -> None:
    attempt.report(10)
    attempt.report(20)
    attempt.output({"line": 1})
    attempt.output({"line": 2})
    types = [one.type for one in events.read(head.request_id, head.version)]
    assert types == ["ProgressReported", "ProgressReported", "OutputAppended", "OutputAppended"]
    assert outputs(events, head) == [{"line": 1}, {"line": 2}]


def test_nothing_pending_writes_nothing(attempt: Attempt, head: Head) -> None:
    attempt.report(10)
    version = attempt.finish().version
    assert version == head.version + 1
    assert attempt.finish().version == version


@pytest.mark.parametrize(
    ("told", "stored"), [(-5, 0), (150, 100), (float("nan"), 0), (float("inf"), 100), (33.333, 33.3)]
)
def test_a_percent_is_kept_between_0_and_100(
    attempt: Attempt, events: EventStore, head: Head, told: float, stored: float
) -> None:
    attempt.report(told, "x")
    assert percents(events, head) == [stored]


def test_a_percent_never_goes_back(attempt: Attempt, events: EventStore, head: Head, clock: FakeClock) -> None:
    for percent in (50, 20, 70):
        attempt.report(percent, f"{percent}")
        clock.advance(1)
    assert percents(events, head) == [50, 50, 70]


def test_an_unavailable_log_does_not_disturb_the_action_and_the_report_is_made_up_for(
    attempt: Attempt, events: EventStore, head: Head, dynamodb: Wrapped
) -> None:
    dynamodb.fail("put_item", client_error("ThrottlingException"), times=2)
    attempt.report(10)
    attempt.report(20)
    assert percents(events, head) == []
    attempt.report(30)
    assert percents(events, head) == [30]


def test_a_report_whose_answer_was_lost_is_there_once(
    attempt: Attempt, events: EventStore, head: Head, dynamodb: Wrapped
) -> None:
    dynamodb.lose("put_item")
    attempt.report(10)
    assert attempt.finish().state.percent == 10
    assert percents(events, head) == [10]


def test_outputs_wait_for_an_unavailable_log_and_keep_their_order(
    attempt: Attempt, events: EventStore, head: Head, dynamodb: Wrapped
) -> None:
    dynamodb.fail("put_item", client_error("ThrottlingException"), times=2)
    attempt.output("a")
    attempt.output("b")
    assert outputs(events, head) == []
    attempt.output("c")
    assert outputs(events, head) == ["a", "b", "c"]


def test_outputs_that_wait_are_written_before_the_attempt_ends_or_it_has_not_ended(
    attempt: Attempt, events: EventStore, head: Head, dynamodb: Wrapped
) -> None:
    dynamodb.fail("put_item", client_error("ThrottlingException"), times=2)
    attempt.output("a")
    with pytest.raises(Unavailable):
        attempt.finish()
    assert attempt.finish().state.outputs == 1
    assert outputs(events, head) == ["a"]


def test_an_action_is_told_when_too_many_outputs_wait_and_those_are_not_lost(
    attempt: Attempt, events: EventStore, head: Head, dynamodb: Wrapped
) -> None:
    dynamodb.fail("put_item", client_error("ThrottlingException"), times=OUTPUTS_WAITING + 1)
    for number in range(OUTPUTS_WAITING):
        attempt.output(number)
    with pytest.raises(Unavailable):
        attempt.output("one too many")
    attempt.output("the next")
    assert outputs(events, head) == [*range(OUTPUTS_WAITING), "the next"]


def test_an_output_whose_answer_was_lost_is_there_once_and_the_next_one_after_it(
    attempt: Attempt, events: EventStore, head: Head, dynamodb: Wrapped
) -> None:
    dynamodb.lose("put_item")
    attempt.output("a")
    attempt.output("b")
    assert outputs(events, head) == ["a", "b"]


def saved(events: EventStore, head: Head) -> Any:
    return events.head(head.request_id).state.checkpoint


def test_a_checkpoint_is_written_with_the_progress_that_was_told(
    attempt: Attempt, events: EventStore, head: Head, clock: FakeClock
) -> None:
    attempt.report(10, "m", {"rows": 1})
    clock.advance(1)
    attempt.checkpoint({"row": 1})
    state = events.head(head.request_id).state
    assert (state.percent, state.message, state.details, state.checkpoint) == (10, "m", {"rows": 1}, {"row": 1})


def test_checkpoints_that_come_too_fast_are_merged_and_the_newest_is_never_lost(
    attempt: Attempt, events: EventStore, head: Head
) -> None:
    for row in range(50):
        attempt.checkpoint({"row": row})
        attempt.report(row)
    assert saved(events, head) == {"row": 0}
    version = events.head(head.request_id).version
    state = attempt.finish().state
    assert (state.percent, state.checkpoint) == (49, {"row": 49})
    assert events.head(head.request_id).version == version + 1


def test_a_checkpoint_that_an_unavailable_log_refused_is_made_up_for(
    attempt: Attempt, events: EventStore, head: Head, dynamodb: Wrapped
) -> None:
    dynamodb.fail("put_item", client_error("ThrottlingException"))
    attempt.checkpoint({"row": 1})
    assert saved(events, head) is None
    attempt.report(10)
    assert saved(events, head) == {"row": 1}


def test_a_checkpoint_is_what_it_was_when_it_was_saved(attempt: Attempt, events: EventStore, head: Head) -> None:
    attempt.report(1)
    own = {"rows": [1, (2, 3)]}
    attempt.checkpoint(own)
    own["rows"].append(4)
    attempt.finish()
    assert saved(events, head) == {"rows": [1, [2, 3]]}


def test_a_checkpoint_of_a_worker_that_was_taken_over_is_refused(
    attempt: Attempt, queue: RequestQueue, events: EventStore, head: Head, clock: FakeClock
) -> None:
    attempt.checkpoint({"row": 1})
    newer = taken_over(queue, head, clock)
    assert newer.state.checkpoint == {"row": 1}
    with pytest.raises(TakenOver):
        attempt.checkpoint({"row": 2})
    assert events.head(head.request_id) == newer


@pytest.mark.parametrize("value", [None, object(), float("nan"), "x" * CHECKPOINT_LIMIT])
def test_a_checkpoint_that_is_none_is_the_actions_error(
    attempt: Attempt, events: EventStore, head: Head, value: object
) -> None:
    with pytest.raises(Rejected):
        attempt.checkpoint(value)
    attempt.checkpoint("x" * (CHECKPOINT_LIMIT - 2))
    assert len(saved(events, head)) == CHECKPOINT_LIMIT - 2


def deep(levels: int) -> Any:
    """A value nested so deep."""
    return {"in": deep(levels - 1)} if levels else {}


@pytest.mark.parametrize("details", [{"x": object()}, {"x": "\ud800"}, {"x": float("nan")}, deep(60)])
def test_details_that_json_cannot_hold_are_the_actions_error_and_not_the_end_of_its_lease(
    attempt: Attempt, events: EventStore, head: Head, details: dict[str, Any]
) -> None:
    with pytest.raises(InvalidJson):
        attempt.report(10, details=details)
    with pytest.raises(InvalidJson):
        attempt.output(details)
    attempt.report(20)
    assert percents(events, head) == [20]


@pytest.mark.parametrize("details", [["a"], "text", 7])
def test_details_that_are_no_object_are_the_actions_error_and_not_the_end_of_its_lease(
    attempt: Attempt, events: EventStore, head: Head, details: Any
) -> None:
    for progress in (attempt, RecordingProgress()):
        with pytest.raises(InvalidValue, match="details"):
            progress.report(10, details=details)
    attempt.report(20)
    assert percents(events, head) == [20]


def test_what_is_too_large_for_an_event_is_refused(attempt: Attempt) -> None:
    with pytest.raises(PayloadTooLarge):
        attempt.report(10, details={"x": "x" * DETAILS_LIMIT})
    with pytest.raises(PayloadTooLarge):
        attempt.output("x" * CHUNK_LIMIT)
    attempt.output("x" * (CHUNK_LIMIT - 2))


def test_a_long_message_is_cut(attempt: Attempt, events: EventStore, head: Head) -> None:
    attempt.report(1, "m" * 1000)
    assert events.head(head.request_id).state.message == "m" * 256


def test_a_cancel_is_heard_at_the_next_report_and_nothing_is_written_after_it(
    attempt: Attempt, queue: RequestQueue, events: EventStore, head: Head, clock: FakeClock
) -> None:
    attempt.report(10)
    queue.cancel(head, "ann", "enough")
    clock.advance(1)
    with pytest.raises(Cancelled):
        attempt.report(20)
    version = events.head(head.request_id).version
    with pytest.raises(Stopped):
        attempt.report(30)
    with pytest.raises(Stopped):
        attempt.output("x")
    with pytest.raises(Stopped):
        attempt.wait(60)
    assert attempt.finish().state.cancel_requested
    assert events.head(head.request_id).version == version


def taken_over(queue: RequestQueue, head: Head, clock: FakeClock) -> Head:
    """The request after another worker has started it."""
    clock.advance(by=LEASE)
    lost = queue.execute(ExpireLease(now=clock.now(), jitter=0), head)
    now = clock.now()
    return queue.execute(Start(now=now, worker_id="w2", lease_until=now + LEASE), lost)


def test_a_worker_that_was_taken_over_hears_it_and_cannot_write(
    attempt: Attempt, queue: RequestQueue, events: EventStore, head: Head, clock: FakeClock
) -> None:
    newer = taken_over(queue, head, clock)
    with pytest.raises(TakenOver):
        attempt.report(50)
    with pytest.raises(TakenOver):
        attempt.output("x")
    assert events.head(head.request_id) == newer


def leased_until(events: EventStore, head: Head, wanted: datetime) -> Callable[[], bool]:
    return lambda: events.head(head.request_id).state.lease_until == wanted


@pytest.mark.usefixtures("quick")
def test_the_keeper_renews_the_lease_of_a_silent_action(
    queue: RequestQueue, events: EventStore, head: Head, clock: FakeClock, dynamodb: Wrapped
) -> None:
    with Attempt(queue, head, LEASE, clock):
        for _ in range(3):
            before = events.head(head.request_id).state.lease_until
            later = clock.now() + LEASE * 2 / 3
            # Looked out for before the clock moves: the keeper may be quicker than the next line.
            renewed = noticed(dynamodb, "put_item", leased_until(events, head, later + LEASE))
            clock.set(later)
            assert renewed.wait(PATIENCE_S)
            assert events.head(head.request_id).state.lease_until > before


@pytest.mark.usefixtures("quick")
def test_the_keeper_writes_what_is_pending_while_the_action_is_silent(
    queue: RequestQueue, events: EventStore, head: Head, clock: FakeClock, dynamodb: Wrapped
) -> None:
    written = noticed(dynamodb, "put_item", lambda: percents(events, head) == [10, 20])
    with Attempt(queue, head, LEASE, clock) as attempt:
        attempt.report(10)
        attempt.report(20)
        assert written.wait(PATIENCE_S)


@pytest.mark.usefixtures("quick")
def test_a_silent_action_hears_a_cancel_at_the_renewal_and_stops_waiting(
    queue: RequestQueue, head: Head, clock: FakeClock
) -> None:
    with Attempt(queue, head, LEASE, clock) as attempt:
        queue.cancel(head, "ann", None)
        clock.advance(by=LEASE * 2 / 3)
        with pytest.raises(Stopped):
            attempt.wait(PATIENCE_S)


@pytest.mark.usefixtures("quick")
def test_the_keeper_outlives_an_unavailable_log(
    queue: RequestQueue, events: EventStore, head: Head, clock: FakeClock, dynamodb: Wrapped
) -> None:
    dynamodb.fail("put_item", client_error("ThrottlingException"), times=3)
    clock.advance(by=LEASE * 2 / 3)
    renewed = noticed(dynamodb, "put_item", leased_until(events, head, clock.now() + LEASE))
    with Attempt(queue, head, LEASE, clock):
        assert renewed.wait(PATIENCE_S)


def test_an_ended_attempt_leaves_no_thread_behind(queue: RequestQueue, head: Head, clock: FakeClock) -> None:
    with Attempt(queue, head, LEASE, clock) as attempt:
        attempt.report(100)
    assert not [one for one in threading.enumerate() if one.name.startswith("lease-")]
    assert queue.get(head.request_id).state.status is Status.PROCESSING
