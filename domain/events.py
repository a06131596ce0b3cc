"""What can happen to a request: the facts that the log stores.

Each event is a frozen value, read leniently (unknown fields are ignored, so old code reads new events) and never
changed once released: a new shape is a new schema version with an upcaster in `SCHEMAS`. Don't subclass these.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.errors import Undecodable
from domain.instant_field import Instant

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Data = Mapping[str, Any]


class Event(BaseModel):
    """A fact about one request; its type's name is its name on the wire."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    private: ClassVar[frozenset[str]] = frozenset()  # fields that no client is shown

    @property
    def type(self) -> str:
        """The event's name on the wire."""
        return type(self).__name__

    def data(self) -> dict[str, Any]:
        """The fields that have a value, ready for JSON."""
        return {name: value for name, value in self.model_dump(mode="python").items() if value is not None}


class Failure(BaseModel):
    """Why an attempt or a request failed; the message is for its user."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    code: str
    message: str = ""


class RequestSubmitted(Event):
    """A user asked for work: runnable from `due_at` on, to be done before `ends_by`, and kept until `expires_at`."""

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
    idempotency_key: str | None = None
    retry_of: str | None = None
    metadata: dict[str, str] | None = None


class AttemptStarted(Event):
    """A worker took the request; only commands with this attempt's number count from now on."""

    attempt: int
    worker_id: str
    lease_until: Instant


class ProgressReported(Event):
    """How far the attempt is; percent never falls within an attempt. The next attempt goes on from the checkpoint."""

    private: ClassVar[frozenset[str]] = frozenset({"checkpoint"})
    percent: Percent
    message: str | None = None
    details: dict[str, Any] | None = None
    checkpoint: Any = None


class OutputAppended(Event):
    """A part of the result, or a log line, in order; the index starts at 0 in each attempt."""

    index: int
    chunk: Any = None


class LeaseRenewed(Event):
    """The worker is alive; nobody else may start the request before `lease_until`."""

    lease_until: Instant


class RequestCompleted(Event):
    """The work is done; a large result is behind `result_ref`. Final."""

    result: Any = None
    result_ref: str | None = None


class AttemptFailed(Event):
    """This attempt failed, another one is due at `retry_at`."""

    attempt: int
    error: Failure
    retry_at: Instant


class RequestFailed(Event):
    """No attempt is left, or none would help. Final."""

    error: Failure


class CancelRequested(Event):
    """Somebody asked a running request to stop; its worker decides when."""

    by: str
    reason: str | None = None


class RequestCancelled(Event):
    """The request was stopped before it completed. Final."""

    by: str
    reason: str | None = None


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


def event_of(type_name: str, schema: int, data: Data) -> Event:
    """The event that stored data stands for, brought up to today's schema; Undecodable when no code can read it."""
    if type_name not in EVENTS or not 1 <= schema <= SCHEMA:
        raise Undecodable(field="schema" if type_name in EVENTS else "type", type=type_name, schema=schema)
    for version in range(schema, SCHEMA):
        upcast = SCHEMAS.get((type_name, version))
        data = upcast(data) if upcast else data
    try:
        return EVENTS[type_name].model_validate(data)
    except ValidationError as exc:
        raise Undecodable(str(exc), field="data", type=type_name, schema=schema) from exc
