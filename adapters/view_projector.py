"""Bringing the views up to a batch of the log's stream records.

A record is only a doorbell: it tells that a request reached a version. What the view has not seen yet comes from the
batch where it follows on, else from the log. In this order, so that a crash between any two calls loses nothing:

    1. audit entries   overwrites: written again on redelivery
    2. rows + counts   one transaction, guarded by the rows' versions: happens once
    3. work tokens     derived from the newest event: sent again on redelivery
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.quarantine import Quarantine
from adapters.stream_records import Delivered, Record, by_request, event_of
from adapters.views import TRANSACTION_LIMIT, Behind, Unmoved, Views
from adapters.work_tokens import WorkTokens
from domain.errors import Unavailable, Undecodable
from domain.recorded import RecordedEvent
from projections import catalog, dispatch, metrics, requests
from projections.cursor import Cursor
from projections.intents import Add, Put, Sums

NO_RECORD: Final[Record] = {}
_TRIES: Final = 5


class Outcome(Struct):
    """What became of a batch: the records to deliver again and why, how many no code could read, and what was counted.

    The counts are by action, over all tenants.
    """

    not_handled: list[Record] = field(default_factory=list)
    error: Unavailable | None = None
    quarantined: int = 0
    counted: dict[str, Counter[str]] = field(default_factory=dict)


class _Batch(Struct):
    """A delivery on its way: each request's records, and how far the request's view has come."""

    groups: dict[str, list[Delivered]] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    reached: dict[str, int] = field(default_factory=dict)
    missing: dict[str, list[RecordedEvent]] = field(default_factory=dict)
    quarantined: int = 0
    counted: dict[str, Counter[str]] = field(default_factory=dict)

    def newest(self) -> list[RecordedEvent]:
        """The newest event of each request whose views are up to it."""
        known = {name: self.missing.get(name, [one[-1].event])[-1] for name, one in self.groups.items()}
        return [event for name, event in known.items() if event.version == self.reached.get(name)]

    def behind(self) -> list[Record]:
        """The records that the views have not seen."""
        return [
            one.record
            for request_id, deliveries in self.groups.items()
            for one in deliveries
            if one.event.version > self.reached.get(request_id, 0)
        ]


class ViewProjector:
    """Keeps the requests, audit and metrics views, and wakes workers."""

    def __init__(
        self,
        events: EventStore,
        views: Views,
        tokens: WorkTokens,
        quarantine: Quarantine,
        clock: Clock,
        shards: int,
    ) -> None:
        self._events = events
        self._views = views
        self._tokens = tokens
        self._quarantine = quarantine
        self._clock = clock
        self._shards = shards

    def project(self, records: Sequence[Record]) -> Outcome:
        """Bring the views up to the records; a record that no code can read is quarantined and counts as handled."""
        batch = _Batch()
        return self._project(records, batch, lambda: self._read(records, batch))

    def catch_up(self, newest: Iterable[RecordedEvent]) -> Outcome:
        """Bring the views up to events that no record tells of; what no code can read is left as it is, and counted."""
        batch = _Batch(groups={event.request_id: [Delivered(event, NO_RECORD)] for event in newest})
        return self._project((), batch, lambda: None)

    def _project(self, records: Sequence[Record], batch: _Batch, read: Callable[[], None]) -> Outcome:
        error: Unavailable | None = None
        try:
            read()
            self._catch_up(batch)
        except Unavailable as exc:
            error = exc
        try:
            # Also of those that were brought up before something failed: what is handled is not delivered again.
            wakes = [wake for event in batch.newest() for wake in dispatch.project(event)]
            self._tokens.send(wakes, self._clock.now())
        except Unavailable as exc:
            return Outcome(list(records), exc, batch.quarantined, batch.counted)
        left = batch.behind() or list(records) if error else []
        return Outcome(left, error, batch.quarantined, batch.counted)

    def _read(self, records: Iterable[Record], batch: _Batch) -> None:
        delivered = []
        for record in records:
            try:
                event = event_of(record)
                event.event()
                event.snapshot()
                delivered.append(Delivered(event, record))
            except Undecodable as exc:
                self._keep([record], exc, batch)
        batch.groups = by_request(delivered)

    def _catch_up(self, batch: _Batch) -> None:
        """Bring every request's views up to its newest event."""
        for _ in range(_TRIES):
            batch.cursors = self._views.cursors(batch.groups)
            batch.reached = {request_id: cursor.version for request_id, cursor in batch.cursors.items()}
            batch.missing = self._missing(batch)
            try:
                self._write(batch.missing, batch)
            except Behind:
                continue  # another reader of the same events was there: look again
            return
        raise Unavailable("the views keep moving", requests=len(batch.groups))

    def _missing(self, batch: _Batch) -> dict[str, list[RecordedEvent]]:
        """The events that follow each cursor: of the batch if it has them without a gap, else of the log."""
        missing: dict[str, list[RecordedEvent]] = {}
        for request_id, deliveries in list(batch.groups.items()):
            cursor = batch.reached[request_id]
            new = [one.event for one in deliveries if one.event.version > cursor]
            if new and [event.version for event in new] != list(range(cursor + 1, cursor + 1 + len(new))):
                try:
                    new = list(self._events.read(request_id, cursor))
                except Undecodable as exc:
                    self._set_aside(request_id, exc, batch)
                    continue
            if new:
                missing[request_id] = new
        return missing

    def _write(self, missing: Mapping[str, Sequence[RecordedEvent]], batch: _Batch) -> None:
        entries: list[Put] = []
        steps: list[tuple[Put, list[Add]]] = []
        for request_id, events in missing.items():
            try:
                steps += self._steps(events, batch.cursors[request_id])
                entries += catalog.entries(events)
            except Undecodable as exc:
                self._set_aside(request_id, exc, batch)
        self._views.overwrite(entries)
        self._commit_steps(steps, batch)

    def _commit_steps(self, steps: Iterable[tuple[Put, list[Add]]], batch: _Batch) -> None:
        """Write the steps, those of one request in order: with counts in transactions, the others by themselves."""
        plain: list[Put] = []
        puts: list[Put] = []
        sums = Sums()
        for put, counts in steps:
            if puts and (len(puts) + 1 + sums.rows_with(counts) > TRANSACTION_LIMIT or puts[-1].key == put.key):
                self._commit(puts, sums, batch)
                puts, sums = [], Sums()
            if plain and plain[-1].key == put.key:
                self._update(plain, batch)
                plain = []
            if counts:
                puts.append(put)
                sums.take(counts)
            else:
                plain.append(put)
        self._commit(puts, sums, batch)
        self._update(plain, batch)

    def _steps(self, events: Sequence[RecordedEvent], before: Cursor) -> list[tuple[Put, list[Add]]]:
        """The row after the events, with what they add; in as many steps as it takes to fit a transaction each."""
        adds = catalog.counts(events, before)
        if len(adds) >= TRANSACTION_LIMIT:
            half = len(events) // 2
            first = self._steps(events[:half], before)
            return [*first, *self._steps(events[half:], requests.cursor_after(before, events[:half]))]
        return [(requests.project(before.version, events, self._shards), adds)]

    def _update(self, puts: Sequence[Put], batch: _Batch) -> None:
        if not puts:
            return
        try:
            self._views.update(puts)
        except Unmoved as exc:
            _note([put for put in puts if put.key not in exc.context["keys"]], batch)
            raise
        _note(puts, batch)

    def _commit(self, puts: Sequence[Put], sums: Sums, batch: _Batch) -> None:
        if puts:
            adds = sums.intents()
            self._views.commit([*puts, *adds])
            _note(puts, batch)
            for action, counts in metrics.by_action(adds):
                batch.counted.setdefault(action, Counter()).update(counts)

    def _set_aside(self, request_id: str, reason: Undecodable, batch: _Batch) -> None:
        """Quarantine what the batch has of a request: its view stays where it is, the others go on."""
        self._keep([one.record for one in batch.groups[request_id]], reason, batch)
        del batch.groups[request_id]

    def _keep(self, records: Iterable[Record], reason: Undecodable, batch: _Batch) -> None:
        for record in records:
            if record is not NO_RECORD:
                self._quarantine.keep(record, reason)
            batch.quarantined += 1


def _note(puts: Iterable[Put], batch: _Batch) -> None:
    for put in puts:
        batch.reached[put.key["request_id"]] = int(put.attributes["version"] or 0)
