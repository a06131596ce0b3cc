"""The request aggregate: every rule about what may happen to a request is in this file.

Theory of operation. A request's past is its events; `evolve` folds them into a `RequestState`. `decide` answers a
command with the events that follow from it, given that state: one, or none when the command repeats what already
happened. What the rules forbid raises a `Rejected` error and changes nothing. Both are pure.

`TRANSITIONS` is the whole life of a request. `decide` may only answer with an event that has a row for the present
status, and `evolve` takes the next status from there, so the table, the code and the diagram in the README agree.

Fencing: a worker's commands carry the number of its attempt. `Start` gives out the next number, so a worker that
comes back late has an old one and is rejected.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, Final, NamedTuple, assert_never

from msgspec.structs import replace

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
    WorkerCommand,
)
from domain.errors import AlreadyFinal, AttemptOver, ErrorCode, KeyReused, NotFound, NotRunnable, Undecodable
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
from domain.instant import to_instant
from domain.state import FINAL, INITIAL, RequestState, Status

LEASE_EXPIRED: Final = "LEASE_EXPIRED"
EXPIRED: Final = "EXPIRED"
TIMED_OUT: Final = Failure(code=ErrorCode.TIMEOUT, message="It did not end in the time it was given")
EXPIRY_MARGIN: Final = timedelta(hours=1)
LONGEST_WAIT: Final = timedelta(days=7)


class Transition(NamedTuple):
    """In this status, this command may lead to this event and so to the next status."""

    status: Status | None
    command: type
    event: type[Event]
    next: Status


S: Final = Status
TRANSITIONS: Final = (
    Transition(None, Submit, RequestSubmitted, S.PENDING),
    Transition(S.PENDING, Start, AttemptStarted, S.PROCESSING),
    Transition(S.RETRYING, Start, AttemptStarted, S.PROCESSING),
    Transition(S.PROCESSING, ReportProgress, ProgressReported, S.PROCESSING),
    Transition(S.PROCESSING, AppendOutput, OutputAppended, S.PROCESSING),
    Transition(S.PROCESSING, RenewLease, LeaseRenewed, S.PROCESSING),
    Transition(S.PROCESSING, Complete, RequestCompleted, S.COMPLETED),
    Transition(S.PROCESSING, FailAttempt, AttemptFailed, S.RETRYING),
    Transition(S.PROCESSING, FailAttempt, RequestFailed, S.FAILED),
    Transition(S.PROCESSING, FailAttempt, RequestCancelled, S.CANCELLED),
    Transition(S.PROCESSING, ExpireLease, AttemptFailed, S.RETRYING),
    Transition(S.PROCESSING, ExpireLease, RequestFailed, S.FAILED),
    Transition(S.PROCESSING, ExpireLease, RequestCancelled, S.CANCELLED),
    Transition(S.PENDING, Cancel, RequestCancelled, S.CANCELLED),
    Transition(S.RETRYING, Cancel, RequestCancelled, S.CANCELLED),
    Transition(S.PROCESSING, Cancel, CancelRequested, S.PROCESSING),
    Transition(S.PROCESSING, AcknowledgeCancel, RequestCancelled, S.CANCELLED),
    Transition(S.PENDING, Expire, RequestFailed, S.FAILED),
    Transition(S.RETRYING, Expire, RequestFailed, S.FAILED),
    Transition(S.PROCESSING, Expire, RequestFailed, S.FAILED),
    Transition(S.PENDING, Start, RequestFailed, S.FAILED),
    Transition(S.RETRYING, Start, RequestFailed, S.FAILED),
)
_NEXT: Final = {(row.status, row.event): row.next for row in TRANSITIONS}


def decide(command: Command, state: RequestState) -> list[Event]:
    """What follows from a command, given the past: one event, or none for a repeat."""
    match command:
        case Submit():
            return _submit(command, state)
        case _ if state.status is None:
            raise NotFound
        case Start():
            return _start(command, state)
        case Cancel():
            return _cancel(command, state)
        case ExpireLease():
            lost = state.status is S.PROCESSING and command.now >= state.lease_until
            return [_attempt_lost(command, state)] if lost else []
        case Expire():
            return _expire(command, state)
        case ReportProgress() | AppendOutput() | RenewLease() | Complete() | FailAttempt() | AcknowledgeCancel():
            return [] if _ended_by(command, state) else _decide_running(command, _running(command, state))
        case _:
            assert_never(command)


def evolve(state: RequestState, event: Event, at: datetime) -> RequestState:
    """The state after one more event that happened at an instant; Undecodable when the table has no row for it."""
    status = _NEXT.get((state.status, type(event)))
    if status is None:
        raise Undecodable("no transition", status=state.status, event=event.type)
    changes = _changes(event, at)
    changes["status"] = status
    changes["updated_at"] = at
    if status in FINAL:
        changes["checkpoint"] = None  # nobody goes on after a final event
    return replace(state, **changes)


def _changes(event: Event, at: datetime) -> dict[str, Any]:
    """What an event changes in the state, besides its status and when it was last changed."""
    match event:
        case ProgressReported():  # first, for most events are progress
            told = {"percent": event.percent, "message": event.message, "details": event.details}
            if event.checkpoint is not None:
                told["checkpoint"] = event.checkpoint
            return told
        case RequestSubmitted():
            return {
                "action": event.action,
                "digest": event.digest,
                "priority": event.priority,
                "max_attempts": event.max_attempts,
                "submitted_at": at,
                "due_at": event.due_at,
                "expires_at": event.expires_at,
                "ends_by": event.ends_by,
            }
        case AttemptStarted():
            return {
                "attempt": event.attempt,
                "worker_id": event.worker_id,
                "lease_until": event.lease_until,
                "started_at": at,
                "percent": 0.0,
                "message": None,
                "details": None,
                "outputs": 0,
                "error": None,
            }
        case OutputAppended():
            return {"outputs": event.index + 1}
        case LeaseRenewed():
            return {"lease_until": event.lease_until}
        case RequestCompleted():
            return {"percent": 100.0}
        case AttemptFailed():
            return {"error": event.error, "due_at": event.retry_at}
        case RequestFailed():
            return {"error": event.error}
        case CancelRequested():
            return {"cancel_requested": True, "cancel_by": event.by, "cancel_reason": event.reason}
        case _:
            return {}


def fold(events: Iterable[tuple[Event, datetime]], state: RequestState = INITIAL) -> RequestState:
    """The state after all of the events, each with the instant it happened at."""
    return reduce(lambda past, recorded: evolve(past, *recorded), events, state)


def _submit(command: Submit, state: RequestState) -> list[Event]:
    if state.status is not None:
        if state.digest != command.digest:
            raise KeyReused
        return []
    due_at = to_instant(command.now + command.delay)
    return [
        RequestSubmitted(
            action=command.action,
            payload=command.payload,
            payload_ref=command.payload_ref,
            digest=command.digest,
            priority=command.priority,
            due_at=due_at,
            max_attempts=command.max_attempts,
            expires_at=to_instant(due_at + command.retention),
            ends_by=None if command.timeout is None else to_instant(due_at + command.timeout),
            connection_id=command.connection_id,
            source_ip=command.source_ip,
            idempotency_key=command.idempotency_key,
            retry_of=command.retry_of,
            metadata=command.metadata,
        )
    ]


def _start(command: Start, state: RequestState) -> list[Event]:
    if state.error == TIMED_OUT and state.is_timed_out(command.now):
        return []  # it has ended for that already
    if state.is_final:
        raise AlreadyFinal(status=state.status)
    if state.status is S.PROCESSING:
        if state.worker_id == command.worker_id:
            return []
        raise NotRunnable("another worker has it", attempt=state.attempt)
    if command.now < state.due_at:
        raise NotRunnable("not due yet", due_at=state.due_at)
    if state.is_timed_out(command.now):
        return [RequestFailed(error=TIMED_OUT)]
    return [
        AttemptStarted(attempt=state.attempt + 1, worker_id=command.worker_id, lease_until=command.lease_until),
    ]


def _expire(command: Expire, state: RequestState) -> list[Event]:
    if state.is_final:
        return []
    if state.is_timed_out(command.now):
        return [RequestFailed(error=TIMED_OUT)]
    ending = command.now >= state.expires_at - EXPIRY_MARGIN
    return [RequestFailed(error=Failure(code=EXPIRED, message="Kept as long as it may be"))] if ending else []


def _cancel(command: Cancel, state: RequestState) -> list[Event]:
    if state.status is S.CANCELLED:
        return []
    if state.is_final:
        raise AlreadyFinal(status=state.status)
    if state.cancel_requested:
        return []
    outcome = CancelRequested if state.status is S.PROCESSING else RequestCancelled
    source = command.source
    return [
        outcome(by=command.by, reason=command.reason, connection_id=source.connection_id, source_ip=source.source_ip)
    ]


_ENDS: Final[dict[type, Sequence[Status]]] = {
    Complete: (S.COMPLETED,),
    FailAttempt: (S.RETRYING, S.FAILED, S.CANCELLED),
    AcknowledgeCancel: (S.CANCELLED,),
}


def _ended_by(command: WorkerCommand, state: RequestState) -> bool:
    """Whether the attempt has already ended as this command would end it."""
    return command.attempt == state.attempt and state.status in _ENDS.get(type(command), ())


def _running(command: WorkerCommand, state: RequestState) -> RequestState:
    """The state, if the command's attempt is the one that runs."""
    if state.is_final:
        raise AlreadyFinal(status=state.status)
    if state.status is not S.PROCESSING or command.attempt != state.attempt:
        raise AttemptOver(attempt=command.attempt, newest=state.attempt, status=state.status)
    return state


