"""What a client may get. Fields may be added: whoever reads a frame ignores those it does not know."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from domain import exact_json
from domain.errors import ErrorCode
from domain.instant_field import Instant
from domain.state import Status


class ServerFrame(BaseModel):
    """What every server frame may have: the id of the frame it answers."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    id: str | None = None

    def encode(self) -> str:
        """The frame as JSON text, without the fields that have no value."""
        return exact_json.encode(self.shown())

    def shown(self) -> dict[str, Any]:
        """The frame as an object, likewise."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


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


class Acks(ServerFrame):
    """The replies to the items of a batch, in their order: each an `ack` or an `error`."""

    type: Literal["acks"] = "acks"
    items: list[dict[str, Any]]


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


class Explanation(ServerFrame):
    """Why a request is where it is, in one sentence and in its parts.

    `position` is how many are ahead of one that waits its turn, `attempts` what became of each, `watchers` who is told
    and from when on, `view_version` how far the views have come. `held_by` names the limit that holds it back, if one
    does.
    """

    type: Literal["explanation"] = "explanation"
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
    """Counts by the minute, hour or day, with the gauges at the end of each; their totals; and the gauges now.

    Quantiles (`wait_ms_p99`, …) are within `quantile_error` of the true ones.
    """

    type: Literal["metrics"] = "metrics"
    rows: list[dict[str, Any]]
    totals: dict[str, Any]
    gauges: dict[str, int] | None = None
    quantile_error: float | None = None


class AuditPage(ServerFrame):
    """A page of the audit trail."""

    type: Literal["audit"] = "audit"
    items: list[dict[str, Any]]
    cursor: str | None = None


class ActionShown(BaseModel):
    """An action that may be submitted; `input_schema` is the JSON schema of its payload."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    name: str
    mode: Literal["sync", "async"]
    description: str = ""
    scope: str | None = None
    input_schema: dict[str, Any]


class ActionsPage(ServerFrame):
    """The actions that the caller may submit, by name."""

    type: Literal["actions"] = "actions"
    items: list[ActionShown]


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
