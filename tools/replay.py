"""Replaying a recording: what its records tell, each thing once, and what a projection makes of it.

No view, no log and no clock is asked: the same recording always leads to the same rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from adapters.stream_records import Delivered, Record, by_request, change_of, event_of
from domain.errors import Undecodable
from domain.recorded import RecordedEvent
from projections.presence import Change
from tools.recording import Found

_NO_RECORD: Record = {}


@dataclass(frozen=True, slots=True)
class Told:
    """What a recording tells: the events of each request by version, and who came and went, in order of time."""

    requests: tuple[tuple[RecordedEvent, ...], ...]
    changes: tuple[Change, ...]

    def incomplete(self) -> list[str]:
        """The requests of which events are missing: the projections would get those from the log."""
        return [
            events[0].request_id
            for events in self.requests
            if events[0].version != 1 or any(after.version != before.version + 1 for before, after in pairwise(events))
        ]


@dataclass(slots=True)
class Reading:
    """Records as they are read, and how many of them told something again, nothing, or what no code can read."""

    read: int = 0
    duplicate: int = 0
    skipped: int = 0
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    _delivered: list[Delivered] = field(default_factory=list)
    _events: dict[tuple[str, int], str] = field(default_factory=dict)
    _changes: dict[tuple[str, ...], Change] = field(default_factory=dict)

    def take(self, found: Found) -> None:
        """Take in what is at one place of a recording."""
        self.read += 1
        if found.record is None:
            self.unreadable.append((found.line, found.reason))
            return
        try:
            self._take(found.record)
        except Undecodable as exc:
            self.unreadable.append((found.line, str(exc)))

    def told(self) -> Told:
        """What all of it tells, however often and in whatever order it was recorded."""
        groups = by_request(self._delivered)
        return Told(
            tuple(tuple(one.event for one in groups[request_id]) for request_id in sorted(groups)),
            tuple(
                sorted(self._changes.values(), key=lambda one: (one.at, one.connection_id, one.topic or "", one.type))
            ),
        )

    def _take(self, record: Record) -> None:
        match _keys(record), record.get("eventName"):
            case {"request_id": _, "version": _}, "REMOVE":
                self.skipped += 1  # its time to live was over; Lambda's filter holds this back
            case {"request_id": _, "version": _}, _:
                self._take_event(event_of(record))
            case {"connection_id": _} as keys, _:
                self._take_change(change_of(record, is_subscription="topic" in keys))
            case _:
                raise Undecodable("of no table that has a projection")

    def _take_event(self, event: RecordedEvent) -> None:
        event.event()
        event.snapshot()
        place = (event.request_id, event.version)
        if place not in self._events:
            self._events[place] = event.event_id
            self._delivered.append(Delivered(event, _NO_RECORD))
        elif self._events[place] == event.event_id:
            self.duplicate += 1
        else:
            raise Undecodable("another event has this version", request_id=event.request_id, version=event.version)

    def _take_change(self, change: Change | None) -> None:
        if change is None:
            self.skipped += 1  # an update tells of nobody who came or went
            return
        life = (change.type, change.connection_id, change.topic or "", change.made_at)
        self.duplicate += life in self._changes
        self._changes.setdefault(life, change)


def reading(found: Iterable[Found]) -> Reading:
    """All of a recording, read."""
    made = Reading()
    for one in found:
        made.take(one)
    return made


def _keys(record: Record) -> Mapping[str, object]:
    change = record.get("dynamodb")
    keys = change.get("Keys") if isinstance(change, dict) else None
    return keys if isinstance(keys, dict) else {}
