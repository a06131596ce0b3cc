"""The projections that a recording can be replayed through, in one place; each gives the rows that it would write.

Rows are as their table has them, but what is kept as JSON text is shown as JSON.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from domain import exact_json
from domain.instant import to_text
from domain.recorded import RecordedEvent
from projections import audit, catalog, dispatch, fan_out, metrics, presence, requests
from projections.cursor import Cursor
from projections.intents import Add, Once, Put, merged
from tools.replay import Told

Row = dict[str, Any]

SHARDS: Final = 1  # as template.yaml has it unless told otherwise
_JSON_TEXT: Final = frozenset({"state", "detail"})


@dataclass(frozen=True, slots=True)
class Projection:
    """What it makes of a recording, and the columns that a table of its rows has for people."""

    rows: Callable[[Told], list[Row]]
    columns: Sequence[str]


def request_rows(told: Told) -> list[Row]:
    """The requests view. Of a request whose first events are missing, what its later ones write."""
    return [_row(requests.project(events[0].version - 1, events, SHARDS)) for events in told.requests]


def audit_rows(told: Told) -> list[Row]:
    """The audit view: an entry an event of a life cycle, and one for each who came or went."""
    puts = chain.from_iterable(audit.project(events) for events in told.requests)
    markers = [presence.project(change)[0] for change in told.changes]
    return _ordered([*map(_row, puts), *map(_row, markers)], "entry")


def metric_rows(told: Told) -> list[Row]:
    """The metrics view: counts by scope and minute."""
    adds = [*chain.from_iterable(catalog.counts(events, _before(events)) for events in told.requests)]
    adds += (intent for change in told.changes for intent in presence.project(change) if isinstance(intent, Add))
    rows = [{**add.key, **add.counts, **add.attributes} for add in merged(adds)]
    return _ordered(rows, "scope", "minute")


def _before(events: Sequence[RecordedEvent]) -> Cursor:
    """The cursor that the events follow; of a request whose first events are missing, nothing is known but that."""
    missing = events[0].version - 1
    return Cursor(missing, None, missing)


def dispatch_rows(told: Told) -> list[Row]:
    """The work tokens: one for each request that waits for a worker at the end of the recording."""
    wakes = chain.from_iterable(dispatch.project(events[-1]) for events in told.requests)
    return [{"request_id": wake.request_id, "due_at": to_text(wake.turn.due_at)} for wake in wakes]


def fan_out_rows(told: Told) -> list[Row]:
    """The frames that one watcher of each topic is sent if the whole recording comes as one batch."""
    watchers = {topic: [topic] for topic in fan_out.topics(chain.from_iterable(told.requests))}
    sends = fan_out.project(told.requests, watchers)
    return [{"watcher": send.connection_id, "frame": exact_json.decode(send.text)} for send in sends]


PROJECTIONS: Final[Mapping[str, Projection]] = {
    "requests": Projection(request_rows, ("request_id", "action", "status", "version", "submitted_at")),
    "audit": Projection(audit_rows, ("at", "type", "user_id", "detail")),
    "metrics": Projection(metric_rows, ("scope", "minute", *metrics.COUNTED.values())),
    "dispatch": Projection(dispatch_rows, ("request_id", "due_at")),
    "fan_out": Projection(fan_out_rows, ("watcher", "frame")),
}


def _row(intent: Put | Once) -> Row:
    written = {**intent.key, **intent.attributes}
    return {
        name: exact_json.decode(value) if name in _JSON_TEXT and isinstance(value, str) else value
        for name, value in written.items()
        if value is not None
    }


def _ordered(rows: Iterable[Row], *key: str) -> list[Row]:
    return sorted(rows, key=lambda row: [row[name] for name in key])
