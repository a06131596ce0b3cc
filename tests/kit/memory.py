"""The stores without a table: dictionaries with the same public methods and the same rules, for tests that are fast."""

import dataclasses
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from msgspec.structs import replace

from adapters.connection_store import YOUNG, ConnectionStore, Map, Stale
from adapters.event_store import EventStore, conflict, require_event
from adapters.items import Item
from adapters.objects import Objects
from adapters.subscription_store import SubscriptionStore
from adapters.ticket_store import TICKET_LIFE, TicketStore
from domain.connection import ACTIVITY_INTERVAL, CONNECTION_TTL, Connection
from domain.errors import Conflict, NotFound, Unauthorized, Unavailable
from domain.identity import Identity
from domain.instant import epoch_seconds, from_epoch, from_text, to_text
from domain.recorded import RecordedEvent
from domain.subscription import Missed, Subscription
from domain.validity import MAX_VERSION, checked, require_whole

T = TypeVar("T", Connection, Subscription)


class MemoryEventStore(EventStore):
    """The log of every request, in a dictionary."""

    def __init__(self) -> None:
        self._logs: dict[str, dict[int, RecordedEvent]] = {}

    def append(self, event: RecordedEvent, slot: Any = None) -> None:
        """Add the event at its version; Conflict when another writer's event is there."""
        require_event(event)
        assert slot is None, "slots need a table"
        stored = self._logs.setdefault(event.request_id, {}).setdefault(event.version, event)
        if stored.event_id != event.event_id:
            raise conflict(event, stored.event_id, "memory")

    @checked
    def newest(self, request_id: str) -> RecordedEvent | None:
        """The newest event of a request; None when it has none."""
        log = self._logs.get(request_id)
        return log[max(log)] if log else None

    @checked
    def get(self, request_id: str, version: int) -> RecordedEvent:
        """The event at a version; NotFound when there is none."""
        try:
            return self._logs[request_id][version]
        except KeyError as exc:
            raise NotFound(request_id=request_id, version=version) from exc

    @checked
    def at(self, request_id: str, instant: datetime) -> RecordedEvent:
        """The newest event at an instant; NotFound before the first."""
        log = self._logs.get(request_id, {})
        past = [version for version, event in log.items() if event.at <= to_text(instant)]
        if not past:
            raise NotFound(request_id=request_id)
        return log[max(past)]

    @checked
    def read(self, request_id: str, after: int = 0, limit: int | None = None) -> Iterator[RecordedEvent]:
        """The events after a version in order, at most limit of them."""
        require_whole("after", after, 0, MAX_VERSION)
        log = self._logs.get(request_id, {})
        yield from islice((log[version] for version in sorted(log) if version > after), limit)


