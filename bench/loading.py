"""What it costs to load a request of 13 events to the state that a command is decided on.

Ours reads the newest row of the log, which has the state after its event, whatever the length of the log. The peer is
`eventsourcing`, whose repository reads every event of an aggregate and folds it. Both without a network: our row is one
as DynamoDB answers with, the peer's events are in its in-memory store.
"""

from adapters.clock import Clock
from adapters.event_store import from_row, to_row
from bench.folding import LIVES, SLOW, best_of, eventsourcing
from bench.rebuild import EVENTS_OF_A_REQUEST, log
from bench.results import Row
from domain.recorded import Head
from domain.state import Status


def rows() -> list[Row]:
    """Requests a CPU second."""
    clock = Clock()
    newest = [to_row(log(number, clock)[-1]) for number in range(LIVES)]

    def ours() -> None:
        assert all(Head.of(from_row(row)).state.status is Status.COMPLETED for row in newest)

    library = eventsourcing(LIVES, EVENTS_OF_A_REQUEST)
    spent = best_of(ours, *([library] if library else []))
    mine, *theirs = (LIVES / seconds for seconds in spent)
    why = SLOW if library else "not measured: eventsourcing is not installed, `make .venv/.bench` does it"
    name = f"load a request of {EVENTS_OF_A_REQUEST} events, eventsourcing"
    return [Row(name, mine if theirs else None, theirs[0] if theirs else None, "requests/CPU s", "ratio >= 10", why)]
