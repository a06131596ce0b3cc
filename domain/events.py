"""What can happen to a request: the facts that the log stores.

Each event is a frozen value, read leniently (unknown fields are ignored, so old code reads new events) and never
changed once released: a new shape is a new schema version with an upcaster in `SCHEMAS`. Don't subclass these.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from msgspec import Meta, Struct, convert
from msgspec.structs import asdict

from domain import exact_json
from domain.errors import InvalidJson, Undecodable
from domain.instant import to_text
from domain.instant_field import Instant, WithInstants

Percent = Annotated[float, Meta(ge=0, le=100)]
Data = Mapping[str, Any]


class Failure(Struct, frozen=True, gc=False):
    """Why an attempt or a request failed; the message is for its user."""

    code: str
    message: str = ""

    def shown(self) -> dict[str, str]:
        """The failure, ready for JSON."""
        return asdict(self)


class Event(WithInstants, frozen=True, kw_only=True, gc=False):
    """A fact about one request; its type's name is its name on the wire."""

    private: ClassVar[frozenset[str]] = frozenset()  # fields that no client is shown

    @property
    def type(self) -> str:
        """The event's name on the wire."""
        return type(self).__name__

    def data(self) -> dict[str, Any]:
        """The fields that have a value, ready for JSON."""
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: plain(value) for name, value in fields if value is not None}


def plain(value: Any) -> Any:
    """A field's value, ready for JSON."""
    match value:
        case datetime():
            return to_text(value)
        case Failure():
            return value.shown()
        case _:
            return value


class RequestSubmitted(Event, frozen=True, kw_only=True, gc=False):
    """A user asked for work: runnable from `due_at` on, to be done before `ends_by`, and kept until `expires_at`."""

    private: ClassVar[frozenset[str]] = frozenset({"source_ip"})
    instants: ClassVar[tuple[str, ...]] = ("due_at", "expires_at", "ends_by")
    action: str
    payload: Any = None
    payload_ref: str | None = None
    digest: str
    priority: int = 5
    due_at: Instant
    max_attempts: int = 3
    expires_at: Instant
    ends_by: Instant | None = None
    connection_id: str | None = None
    source_ip: str | None = None
    idempotency_key: str | None = None
    retry_of: str | None = None
    metadata: dict[str, str] | None = None


class AttemptStarted(Event, frozen=True, kw_only=True, gc=False):
    """A worker took the request; only commands with this attempt's number count from now on."""

    instants: ClassVar[tuple[str, ...]] = ("lease_until",)
    attempt: int
    worker_id: str
    lease_until: Instant


class ProgressReported(Event, frozen=True, kw_only=True, gc=False):
    """How far the attempt is; percent never falls within an attempt. The next attempt goes on from the checkpoint."""

    private: ClassVar[frozenset[str]] = frozenset({"checkpoint"})
    percent: Percent
    message: str | None = None
    details: dict[str, Any] | None = None
    checkpoint: Any = None


class OutputAppended(Event, frozen=True, kw_only=True, gc=False):
    """A part of the result, or a log line, in order; the index starts at 0 in each attempt."""

    index: int
    chunk: Any = None


class LeaseRenewed(Event, frozen=True, kw_only=True, gc=False):
    """The worker is alive; nobody else may start the request before `lease_until`."""

    instants: ClassVar[tuple[str, ...]] = ("lease_until",)
    lease_until: Instant


class RequestCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The work is done; a large result is behind `result_ref`. Final."""

    result: Any = None
    result_ref: str | None = None


class AttemptFailed(Event, frozen=True, kw_only=True, gc=False):
    """This attempt failed, another one is due at `retry_at`."""

    instants: ClassVar[tuple[str, ...]] = ("retry_at",)
    attempt: int
    error: Failure
    retry_at: Instant


class RequestFailed(Event, frozen=True, kw_only=True, gc=False):
    """No attempt is left, or none would help. Final."""

    error: Failure


class CancelRequested(Event, frozen=True, kw_only=True, gc=False):
    """Somebody asked a running request to stop; its worker decides when."""

    private: ClassVar[frozenset[str]] = frozenset({"connection_id", "source_ip"})
    by: str
    reason: str | None = None
    connection_id: str | None = None
    source_ip: str | None = None


class RequestCancelled(Event, frozen=True, kw_only=True, gc=False):
    """The request was stopped before it completed. Final."""

    private: ClassVar[frozenset[str]] = frozenset({"connection_id", "source_ip"})
    by: str
    reason: str | None = None
    connection_id: str | None = None
    source_ip: str | None = None


EVENTS: Final[Mapping[str, type[Event]]] = {
    event.__name__: event
    for event in (
        RequestSubmitted,
        AttemptStarted,
        ProgressReported,
        OutputAppended,
        LeaseRenewed,
        RequestCompleted,
        AttemptFailed,
        RequestFailed,
        CancelRequested,
        RequestCancelled,
    )
}

# The schema version that is written now, and for each older one the step that makes its data one version newer.
SCHEMA: Final = 1
SCHEMAS: Final[Mapping[tuple[str, int], Callable[[Data], Data]]] = {}


_READERS: Final = {name: exact_json.reader(event) for name, event in EVENTS.items()}


def event_of(type_name: str, schema: int, data: str) -> Event:
    """The event that stored data (JSON) stands for, at today's schema; Undecodable when no code can read it."""
    try:
        if schema != SCHEMA:
            return _upcast(type_name, schema, exact_json.decode(data))
        exact_json.require_shallow_text(data)
        return _READERS[type_name](data)
    except KeyError as exc:
        raise Undecodable(field="type", type=type_name, schema=schema) from exc
    except (InvalidJson, *exact_json.UNREADABLE) as exc:
        raise Undecodable(str(exc), field="data", type=type_name, schema=schema) from exc


def _upcast(type_name: str, schema: int, data: Data) -> Event:
    if not 1 <= schema <= SCHEMA:
        raise Undecodable(field="schema", type=type_name, schema=schema)
    for version in range(schema, SCHEMA):
        upcast = SCHEMAS.get((type_name, version))
        data = upcast(data) if upcast else data
    return convert(data, EVENTS[type_name])