class MemoryConnectionStore(ConnectionStore):
    """The connections of every tenant, in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[str, Connection] = {}

    def save(self, connection: Connection) -> None:
        """Add a new connection; Conflict when another one has its id. A repeat changes nothing."""
        stored = self._rows.get(connection.connection_id)
        new = _as_stored(connection)
        if stored is None:
            self._rows[connection.connection_id] = new
        elif stored.connected_at != new.connected_at:
            raise Conflict(
                operation="save connection",
                table="memory",
                connection_id=connection.connection_id,
                connected_at=to_text(connection.connected_at),
                found=to_text(stored.connected_at),
            )

    @checked
    def get(self, connection_id: str, now: datetime) -> Connection | None:
        """The connection, unless it is not there or its row has expired."""
        stored = self._rows.get(connection_id)
        return stored if stored and stored.expires_at > now else None

    @checked
    def delete(self, connection_id: str) -> None:
        """Remove a connection; removing one that is not there changes nothing."""
        self._rows.pop(connection_id, None)

    @checked
    def delete_gone(self, connection_id: str, now: datetime) -> bool:
        """Remove a connection that a post found gone, unless it is so young that its socket may still be opening.

        Tells whether there is no connection now.
        """
        stored = self._rows.get(connection_id)
        if stored is not None and stored.connected_at >= now - YOUNG:
            return False
        self._rows.pop(connection_id, None)
        return True

    @checked
    def record_activity(self, connection: Connection, now: datetime) -> None:
        """Note that the client is alive, at most once a minute; never makes a row."""
        stored = self._rows.get(connection.connection_id)
        if stored is None or any(now - one.last_active_at < ACTIVITY_INTERVAL for one in (connection, stored)):
            return
        self._rows[connection.connection_id] = _as_stored(
            replace(stored, last_active_at=now, expires_at=now + CONNECTION_TTL)
        )

    @checked
    def list_by_user(self, tenant_id: str, user_id: str, now: datetime) -> Iterator[Connection]:
        """The live connections of a user."""
        return (one for one in self.list_by_tenant(tenant_id, now) if one.user_id == user_id)

    @checked
    def list_by_tenant(self, tenant_id: str, now: datetime) -> Iterator[Connection]:
        """The live connections of a tenant."""
        live = (one for _, one in sorted(self._rows.items()) if one.expires_at > now)
        return (one for one in live if one.tenant_id == tenant_id)

    @checked
    def delete_stale(
        self, now: datetime, close: Callable[[str], None], run: Map = map, behind: Item | None = None
    ) -> Stale:
        """Remove the connections whose token has ended or whose client was silent for a day, once they are closed."""
        assert behind is None, "it has one page"
        left: list[str] = []

        def close_or_leave(connection_id: str) -> bool:
            with suppress(Unavailable):
                close(connection_id)
                return True
            left.append(connection_id)
            return False

        over = [name for name, one in self._rows.items() if one.ends_at <= now or one.expires_at <= now]
        deleted = sum(run(close_or_leave, over))
        for name in set(over) - set(left):
            self.delete(name)
        return Stale(deleted, len(left), len(self._rows))


class MemorySubscriptionStore(SubscriptionStore):
    """The subscriptions of every connection, in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Subscription] = {}

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription; adding it again only prolongs it."""
        key = (subscription.topic, subscription.connection_id)
        first = self._rows.get(key, subscription)
        begun = {name: getattr(first, name) for name in ("created_at", "source_ip", "correlation_id", "causation_id")}
        self._rows[key] = _as_stored(replace(subscription, **begun))

    @checked
    def unsubscribe(self, topic: str, connection_id: str) -> None:
        """Remove a subscription; removing one that is not there changes nothing."""
        self._rows.pop((topic, connection_id), None)

    @checked
    def watchers(self, topic: str, now: datetime) -> dict[str, bool]:
        """The connections that watch a topic, and of each whether a push that was not taken is noted."""
        return {row.connection_id: row.missed is not None for row in self.list_by_topic(topic, now)}

    @checked
    def list_by_topic(self, topic: str, now: datetime) -> Iterator[Subscription]:
        """The subscriptions to a topic."""
        return (row for row in self._live(now) if row.topic == topic)

    @checked
    def note_missed(self, topic: str, connection_id: str, missed: Missed) -> None:
        """Note the first push that was not taken, unless the connection has asked again since; never makes a row."""
        row = self._rows.get((topic, connection_id))
        if row is None or row.missed is not None or row.asked_at is None or row.asked_at > missed.at:
            return
        if row.told is None or row.told < missed.version:
            self._rows[topic, connection_id] = replace(row, missed=missed)

    @checked
    def list_by_connection(self, connection_id: str, now: datetime) -> Iterator[Subscription]:
        """The subscriptions of a connection."""
        return (row for row in self._live(now) if row.connection_id == connection_id)

    @checked
    def list_by_request(self, request_id: str, now: datetime) -> Iterator[Subscription]:
        """The subscriptions to one request."""
        return (row for row in self._live(now) if row.request_id == request_id)

    @checked
    def delete_by_connection(self, connection_id: str, limit: int | None = None) -> int:
        """Remove the subscriptions of a connection, expired ones too, at most limit, and tell how many that were."""
        keys = [key for key in self._rows if key[1] == connection_id][:limit]
        for key in keys:
            del self._rows[key]
        return len(keys)

    def _live(self, now: datetime) -> list[Subscription]:
        return [row for _, row in sorted(self._rows.items()) if row.expires_at > now]


class MemoryTicketStore(TicketStore):
    """The tickets that were issued and not yet used, in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Identity, datetime]] = {}

    @checked
    def issue(self, identity: Identity, now: datetime) -> str:
        """A new ticket for the identity."""
        ticket = secrets.token_urlsafe(32)
        kept = dataclasses.replace(identity, expires_at=from_text(to_text(identity.expires_at)))
        self._rows[ticket] = kept, from_epoch(epoch_seconds(now + TICKET_LIFE))
        return ticket

    @checked
    def redeem(self, ticket: str, now: datetime) -> Identity:
        """The identity a ticket stands for, once; Unauthorized when it was used, is unknown or too old."""
        identity, expires_at = self._rows.get(ticket, (None, now))
        if identity is None or expires_at <= now:
            raise Unauthorized("the ticket is not valid")
        del self._rows[ticket]
        return identity


class MemoryObjects(Objects):
    """A bucket in a dictionary."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    @checked
    def write(self, key: str, content: bytes, content_type: str) -> None:  # noqa: ARG002
        """Store an object; storing it again replaces it."""
        self.contents[key] = content

    @checked
    def read(self, key: str) -> bytes:
        """The content of an object; NotFound when there is none."""
        try:
            return self.contents[key]
        except KeyError as exc:
            raise NotFound("no such object", key=key) from exc

    @checked
    def count(self) -> int:
        """How many objects there are."""
        return len(self.contents)

    @checked
    def link(self, key: str) -> str:
        """A link to an object; it leads nowhere."""
        return f"memory:{key}"


def _as_stored(value: T) -> T:
    """The value as a row would give it back: instants to the millisecond, the time to live to the second."""
    names = ("connected_at", "last_active_at", "ends_at", "created_at", "asked_at")
    named = {name: getattr(value, name, None) for name in names}
    stored: dict[str, Any] = {name: from_text(to_text(instant)) for name, instant in named.items() if instant}
    return replace(value, **stored, expires_at=from_epoch(epoch_seconds(value.expires_at)))
