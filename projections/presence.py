"""Connections and subscriptions as they come and go: their audit entries and counts.

Their rows have no version, so the audit entry is the marker: it is written once, in one transaction with the count.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from projections import audit, gauges, metrics
from projections.intents import Add, Once, RemoveSubscriptions

OPENED: Final = "ConnectionOpened"
CLOSED: Final = "ConnectionClosed"
SUBSCRIBED: Final = "Subscribed"
UNSUBSCRIBED: Final = "Unsubscribed"
COUNTED: Final[Mapping[str, str]] = {
    OPENED: "connected",
    CLOSED: "disconnected",
    SUBSCRIBED: "subscribed",
    UNSUBSCRIBED: "unsubscribed",
}
_MOVED: Final[Mapping[str, tuple[str, int]]] = {
    OPENED: ("connections", 1),
    CLOSED: ("connections", -1),
    SUBSCRIBED: ("subscriptions", 1),
    UNSUBSCRIBED: ("subscriptions", -1),
}


class Change(Struct, frozen=True):
    """A connection or subscription that came or went.

    `made_at` (its row's own instant) with the row's name tells one life of the row from the next; `at` is when the
    change was seen. Its correlation and causation are of what began that life: an end has them as well, for a row that
    is removed does not tell by what.
    """

    type: str
    at: str
    made_at: str
    tenant_id: str
    user_id: str
    connection_id: str
    topic: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


def project(change: Change) -> tuple[Once, Add, Add]:
    """The entry, as a marker, and the counts that are added with it."""
    name = "#".join(part for part in (change.connection_id, change.topic) if part)
    entry = audit.entry(
        tenant_id=change.tenant_id,
        user_id=change.user_id,
        at=change.at,
        stream=name,
        version=f"{change.type}#{change.made_at}",
        kind=change.type,
        attributes={
            "connection_id": change.connection_id,
            "topic": change.topic,
            "source_ip": change.source_ip,
            "user_agent": change.user_agent,
            "correlation_id": change.correlation_id,
            "causation_id": change.causation_id,
        },
    )
    count = metrics.add(change.tenant_id, change.at[:16], {COUNTED[change.type]: 1})
    gauge, moved = _MOVED[change.type]
    return Once(entry.view, entry.key, entry.attributes), count, gauges.add(change.tenant_id, {gauge: moved})


def clean_up(change: Change) -> list[RemoveSubscriptions]:
    """A connection that is gone takes its subscriptions with it."""
    return [RemoveSubscriptions(change.connection_id)] if change.type == CLOSED else []
