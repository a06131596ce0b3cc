"""The wire protocol: every frame that a client may send and every frame that it may get, as one schema.

Server, client libraries and docs all use it. Client frames refuse unknown fields; server frames may gain fields.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from domain import exact_json
from domain.errors import ErrorCode, InvalidFrame, InvalidJson, PayloadTooLarge
from domain.instant import Instant
from domain.state import Status

FRAME_LIMIT: Final = 128 * 1024  # bytes; API Gateway closes the socket above it (code 1009)
FRAME_TARGET: Final = 32 * 1024  # bytes; API Gateway bills in steps of this
MAX_DELAY: Final = timedelta(days=7)
MAX_VERSION: Final = 10**15 - 1  # more than any log has, and a number that a table can hold

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

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: FrameId | None = None


class Submit(ClientFrame):
    """Ask for work."""

    type: Literal["submit"]
    action: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    payload: Any = None
    idempotency_key: Key | None = None
    priority: Annotated[int, Field(ge=0, le=9, strict=True)] = 5
    delay_s: Annotated[int, Field(ge=0, le=int(MAX_DELAY.total_seconds()), strict=True)] = 0
    max_attempts: Annotated[int, Field(ge=1, le=20, strict=True)] | None = None
    subscribe: Annotated[bool, Field(strict=True)] = True
    metadata: Annotated[dict[Key, Label], Field(max_length=16)] | None = None


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
    """Ask for a request's state, now or as it was."""

    type: Literal["get"]
    request_id: RequestId
    at_version: Annotated[int, Field(ge=1, le=MAX_VERSION, strict=True)] | None = None


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
    """Ask for the tenant's counts between two instants, by the minute."""

    type: Literal["metrics"]
    from_: Annotated[Instant, _Iso8601, Field(alias="from")]
    to: Annotated[Instant, _Iso8601]
    action: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


class Audit(ClientFrame):
    """Ask who did what: on a day across the tenant, or to one request."""

    type: Literal["audit"]
    day: Annotated[date, _Iso8601] | None = None
    request_id: RequestId | None = None
    limit: Limit = 100
    cursor: Annotated[str, StringConstraints(max_length=2048)] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "Audit":
        if (self.day is None) == (self.request_id is None):
            raise ValueError("either day or request_id")
        return self


class Ping(ClientFrame):
    """Keep the connection alive."""

    type: Literal["ping"]


AnyClientFrame = Submit | Subscribe | Unsubscribe | Cancel | Get | History | List | Metrics | Audit | Ping
_CLIENT_FRAME: Final[TypeAdapter[AnyClientFrame]] = TypeAdapter(Annotated[AnyClientFrame, Field(discriminator="type")])


class ServerFrame(BaseModel):
    """What every server frame may have: the id of the frame it answers."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    id: str | None = None

    def encode(self) -> str:
        """The frame as JSON text, without the fields that have no value."""
        return exact_json.encode({name: value for name, value in self.model_dump().items() if value is not None})


class EventShown(BaseModel):
    """One event of a request as its watchers see it."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    version: int
    type: str
    at: Instant
    data: dict[str, Any]


class Ack(ServerFrame):
    """The request is taken in, or its cancel is."""

    type: Literal["ack"] = "ack"
    request_id: str
    status: Status
    version: int
    duplicate: bool | None = None


class Response(ServerFrame):
    """The answer of a synchronous action."""

    type: Literal["response"] = "response"
    data: Any = None


class Subscribed(ServerFrame):
    """Watching; what was asked for is in the frame, the rest comes live.

    Of a request: `events` is everything after the version asked for, and `version` where the log ends. Events that do
    not fit the frame are left out at the end: a client whose last one is before `version` asks again with `after`.

    Of a topic: `requests` are its newest ones, or those that changed since the instant asked for, each with its
    version and state. `at` is the instant to ask from the next time; with `more`, that is now.
    """

    type: Literal["subscribed"] = "subscribed"
    request_id: str | None = None
    topic: str | None = None
    version: int = 0
    state: dict[str, Any] | None = None
    events: list[dict[str, Any]] = []
    at: Instant | None = None
    requests: list[dict[str, Any]] | None = None
    more: bool | None = None


class Unsubscribed(ServerFrame):
    """No longer watching."""

    type: Literal["unsubscribed"] = "unsubscribed"