def _decide_running(command: WorkerCommand, state: RequestState) -> list[Event]:
    match command:
        case ReportProgress():
            percent = round(float(min(100, max(state.percent, command.percent))), 1)
            told = (percent, command.message, command.details or None)
            checkpoint = None if command.checkpoint == state.checkpoint else command.checkpoint
            if checkpoint is None and told == (state.percent, state.message, state.details):
                return []
            return [ProgressReported(percent=told[0], message=told[1], details=told[2], checkpoint=checkpoint)]
        case AppendOutput():
            if command.index > state.outputs:
                raise AttemptOver("an output is missing", index=command.index, expected=state.outputs)
            return [OutputAppended(index=command.index, chunk=command.chunk)] if command.index == state.outputs else []
        case RenewLease():
            longer = command.lease_until > state.lease_until
            return [LeaseRenewed(lease_until=command.lease_until)] if longer else []
        case Complete():
            return [RequestCompleted(result=command.result, result_ref=command.result_ref)]
        case FailAttempt():
            return [_attempt_failed(command, state)]
        case AcknowledgeCancel():
            if state.cancel_requested:
                return [_cancelled_as_asked(state)]
            if command.by is None:
                raise AttemptOver("nobody asked to cancel it", attempt=command.attempt)
            return [RequestCancelled(by=command.by, reason=command.reason)]
        case _:
            assert_never(command)


