"""Real logs: commands carried out through the queue, so that every event in a test was decided by the domain."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from adapters.aws import dynamodb, s3
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.request_queue import RequestQueue, Submission
from adapters.request_view import RequestView
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
)
from domain.events import Failure
from domain.recorded import Head, RecordedEvent
from tests.kit.clock import FakeClock
from tests.kit.raising import raising
from tests.kit.tables import Aws

LEASE: Final = timedelta(seconds=30)
STEP_S: Final = 0.125  # what each command lets pass
BROKEN: Final = Failure(code="ACTION_FAILED", message="It broke")


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose requests a test makes if it says nothing else."""

    tenant_id: str = "acme"
    user_id: str = "ann"


class Requests:
    """Submits requests and moves them on. Time goes on a little with each command; heads are remembered."""

    def __init__(self, aws: Aws, clock: FakeClock, retention_days: int = 7) -> None:
        client = dynamodb()
        self.events = EventStore(client, aws.tables["Events"])
        view = RequestView(client, aws.tables["Requests"], int(aws.environment["QUEUE_SHARDS"]), raising)
        self.queue = RequestQueue(
            self.events, view, Objects(s3, aws.payload_bucket), clock, timedelta(days=retention_days)
        )
        self._clock = clock
        self._heads: dict[str, Head] = {}

    def submit(self, whose: Whose = Whose(), action: str = "delay", **options: Any) -> str:
        """Take in a new request; its id."""
        self._clock.advance(STEP_S)
        submission = Submission(
            tenant_id=whose.tenant_id,
            user_id=whose.user_id,
            action=action,
            **{"payload": {"seconds": 1}, "max_attempts": 3, **options},
        )
        request_id = self.queue.request_id(submission)
        self._heads[request_id] = self.queue.enqueue(request_id, submission)[0]
        return request_id

    def execute(self, request_id: str, command: Command) -> Head:
        """Carry out any command; the head after it."""
        head = self._heads.get(request_id) or self.queue.get(request_id)
        self._heads[request_id] = self.queue.execute(command, head)
        return self._heads[request_id]

    def head(self, request_id: str) -> Head:
        """Where the log of a request ends, as far as this driver knows."""
        return self._heads[request_id]

    def log(self, request_id: str) -> list[RecordedEvent]:
        """The whole log of a request."""
        return list(self.events.read(request_id))

    def start(self, request_id: str, worker_id: str = "worker-1") -> Head:
        """Begin an attempt, as soon as the request is due; each attempt is a worker of its own."""
        state = self._heads[request_id].state
        self._clock.set(max(self._clock.advance(STEP_S), state.due_at))
        now = self._clock.now()
        name = f"{worker_id}/{state.attempt + 1}"
        return self.execute(request_id, Start(now=now, worker_id=name, lease_until=now + LEASE))

    def progress(self, request_id: str, percent: float, message: str | None = None) -> Head:
        """Report progress of the running attempt."""
        return self._report(request_id, ReportProgress, percent=percent, message=message)

    def output(self, request_id: str, chunk: Any) -> Head:
        """Append the next output."""
        index = self._heads[request_id].state.outputs
        return self._report(request_id, AppendOutput, index=index, chunk=chunk)

    def renew(self, request_id: str) -> Head:
        """Prolong the lease from now on."""
        return self._report(request_id, RenewLease, lease_until=self._clock.now() + 2 * LEASE)

    def complete(self, request_id: str, result: Any = None) -> Head:
        """End the request with a result."""
        return self._report(request_id, Complete, result={"done": True} if result is None else result)

    def fail(self, request_id: str, *, retryable: bool = True, error: Failure = BROKEN) -> Head:
        """End the attempt with an error."""
        jitter = self._clock.jitter()
        return self._report(request_id, FailAttempt, error=error, retryable=retryable, jitter=jitter)

    def lose_worker(self, request_id: str) -> Head:
        """Let the lease end and take the request away from its worker."""
        self._clock.set(max(self._clock.now(), self._heads[request_id].state.lease_until))
        return self.execute(request_id, ExpireLease(now=self._clock.now(), jitter=self._clock.jitter()))

    def cancel(self, request_id: str, by: str = "ann", reason: str | None = None) -> Head:
        """Ask to stop the request."""
        self._clock.advance(STEP_S)
        return self.execute(request_id, Cancel(now=self._clock.now(), by=by, reason=reason))

    def stop(self, request_id: str) -> Head:
        """Stop the running attempt as it was asked to."""
        return self._report(request_id, AcknowledgeCancel)

    def expire(self, request_id: str) -> Head:
        """Go to the end of the retention and end the request there."""
        self._clock.set(self._heads[request_id].state.expires_at)
        return self.execute(request_id, Expire(now=self._clock.now()))

    def _report(self, request_id: str, kind: type[Any], **fields: Any) -> Head:
        self._clock.advance(STEP_S)
        options: Mapping[str, Any] = {"now": self._clock.now(), "attempt": self._heads[request_id].state.attempt}
        return self.execute(request_id, kind(**options, **fields))