class Request(ServerFrame):
    """A request's state at a version, with its result, or a link to a large one, once it is completed."""

    type: Literal["request"] = "request"
    request_id: str
    version: int
    state: dict[str, Any]
    result: Any = None
    result_url: str | None = None


class HistoryPage(ServerFrame):
    """Events of a request in order; `next` is what to ask `after` for more.

    `version` is where the log ends, and `state` the request's state there.
    """

    type: Literal["history"] = "history"
    request_id: str
    events: list[dict[str, Any]]
    next: int | None = None
    version: int = 0
    state: dict[str, Any] | None = None


class Requests(ServerFrame):
    """A page of requests."""

    type: Literal["requests"] = "requests"
    items: list[dict[str, Any]]
    cursor: str | None = None


class MetricsPage(ServerFrame):
    """Counts by the minute and their totals."""

    type: Literal["metrics"] = "metrics"
    rows: list[dict[str, Any]]
    totals: dict[str, Any]


class AuditPage(ServerFrame):
    """A page of the audit trail."""

    type: Literal["audit"] = "audit"
    items: list[dict[str, Any]]
    cursor: str | None = None


class Pong(ServerFrame):
    """Alive."""

    type: Literal["pong"] = "pong"
    at: Instant


class EventPush(ServerFrame):
    """A request went from `from_version` to `version`; `event` is the newest one of that range.

    `user_id` tells whose request it is, and so to which topics it belongs.
    """

    type: Literal["event"] = "event"
    request_id: str
    from_version: int
    version: int
    user_id: str | None = None
    event: dict[str, Any]
    state: dict[str, Any]


class EventsPush(ServerFrame):
    """Several pushes in one frame, in order."""

    type: Literal["events"] = "events"
    items: list[dict[str, Any]]


class Error(ServerFrame):
    """A frame that was refused, and why."""

    type: Literal["error"] = "error"
    request_id: str | None = None
    code: ErrorCode
    message: str
    details: dict[str, Any] | None = None
    retry_after_ms: int | None = None


AnyServerFrame = (
    Ack
    | Response
    | Subscribed
    | Unsubscribed
    | Request
    | HistoryPage
    | Requests
    | MetricsPage
    | AuditPage
    | Pong
    | EventPush
    | EventsPush
    | Error
)
_SERVER_FRAME: Final[TypeAdapter[AnyServerFrame]] = TypeAdapter(Annotated[AnyServerFrame, Field(discriminator="type")])


def frame_object(text: str) -> dict[str, Any]:
    """The JSON object that a frame is; a Rejected error when it is none."""
    try:
        if len(text) > FRAME_LIMIT or len(text.encode()) > FRAME_LIMIT:
            raise PayloadTooLarge(f"a frame has at most {FRAME_LIMIT} bytes")
    except UnicodeEncodeError as exc:
        raise InvalidJson("half of a surrogate pair") from exc
    value = exact_json.decode(text, exact_json.FRAME_DEPTH)
    if not isinstance(value, dict):
        raise InvalidFrame("a frame is a JSON object")
    return value


def client_frame(frame: Mapping[str, Any]) -> AnyClientFrame:
    """The client frame that an object is; InvalidFrame names each field that is wrong, never its value."""
    try:
        return _CLIENT_FRAME.validate_python(frame)
    except ValidationError as exc:
        raise InvalidFrame(reasons(exc)) from exc


def server_frame(text: str) -> AnyServerFrame:
    """The server frame that a text is; InvalidFrame when it is of no known type."""
    try:
        return _SERVER_FRAME.validate_python(exact_json.decode(text))
    except ValidationError as exc:
        raise InvalidFrame(reasons(exc)) from exc


_PLACE_SHOWN: Final = 100  # characters; a field's name may be as long as its frame, and the reply must fit one


def reasons(error: ValidationError, what: str = "") -> str:
    """What is wrong with each field of something, by the field's name and never by its value."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        _reason(problem["type"], (what, *problem["loc"]) if what else problem["loc"], problem["msg"])
        for problem in problems[:5]
    )


def _reason(kind: str, place: tuple[int | str, ...], told: str) -> str:
    if kind == "union_tag_invalid":  # what pydantic tells repeats the value
        told = "unknown type"
    return f"{'.'.join(map(str, place))[:_PLACE_SHOWN] or 'frame'}: {told}"