def _attempt_failed(command: FailAttempt, state: RequestState) -> Event:
    if state.cancel_requested:
        return _cancelled_as_asked(state)
    if not command.retryable or state.attempt >= state.max_attempts:
        return RequestFailed(error=command.error)
    if state.is_timed_out(command.now):
        return RequestFailed(error=TIMED_OUT)
    delay = command.policy.delay(state.attempt, command.jitter) if command.after is None else command.after
    delay = min(max(delay, timedelta(0)), LONGEST_WAIT)
    retry_at = to_instant(command.now + delay)
    if retry_at >= state.expires_at - EXPIRY_MARGIN:
        return RequestFailed(error=command.error)  # it would be kept no longer
    if state.is_timed_out(retry_at):
        return RequestFailed(error=command.error)  # it would come too late
    return AttemptFailed(attempt=state.attempt, error=command.error, retry_at=retry_at)


def _cancelled_as_asked(state: RequestState) -> Event:
    return RequestCancelled(by=state.cancel_by or "", reason=state.cancel_reason)


def _attempt_lost(command: ExpireLease, state: RequestState) -> Event:
    return _attempt_failed(
        FailAttempt(
            now=command.now,
            attempt=state.attempt,
            error=Failure(code=LEASE_EXPIRED, message="The worker was lost"),
            retryable=True,
            jitter=command.jitter,
            policy=command.policy,
        ),
        state,
    )
