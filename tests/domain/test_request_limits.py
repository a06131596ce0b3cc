"""The rules of checkpoints and of a request's time, one sentence each."""

import pytest
from msgspec import structs
from msgspec.structs import replace

from domain.commands import (
    AcknowledgeCancel,
    Complete,
    Expire,
    ExpireLease,
    FailAttempt,
    ReportProgress,
    Start,
    Submit,
)
from domain.errors import AttemptOver
from domain.events import (
    AttemptFailed,
    Event,
    ProgressReported,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestSubmitted,
)
from domain.request import TIMED_OUT, decide
from domain.state import INITIAL
from tests.domain.past import (
    ASKED,
    END,
    ERROR,
    FAIL,
    LEASE,
    LOST,
    MS,
    RETRIED,
    SECOND,
    SECOND_ATTEMPT,
    STARTED,
    SUBMITTED,
)
from tests.spec import given
from tests.strategies import START

SAVED = ProgressReported(percent=40, message="m", checkpoint={"row": 4})


def test_a_checkpoint_goes_along_with_the_progress_and_stays_until_there_is_a_newer_one() -> None:
    past = given(SUBMITTED, STARTED, SAVED)
    past.when(ReportProgress(now=START, attempt=1, percent=50)).then(ProgressReported(percent=50))
    past.when(ReportProgress(now=START, attempt=1, percent=40, message="m", checkpoint={"row": 5})).then(
        ProgressReported(percent=40, message="m", checkpoint={"row": 5})
    )
    past.when(ReportProgress(now=START, attempt=1, percent=40, message="m", checkpoint={"row": 4})).then_nothing()
    assert given(SUBMITTED, STARTED, SAVED, ProgressReported(percent=50)).state.checkpoint == {"row": 4}


@pytest.mark.parametrize("lost", [RETRIED, structs.replace(RETRIED, error=LOST)])
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


TIMED = structs.replace(SUBMITTED, ends_by=START + 60 * SECOND)
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


def test_a_repeated_start_of_what_has_timed_out_changes_nothing() -> None:
    late = Start(now=START + 120 * SECOND, worker_id="w-1", lease_until=START + 180 * SECOND)
    given(TIMED).when(late).then(RequestFailed(error=TIMED_OUT))
    given(TIMED, RequestFailed(error=TIMED_OUT)).when(late).then_nothing()
