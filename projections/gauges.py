"""The gauges: how much there is of a tenant right now, one row a tenant.

A request's part of a gauge follows from its status alone. So what a step of its log adds is the difference between
the statuses after and before it, whatever happened in between.

    scope   =gauges#TENANT
    minute  now
    queued, running                 the tenant's requests that wait for a worker, and those that have one
    queued#ACTION, running#ACTION   the same of one action
    connections, subscriptions      open sockets, and what they watch
"""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.recorded import RecordedEvent
from domain.state import Status
from projections.cursor import Cursor
from projections.intents import Add, View

STATUSES: Final[Mapping[str, frozenset[Status]]] = {
    "queued": frozenset({Status.PENDING, Status.RETRYING}),
    "running": frozenset({Status.PROCESSING}),
}
NAMES: Final = (*STATUSES, "connections", "subscriptions")
NOW: Final = "now"


def project(events: Sequence[RecordedEvent], before: Cursor) -> list[Add]:
    """What a request's events, which follow the cursor, add to its tenant's gauges."""
    newest = events[-1]
    state = newest.snapshot()
    moved = changes(before.status, state.status)
    if not moved:
        return []
    return [add(newest.tenant_id, {**moved, **{f"{name}#{state.action}": count for name, count in moved.items()}})]


def changes(before: Status | None, after: Status | None) -> dict[str, int]:
    """By how much a change of status moves each gauge that it moves."""
    moved = {name: (after in statuses) - (before in statuses) for name, statuses in STATUSES.items()}
    return {name: count for name, count in moved.items() if count}


def add(tenant_id: str, counts: Mapping[str, int]) -> Add:
    """Add to a tenant's gauges."""
    return Add(View.METRICS, key_of(tenant_id), counts)


def key_of(tenant_id: str) -> dict[str, str]:
    """The key of a tenant's row."""
    return {"scope": f"=gauges#{tenant_id}", "minute": NOW}


def of_action(row: Mapping[str, int], action: str | None = None) -> dict[str, int]:
    """The gauges in a row: the tenant's, or those of one of its actions."""
    if action is None:
        return {name: row.get(name, 0) for name in NAMES}
    return {name: row.get(f"{name}#{action}", 0) for name in STATUSES}
