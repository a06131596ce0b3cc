"""The metrics view: exact counts and latency histograms by the minute, for a tenant and for each of its actions.

Every count is a pure function of one recorded event, and is added in the transaction that moves the cursor of the
event's request: so each event counts once, however often it is delivered.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from domain.events import (
    AttemptFailed,
    AttemptStarted,
    OutputAppended,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestSubmitted,
)
from domain.instant import epoch_seconds, from_text
from domain.recorded import RecordedEvent
from domain.state import RequestState
from projections.intents import Add, View

KEPT: Final = timedelta(days=30)
BOUNDS_MS: Final = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000)
COUNTED: Final[Mapping[str, str]] = {
    RequestSubmitted.__name__: "submitted",
    AttemptStarted.__name__: "started",
    AttemptFailed.__name__: "retried",
    RequestCompleted.__name__: "completed",
    RequestFailed.__name__: "failed",
    RequestCancelled.__name__: "cancelled",
    OutputAppended.__name__: "outputs",
}
_ENDS_ATTEMPT: Final = frozenset({AttemptFailed.__name__, RequestCompleted.__name__})


def touches(recorded: RecordedEvent) -> bool:
    """Whether the event changes any count."""
    return recorded.type in COUNTED


def project(events: Iterable[RecordedEvent]) -> list[Add]:
    """What the events add, one intent a row."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for recorded in filter(touches, events):
        state = recorded.snapshot()
        for scope in scopes_of(recorded.tenant_id, state.action):
            rows.setdefault((scope, recorded.at[:16]), Counter()).update(_counts(recorded, state))
    return [add(scope, minute, counts) for (scope, minute), counts in rows.items()]


def merged(adds: Iterable[Add]) -> list[Add]:
    """The same additions, one intent a row: a transaction may touch a row only once."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for intent in adds:
        rows.setdefault((intent.key["scope"], intent.key["minute"]), Counter()).update(intent.counts)
    return [add(scope, minute, counts) for (scope, minute), counts in rows.items()]


def add(scope: str, minute: str, counts: Mapping[str, int]) -> Add:
    """Add counts to the row of a scope and a minute (YYYY-MM-DDTHH:MM, in UTC)."""
    kept_until = from_text(f"{minute}:00Z") + KEPT
    key = {"scope": scope, "minute": minute}
    return Add(View.METRICS, key, counts, {"expires_at": epoch_seconds(kept_until)})


def scopes_of(tenant_id: str, action: str) -> tuple[str, str]:
    """The two scopes that a tenant's action counts in."""
    return tenant_id, f"{tenant_id}#{action}"


def totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The sum of the rows' counts; the named ones are there also when nothing was counted."""
    total = Counter(dict.fromkeys(COUNTED.values(), 0))
    for row in rows:
        total.update({name: count for name, count in row.items() if isinstance(count, int)})
    return dict(total)


def rolled_up(rows: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, Any]]:
    """The rows by the minute, or else by the hour, or else by the day: the finest that gives at most so many."""
    finest: list[dict[str, Any]] = []
    for length, rest in (("minute", 16), ("hour", 13), ("day", 10)):
        sums: dict[str, Counter[str]] = {}
        for row in rows:
            sums.setdefault(row["at"][:rest], Counter()).update({k: v for k, v in row.items() if k != "at"})
        finest = [{"at": f"{start}{_MIDNIGHT[rest:]}", "per": length, **counts} for start, counts in sums.items()]
        if len(finest) <= most:
            break
    return finest


_MIDNIGHT: Final = "0000-00-00T00:00:00.000Z"


def _counts(recorded: RecordedEvent, state: RequestState) -> dict[str, int]:
    counts = {COUNTED[recorded.type]: 1}
    if recorded.type == AttemptStarted.__name__:
        counts |= _duration("wait", state.due_at, state.started_at)
    elif recorded.type in _ENDS_ATTEMPT:
        counts |= _duration("run", state.started_at, from_text(recorded.at))
    return counts


def _duration(name: str, start: datetime, end: datetime) -> dict[str, int]:
    """A duration as histogram counts: its sum in milliseconds and one in the bucket of its upper bound."""
    milliseconds = max(0, (end - start) // timedelta(milliseconds=1))
    place = bisect_left(BOUNDS_MS, milliseconds)
    bound = str(BOUNDS_MS[place]) if place < len(BOUNDS_MS) else "inf"
    return {f"{name}_ms_sum": milliseconds, f"{name}_ms_le_{bound}": 1}
