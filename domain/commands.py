"""What can be asked of a request. Time, ids and randomness come in with the command; nothing here looks them up.

A command is valid, or cannot be made; what a `Submit` carries is checked with the submission that it comes from.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from domain.events import Failure
from domain.validity import Checked

DEFAULT_RETENTION: Final = timedelta(days=7)


class Source(Checked, frozen=True):
    """Where a user's frame came from: the connection, its address, and the id under which the platform took it in."""

    connection_id: str | None = None
    source_ip: str | None = None
    causation_id: str = ""


NOWHERE: Final = Source()


class Submit(Struct, frozen=True, kw_only=True):
    """Take the request in. `digest` tells a repeat from another request under the same idempotency key.

    With a timeout it has to end within it, counted from when it is due.
    """

    now: datetime
    action: str
    digest: str
    payload: Any = None
    payload_ref: str | None = None
    priority: int = 5
    delay: timedelta = timedelta(0)
    max_attempts: int = 3
    timeout: timedelta | None = None
    retention: timedelta = DEFAULT_RETENTION
    connection_id: str | None = None
    source_ip: str | None = None
    idempotency_key: str | None = None
    retry_of: str | None = None
    metadata: dict[str, str] | None = None


class Start(Checked, frozen=True, kw_only=True):
    """Begin an attempt. A worker id stands for one claim, so a repeat is recognised by it.

    A request whose time is over ends instead.
    """

    now: datetime
    worker_id: str
    lease_until: datetime


class ReportProgress(Checked, frozen=True, kw_only=True):
    """Tell how far the attempt is; a percent below the last one counts as the last one, one above 100 as 100.

    The checkpoint is what the next attempt may go on from; without one, the last one stays.
    """

    now: datetime
    attempt: int
    percent: float
    message: str | None = None
    details: dict[str, Any] | None = None
    checkpoint: Any = None


class AppendOutput(Checked, frozen=True, kw_only=True):
    """Add the chunk with this index to the attempt's output."""

    now: datetime
    attempt: int
    index: int
    chunk: Any


class RenewLease(Checked, frozen=True, kw_only=True):
    """Keep the request until `lease_until`."""

    now: datetime
    attempt: int
    lease_until: datetime


class Complete(Checked, frozen=True, kw_only=True):
    """End the request with its result."""

    now: datetime
    attempt: int
    result: Any = None
    result_ref: str | None = None


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Exponential back-off with full jitter: a delay between 0 and min(cap, base * 2 ** (attempt - 1))."""

    base: timedelta = timedelta(seconds=2)
    cap: timedelta = timedelta(minutes=5)

    def delay(self, attempt: int, jitter: float) -> timedelta:
        """The wait after a failed attempt; jitter is a random number in [0, 1]."""
        doublings = min(attempt - 1, 30)
        return min(self.cap, self.base * (1 << doublings)) * jitter


DEFAULT_RETRY: Final = RetryPolicy()


class FailAttempt(Checked, frozen=True, kw_only=True):
    """End the attempt with an error. `after` overrides the policy's delay."""

    now: datetime
    attempt: int
    error: Failure
    retryable: bool
    jitter: float
    policy: RetryPolicy = DEFAULT_RETRY
    after: timedelta | None = None


class ExpireLease(Checked, frozen=True, kw_only=True):
    """End the attempt if its lease is over: its worker was lost."""

    now: datetime
    jitter: float
    policy: RetryPolicy = DEFAULT_RETRY


class Cancel(Checked, frozen=True, kw_only=True):
    """Stop the request: at once if it waits, at its worker's next report if it runs."""

    now: datetime
    by: str
    reason: str | None = None
    source: Source = NOWHERE


class AcknowledgeCancel(Checked, frozen=True, kw_only=True):
    """The worker has stopped: as asked, or because the action found that nobody needs it, and then it says by whom."""

    now: datetime
    attempt: int
    by: str | None = None
    reason: str | None = None


class Expire(Checked, frozen=True, kw_only=True):
    """End the request if its time is over or its retention is about to be: nothing goes without a final event."""

    now: datetime


WorkerCommand = ReportProgress | AppendOutput | RenewLease | Complete | FailAttempt | AcknowledgeCancel
Command = Submit | Start | WorkerCommand | ExpireLease | Cancel | Expire
