"""What a decision needs to know of a request: the fold of its events, small enough to be stored with each of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from domain.events import Failure
from domain.instant import EPOCH, from_text, to_text


class Status(StrEnum):
    """Where a request is in its life."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    RETRYING = "RETRYING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


FINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class RequestState:
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
    lease_until: datetime = EPOCH
    cancel_requested: bool = False
    cancel_by: str | None = None
    cancel_reason: str | None = None
    error: Failure | None = None
    submitted_at: datetime = EPOCH
    started_at: datetime = EPOCH
    due_at: datetime = EPOCH
    updated_at: datetime = EPOCH
    expires_at: datetime = EPOCH
    ends_by: datetime | None = None

    def is_timed_out(self, now: datetime) -> bool:
        """Whether its time is over, if it was given one."""
        return self.ends_by is not None and now >= self.ends_by

    @property
    def is_final(self) -> bool:
        """Whether the request has ended: no event ever follows."""
        return self.status in FINAL

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON, without what has its default."""
        return {name: _to_json(value) for name in _FIELDS if (value := getattr(self, name)) != _DEFAULTS[name]}

    def public(self) -> dict[str, Any]:
        """The part of the snapshot that clients see."""
        shown = self.snapshot()
        return {"status": None, "attempt": 0, "percent": 0.0} | {
            name: value for name, value in shown.items() if name not in _PRIVATE
        }

    @classmethod
    def from_snapshot(cls, snapshot: dict[str, Any]) -> "RequestState":
        """The state that a snapshot stands for; fields of newer code are ignored."""
        return cls(**{name: _FROM_JSON.get(name, _same)(value) for name, value in snapshot.items() if name in _FIELDS})


INITIAL: Final = RequestState()
_FIELDS: Final = tuple(field.name for field in fields(RequestState))
_DEFAULTS: Final = {name: getattr(INITIAL, name) for name in _FIELDS}
_PRIVATE: Final = frozenset({"digest", "worker_id", "lease_until", "checkpoint"})
_FROM_JSON: Final[Mapping[str, Callable[[Any], Any]]] = {
    "status": Status,
    "percent": float,
    "error": Failure.model_validate,
    "ends_by": from_text,
    **{name: from_text for name in _FIELDS if isinstance(_DEFAULTS[name], datetime)},
}


def _same(value: Any) -> Any:
    return value


def _to_json(value: Any) -> Any:
    match value:
        case datetime():
            return to_text(value)
        case Failure():
            return value.model_dump()
        case Status():
            return value.value
        case _:
            return value
