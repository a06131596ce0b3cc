"""The rules of how attempts and requests end, one sentence each."""

from datetime import timedelta

from msgspec import structs

from domain.commands import (
    AcknowledgeCancel,
    Cancel,
    Complete,
    Expire,
    ExpireLease,
    FailAttempt,
    RenewLease,
)
from domain.errors import AlreadyFinal, AttemptOver
from domain.events import (
    AttemptFailed,
    LeaseRenewed,
    ProgressReported,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
)
from domain.request import EXPIRY_MARGIN, LONGEST_WAIT
from tests.domain.past import (
    ASKED,
    END,
    ERROR,
    FAIL,
    KEPT,
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
    lasting = structs.replace(SUBMITTED, expires_at=START + timedelta(days=30))
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
    twice = structs.replace(SUBMITTED, max_attempts=2)
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
