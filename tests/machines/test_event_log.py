"""Several writers of the same logs, with heads that are stale, answers that are lost and calls that are sent twice.

However they meet: versions have no gap, no event is there twice, every acknowledged event is there, chains are whole.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from adapters.event_store import EventStore
from domain.errors import Conflict, Unavailable
from domain.events import AttemptStarted, Event, OutputAppended, RequestSubmitted
from domain.instant import EPOCH
from domain.recorded import Head, Origin, RecordedEvent, first_break, record
from domain.state import Status
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws
from tests.machines.staged import PAGE, TWIN, Staged, faults, run

Place = tuple[int, int]  # a writer and a request
places = st.tuples(st.integers(0, 2), st.integers(0, 1))


class Writing(Staged):
    """Three writers, two requests."""

    store: ClassVar[type[EventStore]] = EventStore

    def __init__(self) -> None:
        super().__init__()
        self.log = self.store(self.aws.dynamodb, self.aws.tables["Events"])
        self.clock = FakeClock()
        self.held: dict[Place, Head] = {}
        self.unsure: dict[Place, RecordedEvent] = {}
        self.tried: dict[str, RecordedEvent] = {}
        self.acknowledged: set[str] = set()
        self.touched = ""
        self.whole: dict[str, list[RecordedEvent]] = {}

    @rule(place=places)
    def look(self, place: Place) -> None:
        self.held[place] = self.log.head(self._request(place))

    @rule(place=places, fault=faults)
    def write(self, place: Place, fault: str) -> None:
        head = self.held.get(place, Head(self._request(place)))
        event = record(next_of(head), head, self.clock.advance(1), f"{self.name}-{len(self.tried)}", Origin("t", "u"))
        self._append(place, event, fault)

    @precondition(lambda self: self.unsure)
    @rule(which=st.integers(0, 5), fault=faults)
    def write_again_what_was_not_answered(self, which: int, fault: str) -> None:
        place = list(self.unsure)[which % len(self.unsure)]
        self._append(place, self.unsure.pop(place), fault)

    @rule(request=st.integers(0, 1), after=st.integers(0, 6), limit=st.none() | st.integers(1, 5))
    def read(self, request: int, after: int, limit: int | None) -> None:
        name = self._request((0, request))
        assert list(self.log.read(name, after, limit)) == self.whole.get(name, [])[after:][:limit]

    @precondition(lambda self: self.touched)
    @invariant()
    def the_log_is_whole(self) -> None:
        name, self.touched = self.touched, ""
        events = self.whole[name] = list(self.log.read(name))
        assert [event.version for event in events] == list(range(1, self.log.head(name).version + 1))
        assert first_break(events) is None
        ids = [event.event_id for event in events]
        assert len(set(ids)) == len(ids)
        assert all(self.tried[event.event_id] == event for event in events)
        assert {one for one in self.acknowledged if self.tried[one].request_id == name} <= set(ids)

    def _append(self, place: Place, event: RecordedEvent, fault: str) -> None:
        self.touched = event.request_id
        self.tried[event.event_id] = event
        with self.spoil("PutItem", fault):
            try:
                self.log.append(event)
            except Unavailable:
                self.unsure[place] = event
            except Conflict as conflict:
                self._require_other(event, conflict)
            else:
                self.acknowledged.add(event.event_id)
                self.held[place] = Head.of(event)

    def _require_other(self, event: RecordedEvent, conflict: Conflict) -> None:
        there = self.log.get(event.request_id, event.version).event_id
        assert conflict.context["found"] == there != event.event_id

    def _request(self, place: Place) -> str:
        return f"{self.name}-r{place[1]}"


def next_of(head: Head) -> Event:
    """An event that may follow a head."""
    match head.state.status:
        case None:
            return RequestSubmitted(action="a", digest="d", due_at=EPOCH, expires_at=EPOCH)
        case Status.PENDING:
            return AttemptStarted(attempt=1, worker_id="w", lease_until=EPOCH)
        case _:
            return OutputAppended(index=head.state.outputs, chunk=None)


class Overwriting(Writing):
    """The twin whose put has no condition."""

    removed = ("PutItem", "ConditionExpression")


class ForgivingStore(EventStore):
    """Takes every failed condition for its own write."""

    def append(self, event: RecordedEvent, slot: Any = None) -> None:
        with suppress(Conflict):
            super().append(event, slot)


class FirstPageStore(EventStore):
    """Reads one page and stops."""

    def read(self, request_id: str, after: int = 0, limit: int | None = None) -> Iterator[RecordedEvent]:
        return islice(super().read(request_id, after, limit), PAGE)


class Forgiving(Writing):
    """The twin that knows no conflict."""

    store = ForgivingStore


class FirstPage(Writing):
    """The twin that reads one page and stops."""

    store = FirstPageStore


def test_a_log_stays_whole_whoever_writes_it(aws: Aws) -> None:
    run(Writing, aws)


@pytest.mark.parametrize("twin", [Overwriting, Forgiving, FirstPage])
def test_the_machine_catches_a_store_without(aws: Aws, twin: type[Writing]) -> None:
    with pytest.raises(AssertionError):
        run(twin, aws, TWIN)
