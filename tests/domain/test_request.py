"""The rules of a request until an attempt ends, one sentence each."""

from datetime import timedelta

import pytest
from msgspec import structs

from domain.commands import (
    AcknowledgeCancel,
    AppendOutput,
    Cancel,
    Command,
    Complete,
    FailAttempt,
    RenewLease,
    ReportProgress,
    Start,
    Submit,
)
from domain.errors import AttemptOver, KeyReused, NotFound, NotRunnable
from domain.events import (
    OutputAppended,
    ProgressReported,
    RequestCompleted,
    RequestSubmitted,
)
from domain.state import INITIAL
from tests.domain.past import ASKED, END, ERROR, LEASE, MS, RETRIED, SECOND, SECOND_ATTEMPT, STARTED, SUBMIT, SUBMITTED
from tests.spec import given
from tests.strategies import START


def test_a_submission_tells_all_that_was_asked() -> None:
    command = Submit(
        now=START + timedelta(microseconds=999),
        action="echo",
        digest="d",
        payload_ref="acme/payload.json",
        priority=9,
        delay=5 * SECOND,
        max_attempts=4,
        retention=timedelta(days=2),
        connection_id="c",
        idempotency_key="k",
        retry_of="r-0",
        metadata={"a": "b"},
    )
    given().when(command).then(
        RequestSubmitted(
            action="echo",
            digest="d",
            payload_ref="acme/payload.json",
            priority=9,
            due_at=START + 5 * SECOND,
            max_attempts=4,
            expires_at=START + 5 * SECOND + timedelta(days=2),
            connection_id="c",
            idempotency_key="k",
            retry_of="r-0",
            metadata={"a": "b"},
        )
    )


def test_a_request_is_kept_for_a_week_from_when_it_is_due() -> None:
    given().when(SUBMIT).then(SUBMITTED)


def test_a_second_submit_of_the_same_changes_nothing() -> None:
    given(SUBMITTED, STARTED, RequestCompleted(result=1)).when(SUBMIT).then_nothing()


def test_a_submit_of_something_else_under_the_key_is_rejected() -> None:
    other = Submit(now=START, action="echo", digest="another")
    given(SUBMITTED).when(other).then_rejected(KeyReused)


def test_nothing_can_be_asked_of_a_request_that_is_not_there() -> None:
    given().when(Cancel(now=START, by="ann")).then_rejected(NotFound)


def test_a_request_starts_when_it_is_due_and_not_before() -> None:
    past = given(structs.replace(SUBMITTED, due_at=START + SECOND))
    past.when(Start(now=START + SECOND - MS, worker_id="w", lease_until=LEASE)).then_rejected(NotRunnable, "not due")
    past.when(Start(now=START + SECOND, worker_id="w", lease_until=LEASE)).then(STARTED)


def test_a_retry_starts_when_it_is_due_with_the_next_number() -> None:
    past = given(SUBMITTED, STARTED, RETRIED)
    past.when(Start(now=RETRIED.retry_at - MS, worker_id="w2", lease_until=LEASE)).then_rejected(NotRunnable)
    past.when(Start(now=RETRIED.retry_at, worker_id="w2", lease_until=LEASE)).then(SECOND_ATTEMPT)


def test_a_start_by_another_worker_is_rejected_while_one_has_it_even_after_its_lease() -> None:
    past = given(SUBMITTED, STARTED)
    past.when(Start(now=END, worker_id="w2", lease_until=END)).then_rejected(NotRunnable, "another worker")
    past.when(Start(now=START, worker_id="w", lease_until=LEASE)).then_nothing()


def test_a_new_attempt_begins_from_nothing() -> None:
    progress = ProgressReported(percent=70, message="m", details={"rows": 1})
    state = given(SUBMITTED, STARTED, progress, OutputAppended(index=0), RETRIED, SECOND_ATTEMPT).state
    fresh = (state.percent, state.message, state.details, state.outputs, state.error)
    assert fresh == (0.0, None, None, 0, None)
    assert (state.attempt, state.worker_id, state.started_at) == (2, "w2", START + 5 * SECOND)


def test_a_failed_attempt_keeps_what_it_had_reached_until_the_next_one() -> None:
    state = given(SUBMITTED, STARTED, ProgressReported(percent=70), RETRIED).state
    assert (state.percent, state.error, state.due_at) == (70, ERROR, RETRIED.retry_at)


@pytest.mark.parametrize("attempt", [0, 1, 3])
@pytest.mark.parametrize("kind", ["report", "output", "renew", "complete", "fail", "acknowledge"])
def test_a_worker_whose_attempt_is_over_is_rejected(kind: str, attempt: int) -> None:
    commands: dict[str, Command] = {
        "report": ReportProgress(now=START, attempt=attempt, percent=50),
        "output": AppendOutput(now=START, attempt=attempt, index=0, chunk="x"),
        "renew": RenewLease(now=START, attempt=attempt, lease_until=END),
        "complete": Complete(now=START, attempt=attempt),
        "fail": FailAttempt(now=START, attempt=attempt, error=ERROR, retryable=True, jitter=0),
        "acknowledge": AcknowledgeCancel(now=START, attempt=attempt),
    }
    late = commands[kind]
    given(SUBMITTED, STARTED, RETRIED, SECOND_ATTEMPT).when(late).then_rejected(AttemptOver)
    given(SUBMITTED, STARTED, RETRIED, SECOND_ATTEMPT, ASKED).when(late).then_rejected(AttemptOver)


def test_progress_is_told_to_a_tenth_of_a_percent() -> None:
    report = ReportProgress(now=START, attempt=1, percent=33.3333, message="m", details={"rows": 1})
    given(SUBMITTED, STARTED).when(report).then(ProgressReported(percent=33.3, message="m", details={"rows": 1}))


def test_a_percent_below_the_last_one_counts_as_the_last_one() -> None:
    past = given(SUBMITTED, STARTED, ProgressReported(percent=60, message="a"))
    past.when(ReportProgress(now=START, attempt=1, percent=50, message="a")).then_nothing()
    past.when(ReportProgress(now=START, attempt=1, percent=50, message="b")).then(
        ProgressReported(percent=60, message="b")
    )


@pytest.mark.parametrize(("percent", "told"), [(100.04, 100), (1e9, 100), (10**400, 100), (-5, 60), (-1e9, 60)])
def test_a_percent_beyond_the_ends_counts_as_the_end(percent: float, told: float) -> None:
    report = ReportProgress(now=START, attempt=1, percent=percent, message="b")
    given(SUBMITTED, STARTED, ProgressReported(percent=60)).when(report).then(
        ProgressReported(percent=told, message="b")
    )


def test_empty_details_are_none() -> None:
    report = ReportProgress(now=START, attempt=1, percent=10, details={})
    given(SUBMITTED, STARTED).when(report).then(ProgressReported(percent=10))


def test_outputs_come_in_order_and_once() -> None:
    past = given(SUBMITTED, STARTED, OutputAppended(index=0, chunk="a"))
    past.when(AppendOutput(now=START, attempt=1, index=0, chunk="a")).then_nothing()
    past.when(AppendOutput(now=START, attempt=1, index=1, chunk="b")).then(OutputAppended(index=1, chunk="b"))
    past.when(AppendOutput(now=START, attempt=1, index=2, chunk="c")).then_rejected(AttemptOver, "output is missing")


def test_the_state_before_the_first_event_says_so() -> None:
    assert given().state is INITIAL
    assert INITIAL.snapshot() == {}
    assert INITIAL.public() == {"status": None, "attempt": 0, "percent": 0.0}
