"""Comparing a shadow with the live view while traffic goes on.

What differs at first sight may only be on its way. So rows that differ are looked at again, each beside what its log
says by now; and counts are compared up to an instant before which nothing is written any more.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.aws import translated
from adapters.items import from_item, to_item
from adapters.view_writes import unsharded
from domain import exact_json
from domain.errors import Undecodable
from domain.instant import epoch_seconds, from_text, to_text
from projections import catalog, gauges, metrics, presence
from projections.cursor import NOWHERE
from projections.intents import Add, Put, View
from tools.building import REQUESTS, Plan, is_over, pages, projected
from tools.operated import Operated
from tools.shadow import Key, Row, Shadow

SHORTEST_RETENTION: Final = timedelta(days=1)  # the least that template.yaml allows
ROUNDS: Final = 8  # of looking again at what differs
_PRESENCE: Final = frozenset(presence.COUNTED.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not what the log says; `put`, `add` (with `put` beside it) or neither (it must go) would mend it.

    Where no code can read the log, nothing would.
    """

    view: str
    key: Key
    what: str
    is_row: Row | None = None
    put: Row | None = None
    add: Mapping[str, int] = field(default_factory=dict)
    behind: bool = False
    is_readable: bool = True
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """The instants that are compared: from `since` until before `until`."""

    until: datetime
    since: datetime | None = None

    def holds(self, at: str) -> bool:
        """Whether the whole of a minute, an hour or an instant, as text, lies within."""
        since = to_text(self.since) if self.since else ""
        return since[: len(at)] <= at < to_text(self.until)[: len(at)]


def compare(
    stack: Operated, plan: Plan, period: Period, shadow: Shadow, pause: Callable[[], None], passed: Callable[[int], Any]
) -> list[Difference]:
    """What of the live view is not what the log says; nothing if all is as it must be."""
    found: list[Difference] = []
    for turn in range(ROUNDS):
        if plan.view in catalog.COUNTS:
            found = list(_counts(stack, plan, period, shadow))
        elif turn == 0:
            shadow.forget_live()
            keys = [*_suspects(stack, plan, shadow, passed), *shadow.unseen()]
            found = list(_looked_at(stack, plan, period, keys))
        else:
            found = list(_looked_at(stack, plan, period, [one.key for one in found]))
        if not found:
            break
        if turn < ROUNDS - 1:
            pause()
    return found


def _suspects(stack: Operated, plan: Plan, shadow: Shadow, passed: Callable[[int], Any]) -> Iterator[Key]:
    """The keys of live rows that the shadow has otherwise, or not at all."""
    table = View.REQUESTS if plan.view == REQUESTS else View.AUDIT
    for items, _ in pages(stack, table.value):
        rows = [(_key(table, row), row) for row in map(from_item, items) if _is_of(plan, table, row)]
        found = shadow.see(rows)
        yield from found if table is View.REQUESTS else _with_a_log(plan, shadow, found)
        passed(len(items))


def _with_a_log(plan: Plan, shadow: Shadow, keys: Iterable[Key]) -> list[Key]:
    """The keys of entries whose requests must still have a log: entries are kept for much longer."""
    parts = [(key, key[1].split("#", 2)) for key in keys]
    known = shadow.known({request_id for _, (_, request_id, _) in parts})
    recent = to_text(plan.now - SHORTEST_RETENTION)
    return [key for key, (at, request_id, _) in parts if known[request_id].cursor.version or at > recent]


def cut_off(stack: Operated, plan: Plan, shadow: Shadow) -> Iterator[Difference]:
    """The requests of which the view has seen events that the log does not have any more."""
    for items, _ in pages(stack, View.REQUESTS.value):
        rows = [row for row in map(from_item, items) if _is_of(plan, View.REQUESTS, row)]
        known = shadow.known(str(row["request_id"]) for row in rows)
        for row in rows:
            request_id, version = str(row["request_id"]), int(row["version"])
            if known[request_id].cursor.version < version:
                end = _end(stack, request_id)
                if end is not None and end < version:
                    what = f"{request_id} version {end + 1}: missing from the log, the view has seen version {version}"
                    yield Difference("log", (request_id,), what, request_id=request_id)


