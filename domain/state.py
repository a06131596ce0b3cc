"""What a decision needs to know of a request: the fold of its events, small enough to be stored with each of them."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from domain import exact_json
from domain.errors import InvalidJson
from domain.events import Failure, plain
from domain.instant import EPOCH
from domain.instant_field import Instant


class Status(StrEnum):
    """Where a request is in its life."""

    __hash__ = str.__hash__  # Enum's own is Python, and a status is looked up for every event

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    RETRYING = "RETRYING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class RequestState(Struct, frozen=True, gc=False):
    """A request after some version of its log; `status` is None before the first event."""

    status: Status | None = None
    action: str = ""
    digest: str = ""
    priority: int = 5
    attempt: int = 0
    max_attempts: int = 1
    percent: float = 0.0
    message: str | None = None
    details: dict[str, Any] | None = None
    outputs: int = 0
    checkpoint: Any = None
    worker_id: str | None = None
    lease_until: Instant = EPOCH
    cancel_requested: bool = False
    cancel_by: str | None = None
    cancel_reason: str | None = None
    error: Failure | None = None
    submitted_at: Instant = EPOCH
    started_at: Instant = EPOCH
    due_at: Instant = EPOCH
    updated_at: Instant = EPOCH
    expires_at: Instant = EPOCH
    ends_by: Instant | None = None

    def is_timed_out(self, now: datetime) -> bool:
        """Whether its time is over, if it was given one."""
        return self.ends_by is not None and now >= self.ends_by

    @property
    def is_final(self) -> bool:
        """Whether the request has ended: no event ever follows."""
        return self.status in FINAL

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON, without what has its default."""
        return {name: plain(value) for name in _FIELDS if (value := getattr(self, name)) != _DEFAULTS[name]}

    def public(self) -> dict[str, Any]:
        """The part of the snapshot that clients see."""
        shown = self.snapshot()
        return {"status": None, "attempt": 0, "percent": 0.0} | {
            name: value for name, value in shown.items() if name not in _PRIVATE
        }

    @classmethod
    def of(cls, snapshot: str) -> "RequestState":
        """The state that a snapshot's JSON stands for; fields of newer code are ignored. InvalidJson for any other."""
        exact_json.require_shallow_text(snapshot)
        try:
            state = _READ(snapshot)
        except exact_json.UNREADABLE as exc:
            raise InvalidJson(str(exc)) from exc
        for name in _INSTANTS:
            if (moment := getattr(state, name)) is not None and moment.tzinfo is not UTC:
                raise InvalidJson(f"{name}: an instant is kept in UTC")
        return state


INITIAL: Final = RequestState()
_READ: Final = exact_json.reader(RequestState)
_FIELDS: Final = RequestState.__struct_fields__
_DEFAULTS: Final = {name: getattr(INITIAL, name) for name in _FIELDS}
_INSTANTS: Final = (*(name for name in _FIELDS if isinstance(_DEFAULTS[name], datetime)), "ends_by")
_PRIVATE: Final = frozenset({"digest", "worker_id", "lease_until", "checkpoint"})
