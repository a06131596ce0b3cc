"""What has happened to a request before a test asks something of it."""

from datetime import timedelta

from domain.commands import (
    FailAttempt,
    Submit,
)
from domain.events import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Failure,
    RequestSubmitted,
)
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
