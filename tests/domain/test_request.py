"""The rules of a request, one sentence each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.commands import (
    AcknowledgeCancel,
    AppendOutput,
    Cancel,
    Command,
    Complete,
    Expire,
    ExpireLease,
    FailAttempt,
    RenewLease,
    ReportProgress,
    Start,
    Submit,
)
from domain.errors import AlreadyFinal, AttemptOver, KeyReused, NotFound, NotRunnable
from domain.events import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Event,
    Failure,
    LeaseRenewed,
    OutputAppended,
    ProgressReported,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestSubmitted,
)
from domain.request import EXPIRY_MARGIN, LONGEST_WAIT, TIMED_OUT, decide
from domain.state import INITIAL
from tests.spec import given
from tests.strategies import START

SECOND = timedelta(seconds=1)
MS = timedelta(milliseconds=1)
LEASE = START + 30 * SECOND
END = START + timedelta(days=7)
ERROR = Failure(code="RETRY", message="try again")
LOST = Failure(code="LEASE_EXPIRED", message="The worker was lost")
KEPT = Failure(code="EXPIRED", message="Kept as long as it may be")

SUBMIT = Submit(now=START, action="echo", digest="d", payload={"n": 1})
SUBMITTED = RequestSubmitted(action="echo", digest="d", payload={"n": 1}, due_at=START, expires_at=END)
STARTED = AttemptStarted(attempt=1, worker_id="w", lease_until=LEASE)
RETRIED = AttemptFailed(attempt=1, error=ERROR, retry_at=START + 60 * SECOND)
SECOND_ATTEMPT = AttemptStarted(attempt=2, worker_id="w2", lease_until=LEASE)
ASKED = CancelRequested(by="ann", reason="too slow")
FAIL = FailAttempt(now=START, attempt=1, error=ERROR, retryable=True, jitter=0.5)


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
    past = given(SUBMITTED.model_copy(update={"due_at": START + SECOND}))
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


@pytest.mark.parametrize(("percent", "told"), [(100.04, 100), (1e9, 100), (float("inf"), 100), (-5, 60), (-1e9, 60)])
def test_a_percent_beyond_the_ends_counts_as_the_end(percent: float, told: float) -> None:
    report = ReportProgress(now=START, attempt=1, percent=percent, message="b")
    given(SUBMITTED, STARTED, ProgressReported(percent=60)).when(report).then(
        ProgressReported(percent=told, message="b")
    )


def test_a_percent_that_is_no_number_counts_as_the_last_one() -> None:
    report = ReportProgress(now=START, attempt=1, percent=float("nan"))
    given(SUBMITTED, STARTED, ProgressReported(percent=60)).when(report).then_nothing()


def test_empty_details_are_none() -> None:
    report = ReportProgress(now=START, attempt=1, percent=10, details={})
    given(SUBMITTED, STARTED).when(report).then(ProgressReported(percent=10))


def test_outputs_come_in_order_and_once() -> None:
    past = given(SUBMITTED, STARTED, OutputAppended(index=0, chunk="a"))
    past.when(AppendOutput(now=START, attempt=1, index=0, chunk="a")).then_nothing()
    past.when(AppendOutput(now=START, attempt=1, index=1, chunk="b")).then(OutputAppended(index=1, chunk="b"))
    past.when(AppendOutput(now=START, attempt=1, index=2, chunk="c")).then_rejected(AttemptOver, "output is missing")


def test_a_lease_only_grows() -> None:
    past = given(SUBMITTED, STARTED)
    past.when(RenewLease(now=START, attempt=1, lease_until=LEASE)).then_nothing()
    past.when(RenewLease(now=START, attempt=1, lease_until=LEASE - MS)).then_nothing()
    past.when(RenewLease(now=START, attempt=1, lease_until=LEASE + MS)).then(LeaseRenewed(lease_until=LEASE + MS))


def test_a_lease_that_is_over_ends_the_attempt_and_not_a_moment_before() -> None:
    past = given(SUBMITTED, STARTED)
    past.when(ExpireLease(now=LEASE - MS, jitter=0)).then_nothing()
    past.when(ExpireLease(now=LEASE, jitter=1)).then(AttemptFailed(attempt=1, error=LOST, retry_at=LEASE + 2 * SECOND))


def test_a_renewed_lease_counts_from_its_new_end() -> None:
    past = given(SUBMITTED, STARTED, LeaseRenewed(lease_until=LEASE + SECOND))
    past.when(ExpireLease(now=LEASE, jitter=0)).then_nothing()
    past.when(ExpireLease(now=LEASE + SECOND, jitter=0)).then(
        AttemptFailed(attempt=1, error=LOST, retry_at=LEASE + SECOND)
    )


def test_a_lost_worker_that_was_asked_to_stop_leaves_a_cancelled_request() -> None:
    given(SUBMITTED, STARTED, ASKED).when(ExpireLease(now=LEASE, jitter=0)).then(
        RequestCancelled(by="ann", reason="too slow")
    )


def test_a_completed_request_has_its_result_and_all_of_its_percent() -> None:
    given(SUBMITTED, STARTED).when(Complete(now=START, attempt=1, result={"a": 1})).then(
        RequestCompleted(result={"a": 1})
    )
    given(SUBMITTED, STARTED).when(Complete(now=START, attempt=1, result_ref="k")).then(
        RequestCompleted(result_ref="k")
    )
    assert given(SUBMITTED, STARTED, ProgressReported(percent=5), RequestCompleted()).state.percent == 100


def test_a_worker_that_finishes_in_spite_of_a_cancel_has_completed() -> None:
    given(SUBMITTED, STARTED, ASKED).when(Complete(now=START, attempt=1, result=1)).then(RequestCompleted(result=1))


def test_a_failed_attempt_is_retried_after_its_delay_while_attempts_are_left() -> None:
    given(SUBMITTED, STARTED).when(FAIL).then(AttemptFailed(attempt=1, error=ERROR, retry_at=START + SECOND))


def test_an_action_may_say_when_to_try_again_even_at_once() -> None:
    for after in (timedelta(0), timedelta(hours=1)):
        fail = FailAttempt(now=START, attempt=1, error=ERROR, retryable=True, jitter=1, after=after)
        given(SUBMITTED, STARTED).when(fail).then(AttemptFailed(attempt=1, error=ERROR, retry_at=START + after))


def test_a_wait_that_makes_no_sense_is_brought_into_its_bounds() -> None:
    lasting = SUBMITTED.model_copy(update={"expires_at": START + timedelta(days=30)})
    for after, wait in ((timedelta(days=-1), timedelta(0)), (timedelta.max, LONGEST_WAIT)):
        fail = FailAttempt(now=START, attempt=1, error=ERROR, retryable=True, jitter=1, after=after)
        given(lasting, STARTED).when(fail).then(AttemptFailed(attempt=1, error=ERROR, retry_at=START + wait))


def test_a_retry_that_would_come_after_the_retention_is_none() -> None:
    late = SUBMITTED.expires_at - EXPIRY_MARGIN - START
    for after, event in (
        (late - SECOND, AttemptFailed(attempt=1, error=ERROR, retry_at=START + late - SECOND)),
        (late, RequestFailed(error=ERROR)),
    ):
        fail = FailAttempt(now=START, attempt=1, error=ERROR, retryable=True, jitter=1, after=after)
        given(SUBMITTED, STARTED).when(fail).then(event)


def test_an_attempt_that_no_retry_would_help_fails_the_request() -> None:
    hopeless = FailAttempt(now=START, attempt=1, error=ERROR, retryable=False, jitter=0)
    given(SUBMITTED, STARTED).when(hopeless).then(RequestFailed(error=ERROR))


def test_the_last_attempt_fails_the_request() -> None:
    twice = SUBMITTED.model_copy(update={"max_attempts": 2})
    past = given(twice, STARTED, RETRIED, SECOND_ATTEMPT)
    past.when(FailAttempt(now=START, attempt=2, error=ERROR, retryable=True, jitter=0)).then(RequestFailed(error=ERROR))
    past.when(ExpireLease(now=LEASE, jitter=0)).then(RequestFailed(error=LOST))


def test_a_waiting_request_is_cancelled_at_once() -> None:
    cancel = Cancel(now=START, by="ann", reason="no need")
    for past in (given(SUBMITTED), given(SUBMITTED, STARTED, RETRIED)):
        past.when(cancel).then(RequestCancelled(by="ann", reason="no need"))


def test_a_running_request_is_asked_to_stop_and_its_worker_says_when() -> None:
    given(SUBMITTED, STARTED).when(Cancel(now=START, by="ann", reason="too slow")).then(ASKED)
    stopped = AcknowledgeCancel(now=START, attempt=1)
    given(SUBMITTED, STARTED, ASKED).when(stopped).then(RequestCancelled(by="ann", reason="too slow"))
    given(SUBMITTED, STARTED).when(stopped).then_rejected(AttemptOver, "nobody asked")


def test_a_second_cancel_changes_nothing() -> None:
    cancel = Cancel(now=START, by="bob")
    given(SUBMITTED, STARTED, ASKED).when(cancel).then_nothing()
    given(SUBMITTED, RequestCancelled(by="ann")).when(cancel).then_nothing()
    given(SUBMITTED, STARTED, RequestCompleted()).when(cancel).then_rejected(AlreadyFinal)


def test_a_worker_that_fails_after_a_cancel_leaves_a_request_cancelled_as_asked() -> None:
    for retryable in (True, False):
        fail = FailAttempt(now=START, attempt=1, error=ERROR, retryable=retryable, jitter=0)
        given(SUBMITTED, STARTED, ASKED).when(fail).then(RequestCancelled(by="ann", reason="too slow"))


def test_a_request_whose_retention_ends_fails_first() -> None:
    near = END - EXPIRY_MARGIN
    for past in (given(SUBMITTED), given(SUBMITTED, STARTED), given(SUBMITTED, STARTED, RETRIED)):
        past.when(Expire(now=near - MS)).then_nothing()
        past.when(Expire(now=near)).then(RequestFailed(error=KEPT))
    given(SUBMITTED, RequestCancelled(by="ann")).when(Expire(now=END)).then_nothing()


def test_the_state_before_the_first_event_says_so() -> None:
    assert given().state is INITIAL
    assert INITIAL.snapshot() == {}
    assert INITIAL.public() == {"status": None, "attempt": 0, "percent": 0.0}


SAVED = ProgressReported(percent=40, message="m", checkpoint={"row": 4})


def test_a_checkpoint_goes_along_with_the_progress_and_stays_until_there_is_a_newer_one() -> None:
    past = given(SUBMITTED, STARTED, SAVED)
    past.when(ReportProgress(now=START, attempt=1, percent=50)).then(ProgressReported(percent=50))
    past.when(ReportProgress(now=START, attempt=1, percent=40, message="m", checkpoint={"row": 5})).then(
        ProgressReported(percent=40, message="m", checkpoint={"row": 5})
    )
    past.when(ReportProgress(now=START, attempt=1, percent=40, message="m", checkpoint={"row": 4})).then_nothing()
    assert given(SUBMITTED, STARTED, SAVED, ProgressReported(percent=50)).state.checkpoint == {"row": 4}


@pytest.mark.parametrize("lost", [RETRIED, RETRIED.model_copy(update={"error": LOST})])
def test_the_next_attempt_has_the_checkpoint_of_the_last_one_however_that_ended(lost: AttemptFailed) -> None:
    state = given(SUBMITTED, STARTED, SAVED, lost, SECOND_ATTEMPT).state
    assert (state.percent, state.checkpoint) == (0.0, {"row": 4})


@pytest.mark.parametrize("end", [RequestCompleted(), RequestFailed(error=ERROR), RequestCancelled(by="ann")])
def test_a_request_that_has_ended_keeps_no_checkpoint(end: Event) -> None:
    assert given(SUBMITTED, STARTED, SAVED, end).state.checkpoint is None


def test_a_checkpoint_is_nothing_for_clients() -> None:
    state = given(SUBMITTED, STARTED, SAVED).state
    assert state.snapshot()["checkpoint"] == {"row": 4}
    assert "checkpoint" not in state.public()


def test_an_action_may_end_its_request_as_cancelled_though_nobody_asked() -> None:
    given_up = AcknowledgeCancel(now=START, attempt=1, by="action echo", reason="sold out")
    given(SUBMITTED, STARTED).when(given_up).then(RequestCancelled(by="action echo", reason="sold out"))
    given(SUBMITTED, STARTED, ASKED).when(given_up).then(RequestCancelled(by="ann", reason="too slow"))
    given(SUBMITTED, STARTED, RETRIED, SECOND_ATTEMPT).when(given_up).then_rejected(AttemptOver)


TIMED = SUBMITTED.model_copy(update={"ends_by": START + 60 * SECOND})
OVER = START + 60 * SECOND


def test_a_timeout_counts_from_when_the_request_is_due() -> None:
    submit = Submit(now=START, action="echo", digest="d", delay=10 * SECOND, timeout=60 * SECOND)
    (event,) = decide(submit, INITIAL)
    assert isinstance(event, RequestSubmitted)
    assert (event.due_at, event.ends_by) == (START + 10 * SECOND, START + 70 * SECOND)


@pytest.mark.parametrize("past", [given(TIMED), given(TIMED, STARTED, RETRIED)])
def test_a_request_whose_time_is_over_ends_instead_of_starting(past: given) -> None:
    past.when(Start(now=OVER, worker_id="w2", lease_until=END)).then(RequestFailed(error=TIMED_OUT))
    past.when(Expire(now=OVER - MS)).then_nothing()
    past.when(Expire(now=OVER)).then(RequestFailed(error=TIMED_OUT))
    assert TIMED_OUT.code == "TIMEOUT"


def test_a_request_in_time_starts_and_its_late_worker_may_still_complete_it() -> None:
    given(TIMED).when(Start(now=OVER - MS, worker_id="w", lease_until=LEASE)).then(STARTED)
    given(TIMED, STARTED).when(Complete(now=OVER, attempt=1, result=1)).then(RequestCompleted(result=1))


def test_an_attempt_that_fails_when_the_time_is_over_is_the_last_one() -> None:
    late = FailAttempt(now=OVER, attempt=1, error=ERROR, retryable=True, jitter=0)
    given(TIMED, STARTED).when(late).then(RequestFailed(error=TIMED_OUT))
    given(TIMED, STARTED).when(replace(late, retryable=False)).then(RequestFailed(error=ERROR))
    given(TIMED, STARTED).when(ExpireLease(now=OVER, jitter=0)).then(RequestFailed(error=TIMED_OUT))
    given(TIMED, STARTED, ASKED).when(late).then(RequestCancelled(by="ann", reason="too slow"))


def test_a_retry_that_would_come_when_the_time_is_over_is_none() -> None:
    for after, event in (
        (60 * SECOND - MS, AttemptFailed(attempt=1, error=ERROR, retry_at=OVER - MS)),
        (60 * SECOND, RequestFailed(error=ERROR)),
    ):
        given(TIMED, STARTED).when(replace(FAIL, after=after)).then(event)
