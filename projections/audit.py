"""The audit view: who did what, when, across a tenant; one entry an event of a life cycle, by day.

Progress, outputs and lease renewals are left out: the log answers for one request in full.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from domain import exact_json
from domain.events import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Event,
    LeaseRenewed,
    OutputAppended,
    ProgressReported,
    RequestCancelled,
    RequestFailed,
    RequestSubmitted,
)
from domain.instant import epoch_seconds, from_text, to_text
from domain.recorded import RecordedEvent
from projections.intents import Put, View
from projections.requests import shard_of

KEPT: Final = timedelta(days=400)
SHARDS: Final = 4
NOT_AUDITED: Final = frozenset({event.__name__ for event in (ProgressReported, OutputAppended, LeaseRenewed)})


def project(events: Iterable[RecordedEvent]) -> list[Put]:
    """The entries of the events; writing them again changes nothing."""
    return [_entry(recorded) for recorded in events if recorded.type not in NOT_AUDITED]


def partition(tenant_id: str, day: str, shard: int) -> str:
    """The partition of a tenant's day; a day is YYYY-MM-DD in UTC."""
    return f"{tenant_id}#{day}#{shard}"


def entry(
    *, tenant_id: str, user_id: str, at: str, stream: str, version: str, kind: str, attributes: Mapping[str, Any]
) -> Put:
    """One row of the view."""
    detail = {name: value for name, value in attributes.items() if value is not None}
    return Put(
        View.AUDIT,
        {"day": partition(tenant_id, at[:10], shard_of(stream, SHARDS)), "entry": f"{at}#{stream}#{version}"},
        {
            "at": at,
            "type": kind,
            "user_id": user_id,
            "expires_at": epoch_seconds(from_text(at) + KEPT),
            "detail": exact_json.encode(detail),
        },
    )


def shown(recorded: RecordedEvent) -> dict[str, Any]:
    """An event of one request as an item of its audit trail; here every event has one."""
    detail = {name: value for name, value in _detail(recorded, recorded.event()).items() if value is not None}
    return {"at": recorded.at, "type": recorded.type, "user_id": recorded.user_id, **detail}


def _detail(recorded: RecordedEvent, event: Event) -> dict[str, Any]:
    """What an audit entry tells of an event: who and why, never the payload or the result."""
    told: dict[str, Any] = {
        "request_id": recorded.request_id,
        "version": recorded.version,
        "hash": recorded.hash.hex(),
        "correlation_id": recorded.correlation_id,
        "causation_id": recorded.causation_id,
        "action": recorded.snapshot().action,
    }
    match event:
        case RequestSubmitted():
            told |= {"priority": event.priority, "retry_of": event.retry_of}
            told |= {"connection_id": event.connection_id, "source_ip": event.source_ip}
        case AttemptStarted():
            told |= {"attempt": event.attempt, "worker_id": event.worker_id}
        case AttemptFailed():
            told |= {"attempt": event.attempt, "error": event.error.shown()}
        case RequestFailed():
            told |= {"error": event.error.shown()}
        case CancelRequested() | RequestCancelled():
            told |= {"by": event.by, "reason": event.reason}
            told |= {"connection_id": event.connection_id, "source_ip": event.source_ip}
        case ProgressReported():
            told |= {"percent": event.percent, "message": event.message}
        case OutputAppended():
            told |= {"index": event.index}
        case LeaseRenewed():
            told |= {"lease_until": to_text(event.lease_until)}
        case _:
            pass
    return told


def _entry(recorded: RecordedEvent) -> Put:
    return entry(
        tenant_id=recorded.tenant_id,
        user_id=recorded.user_id,
        at=recorded.at,
        stream=recorded.request_id,
        version=f"{recorded.version:010d}",
        kind=recorded.type,
        attributes=_detail(recorded, recorded.event()),
    )