def _end(stack: Operated, request_id: str) -> int | None:
    """The version at which a log ends; None when no code can read it, which its chain tells already."""
    try:
        return stack.events.head(request_id).version
    except Undecodable:
        return None


def _is_of(plan: Plan, table: View, row: Row) -> bool:
    if table is View.AUDIT:
        of_request = row["type"] not in presence.COUNTED
        return of_request and plan.tenant_id in (None, str(row["day"]).partition("#")[0])
    is_kept = not is_over(int(row["expires_at"] or 0), plan.now)
    return is_kept and plan.tenant_id in (None, row["tenant_id"])


def _key(table: View, row: Row) -> Key:
    return (str(row["request_id"]),) if table is View.REQUESTS else (str(row["day"]), str(row["entry"]))


def _looked_at(stack: Operated, plan: Plan, period: Period, keys: Iterable[Key]) -> Iterator[Difference]:
    for key in keys:
        found = _request(stack, plan, period, key) if plan.view == REQUESTS else _entry(stack, plan, period, key)
        if found:
            yield found


def _request(stack: Operated, plan: Plan, period: Period, key: Key) -> Difference | None:
    """How a row of the requests view differs from its log, if it still does."""
    [request_id] = key
    live = _live(stack, View.REQUESTS, {"request_id": request_id})
    try:
        log = list(stack.events.read(request_id))
        if log and is_over(epoch_seconds(log[-1].snapshot().expires_at), plan.now):
            return None
    except Undecodable as exc:
        what = f"no code can read its log: {exc}"
        return Difference(plan.view, key, what, live, is_readable=False, request_id=request_id)
    if not log:
        gone = live is None or is_over(int(live["expires_at"] or 0), plan.now)
        return None if gone else Difference(plan.view, key, "it has no log", live, request_id=request_id)
    if period.since is not None and log[0].at < to_text(period.since):
        return None
    wanted = _merged(projected(plan.view, log, NOWHERE, stack.shards)[0])[key]
    if live == wanted:
        return None
    if live is None or int(live["version"] or 0) < log[-1].version:
        at = int(live["version"] or 0) if live else 0
        what = f"behind: version {at} of {log[-1].version}"
        return Difference(plan.view, key, what, live, wanted, behind=True, request_id=request_id)
    return Difference(plan.view, key, _unlike(live, wanted), live, wanted, request_id=request_id)


def _entry(stack: Operated, plan: Plan, period: Period, key: Key) -> Difference | None:
    """How an entry of an event differs from the log, if it still does."""
    day, entry = key
    at, request_id, version = entry.split("#", 2)
    if period.since is not None and at < to_text(period.since):
        return None
    live = _live(stack, View.AUDIT, {"day": day, "entry": entry})
    about = f"{request_id} version {int(version)}"
    try:
        log = list(stack.events.read(request_id))
    except Undecodable as exc:
        what = f"{about}: no code can read its log: {exc}"
        return Difference(plan.view, key, what, live, is_readable=False, request_id=request_id)
    if not log or is_over(epoch_seconds(log[-1].snapshot().expires_at), plan.now):
        missing = live is not None and not log and _must_have_log(stack, plan, request_id, at)
        return Difference(plan.view, key, f"{about}: its log is gone", live, request_id=request_id) if missing else None
    wanted = _merged(projected(plan.view, log, NOWHERE, stack.shards)[0]).get(key)
    if live == wanted:
        return None
    if wanted is None:
        what = "the log has no such event, or has it otherwise"
    else:
        what = "missing" if live is None else _unlike(live, wanted)
    return Difference(plan.view, key, f"{about}: {what}", live, wanted, request_id=request_id)


def _must_have_log(stack: Operated, plan: Plan, request_id: str, at: str) -> bool:
    """Whether a request of which there is no event any more is still within its retention, which is a day at least."""
    row = _live(stack, View.REQUESTS, {"request_id": request_id})
    if row is not None:
        return not is_over(int(row["expires_at"] or 0), plan.now)
    return plan.now - from_text(at) < SHORTEST_RETENTION


def _merged(puts: Iterable[Put]) -> dict[Key, Row]:
    rows: dict[Key, Row] = {}
    for put in puts:
        rows[tuple(put.key.values())] = {
            **put.key,
            **{name: value for name, value in put.attributes.items() if value is not None},
        }
    return rows


