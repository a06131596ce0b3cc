"""Logs of a request that was made up for a test, and the ids that no store takes."""

from decimal import Decimal
from typing import Any, Final

from adapters.event_store import EventStore
from domain.events import AttemptStarted, Event, OutputAppended, RequestSubmitted
from domain.instant import EPOCH
from domain.recorded import Head, Origin, RecordedEvent, record
from tests.kit.clock import START, FakeClock

ANN: Final = Origin("acme", "ann", "c1", "f1")
BAD_IDS: Final = ("", "x" * 300, "a\nb", "a\x00b", "\x7f", "ü", "\ud800")

NUMBERS: Final = {
    "past 2^53": 2**53 + 1,
    "a tenth": Decimal("0.1"),
    "38 digits": Decimal("-1234567890123456789.0123456789012345678"),
    "more digits than a number of DynamoDB's has": Decimal("1." + "7" * 60),
    "a larger one, too": Decimal("1E+400"),
}


def submitted(**fields: Any) -> RequestSubmitted:
    """A first event."""
    given: dict[str, Any] = {"action": "echo_async", "digest": "d", "due_at": EPOCH, "expires_at": EPOCH}
    return RequestSubmitted(**{**given, **fields})


def first(request_id: str, event_id: str = "e1", **fields: Any) -> RecordedEvent:
    """The first event of a request's log."""
    return record(submitted(**fields), Head(request_id), START, event_id, ANN)


def log(events: EventStore, request_id: str, length: int, chunk: object = None) -> list[RecordedEvent]:
    """Append so many events to a new request's log; the third and later ones carry the chunk."""
    clock = FakeClock()
    started = AttemptStarted(attempt=1, worker_id="w", lease_until=START)
    facts: list[Event] = [submitted(), started, *(OutputAppended(index=n, chunk=chunk) for n in range(length - 2))]
    head = Head(request_id)
    recorded = []
    for fact in facts[:length]:
        recorded.append(record(fact, head, clock.now(), clock.event_id(), ANN))
        events.append(recorded[-1])
        head = Head.of(recorded[-1])
    return recorded
