"""What a client may get. Fields may be added: whoever reads a frame ignores those it does not know."""

from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct, ValidationError

from domain import exact_json
from domain.errors import ErrorCode, InvalidFrame, InvalidJson
from domain.instant import to_text
from domain.instant_field import Instant
from domain.state import Status

FRAME_LIMIT: Final = 128 * 1024  # bytes; API Gateway closes the socket above it (code 1009)
FRAME_TARGET: Final = 32 * 1024  # bytes; API Gateway bills in steps of this


class Shown(Struct, frozen=True, kw_only=True):
    """What a client is shown of something."""

    def shown(self) -> dict[str, Any]:
        """It as an object, without the fields that have no value."""
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: _plain(value) for name, value in fields if value is not None}


class ServerFrame(Shown, frozen=True, kw_only=True, tag_field="type"):
    """What every server frame may have: the id of the frame it answers."""

    id: str | None = None

    @property
    def type(self) -> str:
        """The frame's name on the wire."""
        return str(self.__struct_config__.tag)

    def shown(self) -> dict[str, Any]:
        """The frame as an object, without the fields that have no value."""
        return {"type": self.type, **super().shown()}

    def encode(self) -> str:
        """The frame as JSON text, likewise."""
        return exact_json.encode(self.shown())


class EventShown(Shown, frozen=True, kw_only=True):
    """One event of a request as its watchers see it."""

    version: int
    type: str
    at: Instant
    data: dict[str, Any]


class Ack(ServerFrame, frozen=True, kw_only=True, tag="ack"):
    """The request is taken in, or its cancel is."""

    request_id: str
    status: Status
    version: int
    duplicate: bool | None = None


class Acks(ServerFrame, frozen=True, kw_only=True, tag="acks"):
    """The replies to the items of a batch, in their order: each an `ack` or an `error`."""

    items: list[dict[str, Any]]


class Response(ServerFrame, frozen=True, kw_only=True, tag="response"):
    """The answer of a synchronous action."""

    data: Any = None


class Subscribed(ServerFrame, frozen=True, kw_only=True, tag="subscribed"):
    """Watching; what was asked for is in the frame, the rest comes live.

    Of a request: `events` is everything after the version asked for, and `version` where the log ends. Events that do
    not fit the frame are left out at the end: a client whose last one is before `version` asks again with `after`.

    Of a topic: `requests` are its newest ones, each with its version and state, or those that changed since the instant
    asked for, each with its version. `at` is the instant to ask from the next time; with `more`, that is now.
    """

    request_id: str | None = None
    topic: str | None = None
    version: int = 0
    state: dict[str, Any] | None = None
    events: list[dict[str, Any]] = []
    at: Instant | None = None
    requests: list[dict[str, Any]] | None = None
    more: bool | None = None


class Unsubscribed(ServerFrame, frozen=True, kw_only=True, tag="unsubscribed"):
    """No longer watching."""


class Request(ServerFrame, frozen=True, kw_only=True, tag="request"):
    """A request's state at a version, with its result, or a link to a large one, once it is completed."""

    request_id: str
    version: int
    state: dict[str, Any]
    result: Any = None
    result_url: str | None = None


class Explanation(ServerFrame, frozen=True, kw_only=True, tag="explanation"):
    """Why a request is where it is, in one sentence and in its parts.

    `position` is how many are ahead of one that waits its turn, `attempts` what became of each, `view_version` how far
    the views have come. `held_by` names the limit that holds it back, if one does. `watchers` has who is told, and in
    `delivered` what is known of that: the version that its client had when it last asked (`seen`, at `asked_at`), up to
    which that was answered (`told`), and what was not taken since (`missed`), which is left to its client to ask for.
    """

    request_id: str
    version: int
    why: str
    state: dict[str, Any]
    position: int | None = None
    held_by: str | None = None
    due_at: str | None = None
    view_version: int = 0
    attempts: list[dict[str, Any]] = []
    watchers: list[dict[str, Any]] = []


class HistoryPage(ServerFrame, frozen=True, kw_only=True, tag="history"):
    """Events of a request in order; `next` is what to ask `after` for more.

    `version` is where the log ends, and `state` the request's state there.
    """

    request_id: str
    events: list[dict[str, Any]]
    next: int | None = None
    version: int = 0
    state: dict[str, Any] | None = None


class Requests(ServerFrame, frozen=True, kw_only=True, tag="requests"):
    """A page of requests."""

    items: list[dict[str, Any]]
    cursor: str | None = None


class MetricsPage(ServerFrame, frozen=True, kw_only=True, tag="metrics"):
    """Counts by the minute, hour or day, with the gauges at the end of each; their totals; and the gauges now.

    Where more than 11,000 rows of minutes have come since, the gauges at the end of each are left out.
    Quantiles (`wait_ms_p99`, …) are within `quantile_error` of the true ones.
    """

    rows: list[dict[str, Any]]
    totals: dict[str, Any]
    gauges: dict[str, int] | None = None
    quantile_error: float | None = None


class AuditPage(ServerFrame, frozen=True, kw_only=True, tag="audit"):
    """A page of the audit trail."""

    items: list[dict[str, Any]]
    cursor: str | None = None


class ActionShown(Shown, frozen=True, kw_only=True):
    """An action that may be submitted; `input_schema` is the JSON schema of its payload."""

    name: str
    mode: Literal["sync", "async"]
    description: str = ""
    scope: str | None = None
    input_schema: dict[str, Any]


class ActionsPage(ServerFrame, frozen=True, kw_only=True, tag="actions"):
    """The actions that the caller may submit, by name."""

    items: list[ActionShown]


class Pong(ServerFrame, frozen=True, kw_only=True, tag="pong"):
    """Alive."""

    at: Instant


class EventPush(ServerFrame, frozen=True, kw_only=True, tag="event"):
    """A request went from `from_version` to `version`; `event` is the newest one of that range.

    `user_id` tells whose request it is, and so to which topics it belongs.
    """

    request_id: str
    from_version: int
    version: int
    user_id: str | None = None
    event: dict[str, Any]
    state: dict[str, Any]


class EventsPush(ServerFrame, frozen=True, kw_only=True, tag="events"):
    """Several pushes in one frame, in order."""

    items: list[dict[str, Any]]


class Error(ServerFrame, frozen=True, kw_only=True, tag="error"):
    """A frame that was refused, and why."""

    request_id: str | None = None
    code: ErrorCode
    message: str
    details: dict[str, Any] | None = None
    retry_after_ms: int | None = None


AnyServerFrame = (
    Ack
    | Acks
    | Response
    | Subscribed
    | Unsubscribed
    | Request
    | Explanation
    | HistoryPage
    | Requests
    | MetricsPage
    | AuditPage
    | ActionsPage
    | Pong
    | EventPush
    | EventsPush
    | Error
)
_READ: Final[Any] = exact_json.reader(AnyServerFrame)  # type: ignore[arg-type]


def server_frame(text: str) -> AnyServerFrame:
    """The server frame that a text is; InvalidJson when it is not JSON, InvalidFrame when it is of no known type."""
    exact_json.require_shallow_text(text)
    try:
        return _READ(text)  # type: ignore[no-any-return]
    except ValidationError as exc:
        raise InvalidFrame(str(exc)) from exc
    except exact_json.UNREADABLE as exc:
        raise InvalidJson(str(exc)) from exc


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return to_text(value)
        case list() if value and isinstance(value[0], Shown):
            return [one.shown() for one in value]
        case _:
            return value
