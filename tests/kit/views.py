"""What the views must say, worked out from the log by other means than the projections use, and where they differ."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from zlib import crc32

from adapters.event_store import from_row
from adapters.items import from_item
from adapters.places import SCOPE as PLACES
from domain import exact_json
from domain.instant import epoch_seconds, from_text
from domain.recorded import RecordedEvent, first_break
from domain.request import fold
from domain.state import RequestState, Status
from tests.kit.tables import Aws

Rows = dict[tuple[str, str], dict[str, Any]]

NAMES: Final[Mapping[str, str]] = {
    "RequestSubmitted": "submitted",
    "AttemptStarted": "started",
    "AttemptFailed": "retried",
    "RequestCompleted": "completed",
    "RequestFailed": "failed",
    "RequestCancelled": "cancelled",
    "OutputAppended": "outputs",
}
LIFE_CYCLE: Final = frozenset(NAMES) - {"OutputAppended"} | {"CancelRequested"}
BOUNDS: Final = sorted({int(2 ** (k / 4) + 1e-9) for k in range(127)})
AFTER: Final[Mapping[str, str]] = {
    "RequestSubmitted": "PENDING",
    "AttemptStarted": "PROCESSING",
    "AttemptFailed": "RETRYING",
    "RequestCompleted": "COMPLETED",
    "RequestFailed": "FAILED",
    "RequestCancelled": "CANCELLED",
}
ENDS_ATTEMPT: Final = frozenset(AFTER) - {"RequestSubmitted", "AttemptStarted"}
PRESENCE: Final = ("connected", "disconnected", "subscribed", "unsubscribed")
PRESENCE_COUNTS: Final = frozenset({*PRESENCE, "connections", "subscriptions"})


def logs(aws: Aws) -> dict[str, list[RecordedEvent]]:
    """The log of every request, in order."""
    found: dict[str, list[RecordedEvent]] = {}
    for event in map(from_row, aws.rows("Events")):
        found.setdefault(event.request_id, []).append(event)
    return {request_id: sorted(events, key=lambda one: one.version) for request_id, events in found.items()}


def differences(aws: Aws) -> list[str]:
    """Every way in which the views differ from the log; nothing when they are what they must be."""
    whole = logs(aws)
    broken = [f"{request_id}: the log is broken" for request_id, log in whole.items() if first_break(log)]
    return [*broken, *request_differences(aws, whole), *metrics_differences(aws, whole), *audit_differences(aws, whole)]


def request_differences(aws: Aws, whole: Mapping[str, Sequence[RecordedEvent]]) -> list[str]:
    """Where the requests view is not the fold of the log."""
    rows = {row["request_id"]: row for row in map(from_item, aws.rows("Requests"))}
    shards = int(aws.environment["QUEUE_SHARDS"])
    expected = {request_id: _request_row(log) for request_id, log in whole.items()}
    for row in rows.values():
        status, _, shard = row.pop("status_shard").partition("#")
        row["in_shard_of"] = status if 0 <= int(shard) < shards else shard
        if "queue_shard" in row:
            row["in_queue_of"], _, shard = row.pop("queue_shard").partition("#")
            assert int(shard) == crc32(row["tenant_id"].encode()) % shards
    return _unlike("Requests", expected, rows)


def metrics_differences(aws: Aws, whole: Mapping[str, Sequence[RecordedEvent]]) -> list[str]:
    """Where the metrics view has other counts than the log."""
    found: dict[tuple[str, str], Counter[str]] = {}
    kept: dict[tuple[str, str], int] = {}
    for row in map(from_item, aws.rows("Metrics")):
        if row["scope"] == PLACES:
            continue
        key = (re.sub(r"^\d~", "", row.pop("scope")), row.pop("minute"))
        kept[key] = row.pop("expires_at", 0)
        found.setdefault(key, Counter()).update({name: n for name, n in row.items() if name not in PRESENCE_COUNTS})
    rows = {key: {**counts, "expires_at": kept[key]} for key, counts in found.items()}
    ours = {key: _without_zeros(row) for key, row in rows.items()}
    expected = {key: _without_zeros(row) for key, row in {**counted(whole.values()), **gauged(whole.values())}.items()}
    return _unlike("Metrics", expected, {key: row for key, row in ours.items() if set(row) - {"expires_at"}})


def audit_differences(aws: Aws, whole: Mapping[str, Sequence[RecordedEvent]]) -> list[str]:
    """Where the audit view has not exactly one entry for each event of a life cycle."""
    entries = [row for row in map(from_item, aws.rows("Audit")) if row["type"] in LIFE_CYCLE]
    found = Counter(_entry_name(row) for row in entries)
    expected = Counter(
        (event.tenant_id, event.at, event.request_id, event.version, event.type, event.user_id, event.hash.hex())
        for log in whole.values()
        for event in log
        if event.type in LIFE_CYCLE
    )
    missing, surplus = expected - found, found - expected
    return [*(f"Audit: missing {one}" for one in missing), *(f"Audit: surplus {one}" for one in surplus)]


def gauged(whole: Iterable[Sequence[RecordedEvent]]) -> Rows:
    """The gauges that logs lead to: what waits and what runs at their ends."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for log in whole:
        state = folded(log)
        name = {"PENDING": "queued", "RETRYING": "queued", "PROCESSING": "running"}.get(str(state.status))
        if name:
            counts = rows.setdefault((f"=gauges#{log[0].tenant_id}", "now"), Counter())
            counts.update({name: 1, f"{name}#{state.action}": 1})
    return {key: dict(counts) for key, counts in rows.items()}


