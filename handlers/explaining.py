"""Why a request is where it is: what an explanation is made of, each part from where it is the truth."""

from collections.abc import Iterable
from typing import Any, Final

from domain import protocol
from domain.events import AttemptFailed, AttemptStarted, RequestCancelled, RequestCompleted, RequestFailed
from domain.identity import Identity
from domain.instant import to_text
from domain.recorded import Head, RecordedEvent
from domain.state import Status
from domain.subscription import topics_of
from handlers import bootstrap
from handlers.delivering import watcher
from handlers.readings import request_for
from projections.turns import RUNNABLE

MOST_WATCHERS: Final = 50
TENANT_CONCURRENCY: Final = "tenant_concurrency"
_HELD: Final = {TENANT_CONCURRENCY: "It waits for a slot: as many of the tenant's requests run as may."}
_ENDS: Final = frozenset(
    {event.__name__ for event in (AttemptFailed, RequestFailed, RequestCompleted, RequestCancelled)}
)


def explain(frame: protocol.Explain, identity: Identity) -> protocol.Explanation:
    """The explanation of a request that the caller may see."""
    head = request_for(identity, frame.request_id)
    position = bootstrap.queue().position(head)
    held_by = _held_by(head)
    return protocol.Explanation(
        id=frame.id,
        request_id=head.request_id,
        version=head.version,
        why=_HELD[held_by] if held_by else why(head, position),
        state=head.state.public(),
        position=position,
        held_by=held_by,
        due_at=to_text(head.state.due_at) if head.state.status in RUNNABLE else None,
        view_version=bootstrap.views().cursors([head.request_id])[head.request_id].version,
        attempts=attempts(bootstrap.events().read(head.request_id)),
        watchers=_watchers(head),
    )


def _held_by(head: Head) -> str | None:
    """The limit that keeps a request from starting, of those that hold back what could run."""
    slots, state = bootstrap.slots(), head.state
    if slots is None or head.origin is None or state.status not in RUNNABLE or state.due_at > bootstrap.CLOCK.now():
        return None
    return TENANT_CONCURRENCY if slots.are_taken(head.origin.tenant_id) else None


def why(head: Head, position: int | None) -> str:
    """In one sentence why the request is where it is."""
    state = head.state
    now = bootstrap.CLOCK.now()
    match state.status:
        case Status.PENDING | Status.RETRYING if state.due_at > now:
            after = " after its last attempt failed" if state.status is Status.RETRYING else ""
            return f"It waits until {to_text(state.due_at)}{after}."
        case Status.PENDING | Status.RETRYING if position:
            return f"It waits for a worker; {position} {'is' if position == 1 else 'are'} ahead of it."
        case Status.PENDING | Status.RETRYING:
            return "It waits for a worker and is next."
        case Status.PROCESSING if now >= state.lease_until:
            return f"Its worker was last heard of before {to_text(state.lease_until)}; the sweeper takes it away."
        case Status.PROCESSING if state.cancel_requested:
            return "It was asked to stop; its worker has not yet."
        case Status.PROCESSING:
            return f"Attempt {state.attempt} of {state.max_attempts} runs, at {state.percent:g} %."
        case _:
            reason = f": {state.error.code}: {state.error.message}" if state.error else ""
            return f"It ended as {state.status} at {to_text(state.updated_at)}{reason}."


def attempts(events: Iterable[RecordedEvent]) -> list[dict[str, Any]]:
    """What became of each attempt: when it started and ended, and how."""
    told: list[dict[str, Any]] = []
    for recorded in events:
        if recorded.type == AttemptStarted.__name__:
            told.append({"attempt": recorded.snapshot().attempt, "started_at": recorded.at, "events": 0})
        if told and "ended_at" not in told[-1]:
            told[-1]["events"] += 1
            if recorded.type in _ENDS:
                error = recorded.snapshot().error
                told[-1] |= {"ended_at": recorded.at, "ended_as": recorded.type}
                told[-1] |= {"error": error.shown()} if error else {}
    return told


def _watchers(head: Head) -> list[dict[str, Any]]:
    """Who is told of the request's events, and what is known to have been delivered to each."""
    origin = head.origin
    found: list[dict[str, Any]] = []
    for topic in topics_of(head.request_id, origin.tenant_id, origin.user_id) if origin else ():
        for watch in bootstrap.subscriptions().list_by_topic(topic, bootstrap.CLOCK.now()):
            if len(found) >= MOST_WATCHERS:
                return found
            found.append(watcher(head, watch))
    return found
