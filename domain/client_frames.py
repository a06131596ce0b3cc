"""What a client may send. Unknown fields are refused: a misspelt one would be taken for its default."""

from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta, field

from domain import validity
from domain.instant_field import Instant, WithInstants
from domain.state import Status

MAX_BATCH: Final = 25
MAX_DELAY: Final = validity.LONGEST_DELAY
MAX_VERSION: Final = validity.MAX_VERSION

_PRINTABLE: Final = r"^[\x20-\x7e]+$(?!\n)"  # in Python $ also stands before a line's end
FrameId = Annotated[str, Meta(min_length=1, max_length=128, pattern=_PRINTABLE)]
RequestId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}$(?!\n)")]
Key = Annotated[str, Meta(min_length=1, max_length=128, pattern=_PRINTABLE)]
Label = Annotated[str, Meta(min_length=1, max_length=256)]
Limit = Annotated[int, Meta(ge=1, le=200)]
Version = Annotated[int, Meta(ge=0, le=MAX_VERSION)]
Topic = Annotated[str, Meta(min_length=1, max_length=262, pattern=_PRINTABLE)]  # user#128#128
ActionName = Annotated[str, Meta(min_length=1, max_length=64)]
Cursor = Annotated[str, Meta(max_length=2048)]
_LONGEST_S: Final = int(MAX_DELAY.total_seconds())


class ClientFrame(WithInstants, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every client frame may have: an id, echoed in the reply."""

    id: FrameId | None = None

    @property
    def type(self) -> str:
        """The frame's name on the wire."""
        return str(self.__struct_config__.tag)


class Submit(ClientFrame, frozen=True, kw_only=True, tag="submit"):
    """Ask for work.

    It waits `delay_s` before it may begin. From then on it may take `timeout_s`, all attempts and waits together,
    before it fails as TIMEOUT. The `idempotency_key` names the request: the same key of the same user always leads to
    the same one. The `submission_id` tells a frame that is sent again, its reply being lost, from another submission:
    client libraries make a new one for each submit. It works like a key, but where nothing is kept, in synchronous
    actions, it is ignored and a key is refused.
    """

    action: ActionName
    payload: Any = None
    idempotency_key: Key | None = None
    submission_id: Key | None = None
    priority: Annotated[int, Meta(ge=0, le=9)] = 5
    delay_s: Annotated[int, Meta(ge=0, le=_LONGEST_S)] = 0
    timeout_s: Annotated[int, Meta(ge=1, le=_LONGEST_S)] | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=20)] | None = None
    subscribe: bool = True
    metadata: Annotated[dict[Key, Label], Meta(max_length=16)] | None = None


class SubmitBatch(ClientFrame, frozen=True, kw_only=True, tag="submit_batch"):
    """Ask for several pieces of work at once. Each item is a `submit` frame, whose type may be left out.

    Items are looked at one by one: what is wrong with one of them does not concern the others.
    """

    items: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MAX_BATCH)]


class _OneTarget(ClientFrame, frozen=True, kw_only=True):
    request_id: RequestId | None = None
    topic: Topic | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.request_id is None) == (self.topic is None):
            raise ValueError("either request_id or topic")


class Subscribe(_OneTarget, frozen=True, kw_only=True, tag="subscribe"):
    """Watch a request from after a version on, or a topic: from now on, or from an instant that was given as `at`."""

    instants: ClassVar[tuple[str, ...]] = ("since",)
    after: Version = 0
    since: Instant | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.since is not None and self.topic is None:
            raise ValueError("since goes with a topic")


class Unsubscribe(_OneTarget, frozen=True, kw_only=True, tag="unsubscribe"):
    """Stop watching."""


class Cancel(ClientFrame, frozen=True, kw_only=True, tag="cancel"):
    """Ask a request to stop."""

    request_id: RequestId
    reason: Label | None = None


class Get(ClientFrame, frozen=True, kw_only=True, tag="get"):
    """Ask for a request's state, now or as it was: at a version, or at an instant."""

    instants: ClassVar[tuple[str, ...]] = ("at",)
    request_id: RequestId
    at_version: Annotated[int, Meta(ge=1, le=MAX_VERSION)] | None = None
    at: Instant | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at is not None and self.at_version is not None:
            raise ValueError("either at_version or at")


class Explain(ClientFrame, frozen=True, kw_only=True, tag="explain"):
    """Ask why a request is where it is."""

    request_id: RequestId


class History(ClientFrame, frozen=True, kw_only=True, tag="history"):
    """Ask for a request's events."""

    request_id: RequestId
    after: Version = 0
    limit: Limit = 100


class List(ClientFrame, frozen=True, kw_only=True, tag="list"):
    """Ask for requests, newest first."""

    status: Status | None = None
    scope: Literal["own", "tenant"] = "own"
    limit: Limit = 20
    cursor: Cursor | None = None


class Metrics(ClientFrame, frozen=True, kw_only=True, tag="metrics"):
    """Ask for the tenant's counts between two instants; without a resolution, by the finest step that fits.

    Of more than 11,000 rows of minutes (a week of a tenant busy in each) the error tells up to when to ask.
    """

    instants: ClassVar[tuple[str, ...]] = ("from_", "to")
    from_: Instant = field(name="from")
    to: Instant
    action: ActionName | None = None
    resolution: Literal["minute", "hour", "day"] | None = None


class Audit(ClientFrame, frozen=True, kw_only=True, tag="audit"):
    """Ask who did what: on a day across the tenant, or one user of it, or to one request."""

    day: date | None = None
    request_id: RequestId | None = None
    user_id: Label | None = None
    limit: Limit = 100
    cursor: Cursor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.day is None) == (self.request_id is None):
            raise ValueError("either day or request_id")
        if self.user_id is not None and self.day is None:
            raise ValueError("user_id goes with day")


class Actions(ClientFrame, frozen=True, kw_only=True, tag="actions"):
    """Ask which actions one may submit."""


class Ping(ClientFrame, frozen=True, kw_only=True, tag="ping"):
    """Keep the connection alive."""
