"""The metrics view: exact counts and latency histograms by the minute, for a tenant and for each of its actions.

Every count follows from a request's events and its cursor alone, and is added in the transaction that moves the cursor:
so each event counts once, however often it is delivered.

    submitted … outputs   events of that kind
    messages              events of every kind: each is a message to whoever watches. Progress moves no counter by
                          itself, so it is counted with the next event of its request that does
    wait, run             histograms: from due to started, and how long attempts took that ended
    queued_change, …      by how much the minute moved a gauge: so gauges can be told for any minute past
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
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
from domain.state import RequestState, Status
from projections import gauges, histogram
from projections.cursor import NOWHERE, Cursor
from projections.intents import Add, View

KEPT: Final = timedelta(days=30)
COUNTED: Final[Mapping[str, str]] = {
    RequestSubmitted.__name__: "submitted",
    AttemptStarted.__name__: "started",
    AttemptFailed.__name__: "retried",
    RequestCompleted.__name__: "completed",
    RequestFailed.__name__: "failed",
    RequestCancelled.__name__: "cancelled",
    OutputAppended.__name__: "outputs",
}
NAMES: Final = (*COUNTED.values(), "messages")
DURATIONS: Final = ("wait", "run")
RESOLUTIONS: Final[Mapping[str, int]] = {"minute": 16, "hour": 13, "day": 10}  # characters of an instant's text
_CHANGE: Final = "_change"


def touches(recorded: RecordedEvent) -> bool:
    """Whether the event moves any counter by itself."""
    return recorded.type in COUNTED


def project(events: Sequence[RecordedEvent], before: Cursor = NOWHERE) -> list[Add]:
    """What a request's events, which follow the cursor, add: one intent a row."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    status, counted = before.status, before.counted
    for recorded in filter(touches, events):
        state = recorded.snapshot()
        counts = _counts(recorded, state, status) | {"messages": recorded.version - counted}
        for scope in scopes_of(recorded.tenant_id, state.action):
            rows.setdefault((scope, recorded.at[:16]), Counter()).update(counts)
        status, counted = state.status, recorded.version
    return [add(scope, minute, counts) for (scope, minute), counts in rows.items()]


def add(scope: str, minute: str, counts: Mapping[str, int]) -> Add:
    """Add counts to the row of a scope and a minute (YYYY-MM-DDTHH:MM, in UTC)."""
    kept_until = from_text(f"{minute}:00Z") + KEPT
    key = {"scope": scope, "minute": minute}
    return Add(View.METRICS, key, counts, {"expires_at": epoch_seconds(kept_until)})


def scopes_of(tenant_id: str, action: str) -> tuple[str, str]:
    """The two scopes that a tenant's action counts in."""
    return tenant_id, f"{tenant_id}#{action}"


def by_action(adds: Iterable[Add]) -> list[tuple[str, Mapping[str, int]]]:
    """What additions count for each action, for operators: tenants are left out, there may be any number of them."""
    scopes = ((intent.key["scope"].partition("#"), intent) for intent in adds if intent.key["minute"] != gauges.NOW)
    return [(action, intent.counts) for (tenant, _, action), intent in scopes if action and not tenant.startswith("=")]


def totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The sum of the rows' counts with its quantiles; the named ones are there also when nothing was counted."""
    total = Counter(dict.fromkeys(NAMES, 0))
    for row in rows:
        total.update(
            {name: count for name, count in row.items() if isinstance(count, int) and not name.endswith(_CHANGE)}
        )
    return {**total, **_quantiles(total)}


def rolled_up(rows: Sequence[Mapping[str, Any]], resolution: str) -> list[dict[str, Any]]:
    """The rows, which are by the minute, by the minute, the hour or the day."""
    rest = RESOLUTIONS[resolution]
    sums: dict[str, Counter[str]] = {}
    for row in rows:
        sums.setdefault(row["at"][:rest], Counter()).update({k: v for k, v in row.items() if k != "at"})
    return [{"at": f"{start}{_MIDNIGHT[rest:]}", "per": resolution, **counts} for start, counts in sums.items()]


def finest(rows: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, Any]]:
    """The rows by the minute, or else by the hour, or else by the day: the finest that gives at most so many."""
    rolled = (rolled_up(rows, resolution) for resolution in RESOLUTIONS)
    return next((found for found in rolled if len(found) <= most), rolled_up(rows, "day"))


def shown(rows: Sequence[Mapping[str, Any]], now: Mapping[str, int]) -> list[dict[str, Any]]:
    """The rows as readers see them: with their quantiles, and the gauges as they were at the end of each.

    `now` are the gauges after the last of the rows.
    """
    level = dict(now)
    told: list[dict[str, Any]] = []
    for row in reversed(rows):
        counts = {k: part for k, part in row.items() if not k.endswith(_CHANGE) and not histogram.is_part(k)}
        told.append({**counts, **_quantiles(row), **level})
        level = level_before(level, [row])
    return told[::-1]


def level_before(now: Mapping[str, int], later: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The gauges as they were before rows that came later."""
    level = dict(now)
    for row in later:
        level = {name: count - change_of(row, name) for name, count in level.items()}
    return level


def change_of(row: Mapping[str, Any], gauge: str) -> int:
    """By how much a row moved a gauge."""
    if came_and_went := _PRESENCE.get(gauge):
        return int(row.get(came_and_went[0], 0)) - int(row.get(came_and_went[1], 0))
    return int(row.get(f"{gauge}{_CHANGE}", 0))


_MIDNIGHT: Final = "0000-00-00T00:00:00.000Z"
_PRESENCE: Final[Mapping[str, tuple[str, str]]] = {
    "connections": ("connected", "disconnected"),
    "subscriptions": ("subscribed", "unsubscribed"),
}


def _quantiles(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for part in DURATIONS for name, value in histogram.quantiles(part, row).items()}


def _counts(recorded: RecordedEvent, state: RequestState, before: Status | None) -> dict[str, int]:
    counts = {COUNTED[recorded.type]: 1}
    counts |= {f"{name}{_CHANGE}": count for name, count in gauges.changes(before, state.status).items()}
    if recorded.type == AttemptStarted.__name__:
        counts |= histogram.counts("wait", state.due_at, state.started_at)
    elif before is Status.PROCESSING and state.status is not Status.PROCESSING:
        counts |= histogram.counts("run", state.started_at, from_text(recorded.at))
    return counts
