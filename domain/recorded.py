"""The recorded event: an event as the log stores it, in its envelope and chained by hash to the one before.

`data` and `state` are kept as the JSON text that was stored. The hash covers exactly that text, so it never depends
on how JSON is written, and a reader that needs neither never parses them.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from domain import exact_json
from domain.errors import InvalidJson, Undecodable
from domain.events import EVENTS, SCHEMA, Event, event_of
from domain.instant import to_instant, to_text
from domain.request import evolve
from domain.state import INITIAL, RequestState

NO_HASH: Final = b""


class Origin(Struct, frozen=True):
    """Whose request it is, and what led to the event: the client's request and the event or frame before."""

    tenant_id: str
    user_id: str
    correlation_id: str = ""
    causation_id: str = ""


class RecordedEvent(Struct, frozen=True, gc=False, array_like=True):  # adapters make it of a row, by position
    """One row of the log. Versions of a request are 1, 2, 3, …; `at` is an instant as text."""

    request_id: str
    version: int
    event_id: str
    type: str
    schema: int
    at: str
    tenant_id: str
    user_id: str
    correlation_id: str
    causation_id: str
    data: str
    state: str
    prev_hash: bytes
    hash: bytes = NO_HASH

    def event(self) -> Event:
        """The event itself; Undecodable when no code can read it."""
        return event_of(self.type, self.schema, self.data)

    def snapshot(self) -> RequestState:
        """The state of the request after this event; Undecodable when no code can read it."""
        try:
            return RequestState.of(self.state)
        except InvalidJson as exc:
            raise Undecodable(str(exc), field="state", request_id=self.request_id, version=self.version) from exc

    def shown(self) -> dict[str, Any]:
        """The event as clients see it: version, type, at and data."""
        hidden = EVENTS[self.type].private if self.type in EVENTS else frozenset()
        data = {name: value for name, value in _object(self.data).items() if name not in hidden}
        return {"version": self.version, "type": self.type, "at": self.at, "data": data}

    def computed_hash(self) -> bytes:
        """SHA-256 over the canonical event: every field but the hash itself, in a fixed order."""
        canonical = exact_json.encode(
            [
                self.request_id,
                self.version,
                self.event_id,
                self.type,
                self.schema,
                self.at,
                self.tenant_id,
                self.user_id,
                self.correlation_id,
                self.causation_id,
                self.data,
                self.state,
                self.prev_hash.hex(),
            ]
        )
        return sha256(canonical.encode()).digest()


class Head(Struct, frozen=True):
    """Where a request's log ends: its state, version and newest hash."""

    request_id: str
    version: int = 0
    state: RequestState = INITIAL
    hash: bytes = NO_HASH
    origin: Origin | None = None

    @classmethod
    def of(cls, newest: RecordedEvent) -> "Head":
        """The head that a log's newest event makes."""
        origin = Origin(newest.tenant_id, newest.user_id, newest.correlation_id, newest.event_id)
        return cls(newest.request_id, newest.version, newest.snapshot(), newest.hash, origin)

    def is_over(self, now: datetime) -> bool:
        """Whether the log has expired: DynamoDB removes its events days later, one by one and in no order."""
        return self.version > 0 and self.state.expires_at <= now


def record(event: Event, head: Head, at: datetime, event_id: str, origin: Origin) -> RecordedEvent:
    """The event recorded after the head, with the state that it leads to; InvalidJson when JSON cannot hold it."""
    at = to_instant(at)
    data = event.data()
    exact_json.require_shallow(data, exact_json.EVENT_DEPTH)
    unsealed = RecordedEvent(
        request_id=head.request_id,
        version=head.version + 1,
        event_id=event_id,
        type=event.type,
        schema=SCHEMA,
        at=to_text(at),
        tenant_id=origin.tenant_id,
        user_id=origin.user_id,
        correlation_id=origin.correlation_id,
        causation_id=origin.causation_id,
        data=exact_json.encode(data),
        state=exact_json.encode(evolve(head.state, event, at).snapshot()),
        prev_hash=head.hash,
    )
    return replace(unsealed, hash=unsealed.computed_hash())


def first_break(events: Iterable[RecordedEvent]) -> int | None:
    """The version at which a request's whole log, from version 1 on, is missing an event or was altered.

    None when the chain is whole.
    """
    previous = NO_HASH
    for expected, recorded in enumerate(events, start=1):
        if recorded.version != expected or recorded.prev_hash != previous or recorded.hash != recorded.computed_hash():
            return expected
        previous = recorded.hash
    return None


def _object(text: str) -> dict[str, Any]:
    try:
        value = exact_json.decode(text)
    except InvalidJson as exc:
        raise Undecodable(str(exc)) from exc
    if not isinstance(value, dict):
        raise Undecodable("not a JSON object")
    return value