def _without_zeros(row: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in row.items() if count}


def counted(whole: Iterable[Sequence[RecordedEvent]]) -> Rows:
    """The rows of the metrics view that logs lead to."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for log in whole:
        submitted = exact_json.decode(log[0].data)
        due = started = from_text(submitted["due_at"])
        told, status = 0, "NONE"
        for event in log:
            data = exact_json.decode(event.data)
            at = from_text(event.at)
            counts = {NAMES[event.type]: 1} if event.type in NAMES else {}
            if event.type == "AttemptStarted":
                counts |= _histogram("wait", at - due)
                started = at
            if status == "PROCESSING" and event.type in ENDS_ATTEMPT:
                counts |= _histogram("run", at - started)
            if counts:
                counts |= {"messages": event.version - told, **_moved(status, AFTER.get(event.type, status))}
                told = event.version
            status = AFTER.get(event.type, status)
            if event.type == "AttemptFailed":
                due = from_text(data["retry_at"])
            if counts:
                for scope in (event.tenant_id, f"{event.tenant_id}#{submitted['action']}"):
                    rows.setdefault((scope, event.at[:16]), Counter()).update(counts)
    return {key: {**counts, "expires_at": _kept_until(key[1])} for key, counts in rows.items()}


def _moved(before: str, after: str) -> dict[str, int]:
    kinds = {"queued": ("PENDING", "RETRYING"), "running": ("PROCESSING",)}
    return {f"{name}_change": (after in those) - (before in those) for name, those in kinds.items()}


def presence_counts(aws: Aws, tenant_id: str) -> dict[str, int]:
    """How many connections and subscriptions of a tenant came and went, by the metrics view."""
    rows = [row for row in map(from_item, aws.rows("Metrics")) if row["scope"] == tenant_id]
    return {name: sum(row.get(name, 0) for row in rows) for name in PRESENCE}


def folded(log: Sequence[RecordedEvent]) -> RequestState:
    """The state that a log leads to, from its events alone."""
    return fold((event.event(), from_text(event.at)) for event in log)


def _request_row(log: Sequence[RecordedEvent]) -> dict[str, Any]:
    first, newest, state = log[0], log[-1], folded(log)
    connection_id = exact_json.decode(first.data).get("connection_id")
    return {
        "request_id": newest.request_id,
        "tenant_id": first.tenant_id,
        "user_id": first.user_id,
        "user_key": f"{first.tenant_id}#{first.user_id}",
        "action": state.action,
        "submitted_at": first.at,
        "expires_at": epoch_seconds(state.expires_at),
        "removed_at": epoch_seconds(state.expires_at) + 7 * 86_400,
        "version": newest.version,
        "counted": max(event.version for event in log if event.type in NAMES),
        "status": str(state.status),
        "state": exact_json.encode(state.snapshot()),
        "in_shard_of": str(state.status),
        "queue_key": _queue_key(log, state),
        **_turn(log, state),
        **({"connection_id": connection_id} if connection_id else {}),
        **({"ends_by": epoch_seconds(state.ends_by)} if state.ends_by else {}),
    }


def _queue_key(log: Sequence[RecordedEvent], state: RequestState) -> str:
    told = exact_json.decode(log[-1].data if state.status is Status.RETRYING else log[0].data)
    match state.status:
        case Status.PENDING:
            return str(told["due_at"])
        case Status.RETRYING:
            return str(told["retry_at"])
        case Status.PROCESSING:
            leases = [exact_json.decode(event.data).get("lease_until") for event in log]
            return str([lease for lease in leases if lease][-1])
        case _:
            return log[-1].at


def _turn(log: Sequence[RecordedEvent], state: RequestState) -> dict[str, str]:
    if state.status not in {Status.PENDING, Status.RETRYING}:
        return {}
    tenant_id, rank = log[0].tenant_id, 9 - exact_json.decode(log[0].data)["priority"]
    place, due = f"{crc32(tenant_id.encode()):08x}#{tenant_id}", _queue_key(log, state)
    if state.status is Status.PENDING and due == log[0].at:
        return {"in_queue_of": "ready", "turn": f"{place}#{rank}#{due}"}
    return {"in_queue_of": "waiting", "turn": f"{place}#{due}#{rank}"}


def _histogram(name: str, length: timedelta) -> dict[str, int]:
    milliseconds = max(0, round(length.total_seconds() * 1000))
    bound = next((str(bound) for bound in BOUNDS if milliseconds <= bound), "inf")
    return {f"{name}_ms_sum": milliseconds, f"{name}_ms_le_{bound}": 1}


def _kept_until(minute: str) -> int:
    return epoch_seconds(from_text(f"{minute}:00Z") + timedelta(days=30))


def _entry_name(row: Mapping[str, Any]) -> tuple[Any, ...]:
    tenant_id, day, _ = row["day"].split("#")
    at, request_id, version = row["entry"].split("#")
    detail = exact_json.decode(row["detail"])
    told = (detail["request_id"], detail["version"], day, row["at"])
    if told != (request_id, int(version), at[:10], at):
        return ("an entry that contradicts itself", row["entry"], *told)
    return tenant_id, at, request_id, int(version), row["type"], row["user_id"], detail["hash"]


def _unlike(view: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[str]:
    return [
        f"{view} {key}: expected {expected.get(key)}, found {found.get(key)}"
        for key in sorted({*expected, *found})
        if expected.get(key) != found.get(key)
    ]
