"""What a client may send. Unknown fields are refused: a misspelt one would be taken for its default."""

from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from domain import validity
from domain.instant_field import Instant
from domain.state import Status

MAX_BATCH: Final = 25
MAX_DELAY: Final = validity.LONGEST_DELAY
MAX_VERSION: Final = validity.MAX_VERSION

FrameId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]+$")]
RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Key = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]+$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Limit = Annotated[int, Field(ge=1, le=200, strict=True)]
Version = Annotated[int, Field(ge=0, le=MAX_VERSION, strict=True)]
Topic = Annotated[str, StringConstraints(min_length=1, max_length=262, pattern=r"^[\x20-\x7e]+$")]  # user#128#128


def _iso_8601(value: object) -> object:
    # Pydantic would take a number, and text that is one, for seconds or milliseconds since 1970.
    if isinstance(value, date) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise ValueError("not ISO 8601 text")


_Iso8601: Final = BeforeValidator(_iso_8601)


class ClientFrame(BaseModel):
    """What every client frame may have: an id, echoed in the reply."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # built once, with the union of all
    id: FrameId | None = None


class Submit(ClientFrame):
    """Ask for work.

    delay_s          how long it waits before it may begin
    timeout_s        how long it may take from then on, all attempts and waits together, before it fails as TIMEOUT
    idempotency_key  names the request: the same key of the same user always leads to the same one
    submission_id    tells a frame that is sent again, its reply being lost, from another submission: client libraries
                     make a new one for each submit. It works like a key, but where nothing is kept, in synchronous
                     actions, it is ignored and a key is refused
    """

    type: Literal["submit"]
    action: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    payload: Any = None
    idempotency_key: Key | None = None
    submission_id: Key | None = None
    priority: Annotated[int, Field(ge=0, le=9, strict=True)] = 5
    delay_s: Annotated[int, Field(ge=0, le=int(MAX_DELAY.total_seconds()), strict=True)] = 0
    timeout_s: Annotated[int, Field(ge=1, le=int(MAX_DELAY.total_seconds()), strict=True)] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=20, strict=True)] | None = None
    subscribe: Annotated[bool, Field(strict=True)] = True
    metadata: Annotated[dict[Key, Label], Field(max_length=16)] | None = None


class SubmitBatch(ClientFrame):
    """Ask for several pieces of work at once. Each item is a `submit` frame, whose type may be left out.

    Items are looked at one by one: what is wrong with one of them does not concern the others.
    """

    type: Literal["submit_batch"]
    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_BATCH)]


class _OneTarget(ClientFrame):
    request_id: RequestId | None = None
    topic: Topic | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "_OneTarget":
        if (self.request_id is None) == (self.topic is None):
            raise ValueError("either request_id or topic")
        return self


class Subscribe(_OneTarget):
    """Watch a request from after a version on, or a topic: from now on, or from an instant that was given as `at`."""

    type: Literal["subscribe"]
    after: Version = 0
    since: Annotated[Instant, _Iso8601] | None = None

    @model_validator(mode="after")
    def _since_is_for_topics(self) -> "Subscribe":
        if self.since is not None and self.topic is None:
            raise ValueError("since goes with a topic")
        return self


class Unsubscribe(_OneTarget):
    """Stop watching."""

    type: Literal["unsubscribe"]


class Cancel(ClientFrame):
    """Ask a request to stop."""

    type: Literal["cancel"]
    request_id: RequestId
    reason: Label | None = None


class Get(ClientFrame):
    """Ask for a request's state, now or as it was: at a version, or at an instant."""

    type: Literal["get"]
    request_id: RequestId
    at_version: Annotated[int, Field(ge=1, le=MAX_VERSION, strict=True)] | None = None
    at: Annotated[Instant, _Iso8601] | None = None

    @model_validator(mode="after")
    def _names_at_most_one(self) -> "Get":
        if self.at is not None and self.at_version is not None:
            raise ValueError("either at_version or at")
        return self


class Explain(ClientFrame):
    """Ask why a request is where it is."""

    type: Literal["explain"]
    request_id: RequestId


class History(ClientFrame):
    """Ask for a request's events."""

    type: Literal["history"]
    request_id: RequestId
    after: Version = 0
    limit: Limit = 100


class List(ClientFrame):
    """Ask for requests, newest first."""

    type: Literal["list"]
    status: Status | None = None
    scope: Literal["own", "tenant"] = "own"
    limit: Limit = 20
    cursor: Annotated[str, StringConstraints(max_length=2048)] | None = None


class Metrics(ClientFrame):
    """Ask for the tenant's counts between two instants; without a resolution, by the finest step that fits."""

    type: Literal["metrics"]
    from_: Annotated[Instant, _Iso8601, Field(alias="from")]
    to: Annotated[Instant, _Iso8601]
    action: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    resolution: Literal["minute", "hour", "day"] | None = None


class Audit(ClientFrame):
    """Ask who did what: on a day across the tenant, or one user of it, or to one request."""

    type: Literal["audit"]
    day: Annotated[date, _Iso8601] | None = None
    request_id: RequestId | None = None
    user_id: Label | None = None
    limit: Limit = 100
    cursor: Annotated[str, StringConstraints(max_length=2048)] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "Audit":
        if (self.day is None) == (self.request_id is None):
            raise ValueError("either day or request_id")
        if self.user_id is not None and self.day is None:
            raise ValueError("user_id goes with day")
        return self


class Actions(ClientFrame):
    """Ask which actions one may submit."""

    type: Literal["actions"]


class Ping(ClientFrame):
    """Keep the connection alive."""

    type: Literal["ping"]
