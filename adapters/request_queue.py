"""The request queue: the door to requests, over the log and the requests view.

What changes a request takes the head that the caller has, however old, and gives the new one; a repeat gives the same.

Errors, of everything here: InvalidValue, with the field's name, before anything is asked or written, when an argument
        is out of bounds; Unavailable when a service is out of order, or others were first four times over; Undecodable
        when what is stored cannot be read. Of what a worker does: AttemptOver when its attempt is not the one that
        runs, AlreadyFinal when the request has ended otherwise.
Source: decisions 1 (the log), 7 and 15 (whose turn it is), 10 (the contracts that hold it).
"""

from datetime import timedelta
from hashlib import sha256
from typing import Any

from adapters.claims import Claim, Claims
from adapters.clock import Clock, keyed_request_id
from adapters.event_store import EventStore
from adapters.objects import Objects, folder
from adapters.queue_index import Rotation
from adapters.request_log import NOBODY, RequestLog
from adapters.request_view import Page, RequestView
from adapters.tenant_slots import TenantSlots
from domain import exact_json
from domain.commands import (
    DEFAULT_RETRY,
    NOWHERE,
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
    RetryPolicy,
    Source,
    Submit,
)
from domain.errors import KeyReused
from domain.events import Failure, RequestCompleted, RequestSubmitted
from domain.instant import to_text
from domain.recorded import Head, Origin
from domain.state import Status
from domain.validity import Checked, checked
from projections.intents import Wake
from projections.turns import Turn


class Submission(Checked, frozen=True, kw_only=True):
    """What a client asks for, with whose it is."""

    tenant_id: str
    user_id: str
    action: str
    payload: Any
    max_attempts: int
    priority: int = 5
    delay: timedelta = timedelta(0)
    timeout: timedelta | None = None
    idempotency_key: str | None = None
    connection_id: str | None = None
    source_ip: str | None = None
    correlation_id: str = ""
    causation_id: str = ""
    retry_of: str | None = None
    metadata: dict[str, str] | None = None


