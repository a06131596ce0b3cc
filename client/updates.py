"""What a watcher gets: one update for each step of a request, read from the frames of the protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct, ValidationError, convert

from client.errors import UnreadableReply
from domain.instant import EPOCH
from domain.instant_field import Instant
from domain.protocol import EventPush, EventShown, EventsPush, HistoryPage, Subscribed
from domain.state import FINAL

State = Mapping[str, Any]
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A request went from `from_version` to `version`; type, at and data are those of the newest event.

    `state` is the request's state after it, or None for an event out of the middle of what was caught up with.
    `user_id` tells whose request it is, where the server told.
    """

    request_id: str
    from_version: int
    version: int
    type: str
    at: datetime
    data: Mapping[str, Any]
    state: State | None = None
    user_id: str | None = None

    @property
    def skipped(self) -> int:
        """How many older progress events it stands for besides its own."""
        return self.version - self.from_version

    @property
    def is_final(self) -> bool:
        """Whether no update can follow."""
        return is_final(self.state)

    @property
    def percent(self) -> float | None:
        """How far the request is, where this update tells."""
        told = self.data.get("percent", None if self.state is None else self.state.get("percent"))
        return None if told is None else float(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the log said to a `subscribe` or `history`: its newest version, its state, and the events asked for."""

    version: int
    state: State | None
    updates: tuple[Update, ...]


class Changed(Struct, frozen=True):
    """A request of a topic that has come to a version."""

    request_id: str
    version: int


class Row(Changed, frozen=True):
    """A request of a topic, as it is now."""

    state: dict[str, Any]


class StateFields(Struct, frozen=True):
    """What this library itself looks at in a state; the rest is for its user."""

    status: str | None = None
    percent: float | None = None
    error: dict[str, Any] | None = None
    cancel_by: str | None = None
    cancel_reason: str | None = None
    submitted_at: Instant = EPOCH
    updated_at: Instant = EPOCH


def is_final(state: State | None) -> bool:
    """Whether a request in this state has ended."""
    return state is not None and state.get("status") in FINAL


def updates_of(frame: EventPush | EventsPush) -> tuple[Update, ...]:
    """The updates in a pushed frame, in its order; UnreadableReply when one does not fit the protocol."""
    pushes = [frame] if isinstance(frame, EventPush) else [_read(item, EventPush, "a push") for item in frame.items]
    for push in pushes:
        read_state(push.state)
    return tuple(
        _update(push.request_id, _read(push.event, EventShown, "a push"), push.state, push.from_version, push.user_id)
        for push in pushes
    )


def answer_of(frame: Subscribed | HistoryPage) -> Answer:
    """The answer in a `subscribed` or `history` frame; UnreadableReply when it does not fit the protocol."""
    read_state(frame.state)
    updates = tuple(
        _update(frame.request_id or "", event, frame.state if event.version == frame.version else None)
        for event in events_of(frame)
    )
    return Answer(version=frame.version, state=frame.state, updates=updates)


def events_of(frame: Subscribed | HistoryPage) -> list[EventShown]:
    """The events in the answer; UnreadableReply when one does not fit the protocol."""
    return [_read(event, EventShown, f"an event of `{frame.type}`") for event in frame.events]


def changes_of(frame: Subscribed) -> list[Changed]:
    """The requests of a topic in an answer since an instant; UnreadableReply when one does not fit the protocol."""
    return [_read(row, Changed, f"a change of `{frame.type}`") for row in frame.requests or ()]


def rows_of(frame: Subscribed) -> list[Row]:
    """The requests of a topic in the first answer; UnreadableReply when one does not fit the protocol."""
    rows = [_read(row, Row, f"a request of `{frame.type}`") for row in frame.requests or ()]
    for row in rows:
        read_state(row.state)
    return rows


def read_state(state: State | None) -> StateFields:
    """What a state says that this library looks at; UnreadableReply when it does not fit the protocol."""
    return _read(state or {}, StateFields, "a state")


def _read(value: Any, kind: type[Kind], what: str) -> Kind:
    try:
        return convert(value, kind)
    except ValidationError as exc:
        raise UnreadableReply(what) from exc


def _update(
    request_id: str,
    event: EventShown,
    state: State | None,
    from_version: int | None = None,
    user_id: str | None = None,
) -> Update:
    return Update(
        request_id=request_id,
        from_version=event.version if from_version is None else from_version,
        version=event.version,
        type=event.type,
        at=event.at,
        data=event.data,
        state=state,
        user_id=user_id,
    )