def _unlike(live: Row, wanted: Row) -> str:
    names = sorted(name for name in live.keys() | wanted.keys() if live.get(name) != wanted.get(name))
    return f"differs in {', '.join(names)}"


def _live(stack: Operated, view: View, key: Mapping[str, str]) -> Row | None:
    table = stack.tables[view.value]
    with translated("read row", table=table):
        item = stack.dynamodb.get_item(TableName=table, Key=to_item(key), ConsistentRead=True).get("Item")
    return from_item(item) if item else None


# --- counts -----------------------------------------------------------------------------------------------------


def _counts(stack: Operated, plan: Plan, period: Period, shadow: Shadow) -> Iterator[Difference]:
    shadow.forget_live()
    untold = _untold(stack, plan)
    for items, _ in pages(stack, View.METRICS.value):
        shadow.count_live(_as_compared(plan, map(_as_add, map(from_item, items))))
    sides = _levels(shadow.counts(), period) if plan.view == "gauges" else shadow.counts()
    for key, log, live in sides:
        scope, minute = key
        if minute != gauges.NOW and not (period.holds(minute) and minute > untold.get(_tenant(scope), "")):
            continue
        delta = {name: log.get(name, 0) - live.get(name, 0) for name in sorted(log.keys() | live.keys())}
        delta = {name: count for name, count in delta.items() if count}
        if delta:
            what = ", ".join(f"{name} {live.get(name, 0)}, not {log.get(name, 0)}" for name in delta)
            yield Difference(plan.view, key, what, put=shadow.attributes(key), add=delta)


def _as_add(row: Row) -> Add:
    key = {"scope": unsharded(str(row["scope"])), "minute": str(row["minute"])}
    counts = {name: count for name, count in row.items() if isinstance(count, int) and name != "expires_at"}
    return Add(View.METRICS, key, counts)


def _as_compared(plan: Plan, adds: Iterable[Add]) -> Iterator[Add]:
    """The live rows of a view, without what does not come from the log."""
    wanted = {plan.view, "metrics"} if plan.view == "gauges" else {plan.view}
    for intent in adds:
        scope = intent.key["scope"]
        if catalog.kept_by(scope) in wanted and plan.tenant_id in (None, _tenant(scope)):
            counts = {name: count for name, count in intent.counts.items() if name not in _PRESENCE}
            yield Add(intent.view, intent.key, counts)


def _tenant(scope: str) -> str:
    return scope.split("#")[1] if scope.startswith("=") else scope.partition("#")[0]


def _levels(rows: Iterable[tuple[Key, Mapping[str, int], Mapping[str, int]]], period: Period) -> Iterator[Any]:
    """The gauges at the end of the period: by the log what moved them until then, by the view what did not since."""
    log: dict[str, Counter[str]] = {}
    live: dict[str, Counter[str]] = {}
    for (scope, minute), of_log, of_live in rows:
        tenant = _tenant(scope)
        if minute == gauges.NOW:
            counted = {name: n for name, n in of_live.items() if name.partition("#")[0] in gauges.STATUSES}
            live.setdefault(tenant, Counter()).update(counted)
            continue
        action = scope.partition("#")[2]
        names = {name: f"{name}#{action}" if action else name for name in gauges.STATUSES}
        if minute < to_text(period.until)[:16]:
            log.setdefault(tenant, Counter()).update(
                {told: metrics.change_of(of_log, name) for name, told in names.items()}
            )
        else:
            live.setdefault(tenant, Counter()).update(
                {told: -metrics.change_of(of_live, name) for name, told in names.items()}
            )
    for tenant in sorted(log.keys() | live.keys()):
        key = tuple(gauges.key_of(tenant).values())
        yield key, log.get(tenant, Counter()), live.get(tenant, Counter())


def _untold(stack: Operated, plan: Plan) -> dict[str, str]:
    """The last minute of each tenant that the log may not tell whole any more: logs with events in it have expired."""
    found: dict[str, str] = {}
    if plan.view == "gauges":
        return found
    for items, _ in pages(stack, View.REQUESTS.value):
        for row in map(from_item, items):
            if is_over(int(row["expires_at"]), plan.now):
                at = str(exact_json.decode(row["state"]).get("updated_at", ""))[:16]
                found[row["tenant_id"]] = max(at, found.get(row["tenant_id"], ""))
    return found