class RequestQueue:
    """Requests: taken in, claimed, moved on and looked up."""

    def __init__(
        self,
        events: EventStore,
        view: RequestView,
        objects: Objects,
        clock: Clock,
        retention: timedelta,
        slots: TenantSlots | None = None,
    ) -> None:
        self._events = events
        self._log = RequestLog(events, clock, slots)
        self._slots = slots
        self._view = view
        self._objects = objects
        self._clock = clock
        self._retention = retention
        self._claims = Claims(events, self._log, view, clock)

    def request_id(self, submission: Submission) -> str:
        """The id that a submission gets: a new one, or the one that its idempotency key always has."""
        key = submission.idempotency_key
        if key is None:
            return self._clock.request_id()
        return keyed_request_id(submission.tenant_id, submission.user_id, key)

    @checked
    def enqueue(self, request_id: str, submission: Submission) -> tuple[Head, bool]:
        """Take the request in; tells its head and whether it was there before.

        Errors: KeyReused when its key is of another action or payload, or of a request that has expired;
                PayloadTooLarge beyond 4 MiB of JSON.
        """
        if submission.idempotency_key is not None and self._events.head(request_id).is_over(self._clock.now()):
            raise KeyReused("the key's earlier request has expired; use another key")
        digest = _digest(submission.action, submission.payload)
        payload, reference = self._objects.store_large(
            f"{folder(submission.tenant_id, submission.user_id)}{request_id}/payload-{digest}.json", submission.payload
        )
        command = Submit(
            now=self._clock.now(),
            action=submission.action,
            digest=digest,
            payload=payload,
            payload_ref=reference,
            priority=submission.priority,
            delay=submission.delay,
            max_attempts=submission.max_attempts,
            timeout=submission.timeout,
            retention=self._retention,
            connection_id=submission.connection_id,
            source_ip=submission.source_ip,
            idempotency_key=submission.idempotency_key,
            retry_of=submission.retry_of,
            metadata=submission.metadata,
        )
        # A new id needs no read: the put itself finds out whether the request is there.
        head, is_new = self._log.execute(command, Head(request_id, origin=_origin(submission)))
        return head, not is_new

    def get(self, request_id: str) -> Head:
        """The request as it is now; version 0 when there is none, or what is left of it is kept no longer."""
        head = self._events.head(request_id)
        return Head(request_id) if head.is_over(self._clock.now()) else head

    def execute(self, command: Command, head: Head) -> Head:
        """Carry out any command."""
        return self._log.execute(command, head)[0]

    def cancel(self, head: Head, by: str, reason: str | None, source: Source = NOWHERE) -> Head:
        """Stop a request, at once or as soon as its worker notices: when it next writes, at the latest with its lease.

        Errors: NotFound when there is none, AlreadyFinal when it has ended otherwise.
        """
        command = Cancel(now=self._clock.now(), by=by, reason=reason, source=source)
        return self._log.execute(command, head, source.causation_id)[0]

    def report_progress(
        self,
        head: Head,
        attempt: int,
        percent: float,
        message: str | None,
        details: dict[str, Any] | None,
        checkpoint: Any = None,
    ) -> Head:
        """Tell how far the attempt is, and what the next one may go on from.

        Units: percent from 0 to 100, less than was told before counts as that; checkpoint up to 512 bytes of JSON.
        """
        command = ReportProgress(
            now=self._clock.now(),
            attempt=attempt,
            percent=percent,
            message=message,
            details=details,
            checkpoint=checkpoint,
        )
        return self.execute(command, head)

    def append_output(self, head: Head, attempt: int, index: int, chunk: Any) -> Head:
        """Add the chunk with this index, from 0, to the attempt's output; one that is there already stays as it is.

        Units: up to 16 KiB of JSON.
        Errors: AttemptOver when a chunk before it is missing.
        """
        return self.execute(AppendOutput(now=self._clock.now(), attempt=attempt, index=index, chunk=chunk), head)

    def renew_lease(self, head: Head, attempt: int, lease: timedelta) -> Head:
        """Keep the request for another lease."""
        now = self._clock.now()
        return self.execute(RenewLease(now=now, attempt=attempt, lease_until=now + lease), head)

    @checked
    def complete(self, head: Head, attempt: int, result: Any) -> Head:
        """End a request with its result; a large one goes to the bucket first.

        Errors: PayloadTooLarge beyond 4 MiB of JSON.
        """
        origin = head.origin or NOBODY
        key = f"{folder(origin.tenant_id, origin.user_id)}{head.request_id}/result-{attempt}.json"
        inline, reference = self._objects.store_large(key, result)
        command = Complete(now=self._clock.now(), attempt=attempt, result=inline, result_ref=reference)
        return self.execute(command, head)

    def fail(
        self,
        head: Head,
        attempt: int,
        error: Failure,
        *,
        retryable: bool,
        policy: RetryPolicy = DEFAULT_RETRY,
        after: timedelta | None = None,
    ) -> Head:
        """End the attempt with an error; it is tried again if that may help and attempts are left."""
        command = FailAttempt(
            now=self._clock.now(),
            attempt=attempt,
            error=error,
            retryable=retryable,
            jitter=self._clock.jitter(),
            policy=policy,
            after=after,
        )
        return self.execute(command, head)

    def acknowledge_cancel(self, head: Head, attempt: int, by: str | None = None, reason: str | None = None) -> Head:
        """Stop the attempt as it was asked to, or because its action gave it up."""
        return self.execute(AcknowledgeCancel(now=self._clock.now(), attempt=attempt, by=by, reason=reason), head)

    def expire_lease(self, head: Head, policy: RetryPolicy) -> Head:
        """End the attempt if its worker was silent for longer than its lease."""
        return self.execute(ExpireLease(now=self._clock.now(), jitter=self._clock.jitter(), policy=policy), head)

    def expire(self, request_id: str) -> bool:
        """End the request if its time is over or its retention is about to be; tells whether it did."""
        return self._log.execute(Expire(now=self._clock.now()), self._events.head(request_id))[1]

    def payload(self, submitted: RequestSubmitted) -> Any:
        """What a request was submitted with, wherever it is kept."""
        return self._objects.load(submitted.payload, submitted.payload_ref)

    def result(self, head: Head) -> Any:
        """The result of a completed request, wherever it is kept; None for one that has none."""
        return self._objects.load(*self.kept_result(head))

    def kept_result(self, head: Head) -> tuple[Any, str | None]:
        """The result of a completed request itself, or the key of the object that holds it."""
        if head.state.status is not Status.COMPLETED:
            return None, None
        event = self._events.get(head.request_id, head.version).event()
        return (event.result, event.result_ref) if isinstance(event, RequestCompleted) else (None, None)

    def claim(
        self, hint: Wake | None, worker_id: str, lease: timedelta, rotation: Rotation | None = None
    ) -> Claim | None:
        """Start the request whose turn it is: tenants in rotation, within one the highest priority, then the oldest.

        None when there is none. The hint is what the token says: it counts although the index may not show it yet.
        The rotation is what the worker remembers between its claims.
        """
        return self._claims.start_next(hint, worker_id, lease, rotation or Rotation())

    def next_of(self, tenant_id: str) -> Wake | None:
        """The request that takes the slot which one of the tenant's has given back; None when there are no slots."""
        return self._view.queue.next_of(tenant_id, to_text(self._clock.now())) if self._slots else None

    def free_stale_slots(self, tenant_id: str) -> int:
        """Free the slots of requests that do not run, and tell how many: left from a time without a limit."""
        heads = [self._events.head(request_id) for request_id in self._slots.taken(tenant_id)] if self._slots else []
        stale = [head for head in heads if head.state.status is not Status.PROCESSING]
        return sum(self._slots.give_back(tenant_id, head) for head in stale) if self._slots else 0

    def list_by_connection(self, connection_id: str, limit: int, cursor: str | None = None) -> Page:
        """The requests submitted over a connection, newest first."""
        return self._view.by_connection(connection_id, self._clock.now(), limit, cursor)

    def list_by_user(self, tenant_id: str, user_id: str, limit: int, cursor: str | None, status: Status | None) -> Page:
        """A user's requests, newest first."""
        return self._view.by_user(tenant_id, user_id, self._clock.now(), limit, cursor, status)

    def list_by_tenant(self, tenant_id: str, limit: int, cursor: str | None, status: Status | None) -> Page:
        """A tenant's requests, newest first."""
        return self._view.by_tenant(tenant_id, self._clock.now(), limit, cursor, status)

    def list_by_status(self, status: Status, limit: int, cursor: str | None = None) -> Page:
        """The requests of every tenant in a status: queued ones in the order they will run."""
        return self._view.by_status(status, self._clock.now(), limit, cursor)

    def position(self, head: Head) -> int | None:
        """How many of its tenant's requests are ahead of one that may run; None for one that does not wait its turn."""
        turn = Turn.of(head.state, head.origin.tenant_id) if head.origin else None
        return self._view.queue.ahead_of(turn) if turn and turn.is_ready else None


def _origin(submission: Submission) -> Origin:
    return Origin(submission.tenant_id, submission.user_id, submission.correlation_id, submission.causation_id)


def _digest(action: str, payload: Any) -> str:
    """What tells a request from another one under the same idempotency key: 64 bits of SHA-256."""
    return sha256(exact_json.encode([action, payload], sort_keys=True).encode()).hexdigest()[:16]
