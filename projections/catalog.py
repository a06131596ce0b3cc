"""Every projection that is kept as a view of the log, by name: a new one is its file and its line here.

The projector, `streamer rebuild` and `streamer replay` all go by these two tables. The requests view is not among them:
it is the cursor that all the others are guarded by.

    ENTRIES   rows that follow from one event each; written again, they are the same (Put, without `after`)
    COUNTS    sums, added in the transaction that moves the cursor of the events' request (Add). Rows in the Metrics
              table have a scope that starts with =NAME#, but for those of `metrics` itself
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from domain.recorded import RecordedEvent
from projections import audit, gauges, metrics
from projections.cursor import Cursor
from projections.intents import Add, Put, merged

ENTRIES: Final[Mapping[str, Callable[[Iterable[RecordedEvent]], list[Put]]]] = {
    "audit": audit.project,
}
COUNTS: Final[Mapping[str, Callable[[Sequence[RecordedEvent], Cursor], list[Add]]]] = {
    "metrics": metrics.project,
    "gauges": gauges.project,
}


def entries(events: Sequence[RecordedEvent]) -> list[Put]:
    """The entries of a request's events in every view that has some."""
    return [put for project in ENTRIES.values() for put in project(events)]


def counts(events: Sequence[RecordedEvent], before: Cursor) -> list[Add]:
    """What a request's events, which follow the cursor, add to any view."""
    return merged(add for project in COUNTS.values() for add in project(events, before))


def kept_by(scope: str) -> str:
    """The projection that a row of the Metrics table belongs to."""
    return scope[1:].partition("#")[0] if scope.startswith("=") else "metrics"
