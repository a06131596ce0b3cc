"""Making a view anew: the whole log, read in segments side by side, into a shadow.

Memory stays flat: a page of the log is in it for each segment, and what a page leads to is written before the next.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from threading import Event
from typing import Any, Final

from adapters.aws import translated
from adapters.event_store import from_row
from domain.errors import Undecodable
from domain.instant import epoch_seconds
from domain.recorded import RecordedEvent
from projections import catalog, metrics, requests
from projections.cursor import Cursor
from projections.intents import Add, Put
from tools.operated import Operated
from tools.shadow import Change, Known, Shadow

REQUESTS: Final = "requests"
NAMES: Final = (REQUESTS, *catalog.ENTRIES, *catalog.COUNTS)
_LARGEST_READ: Final = 1000  # rows in a page; DynamoDB stops at 1 MB anyway

Passed = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which view to make anew, of which tenant, in how many segments, and as of when: expired logs count as gone."""

    view: str
    now: datetime
    tenant_id: str | None = None
    segments: int = 4


def build(stack: Operated, plan: Plan, shadow: Shadow, passed: Passed = lambda _: None) -> None:
    """Take the whole log into the shadow; `passed` is told of the events of each page.

    Whoever interrupts it waits for the pages that are being read, not for the log.
    """
    stopping = Event()
    with ThreadPoolExecutor(plan.segments) as pool:
        try:
            for done in [pool.submit(_segment, stack, plan, shadow, n, passed, stopping) for n in range(plan.segments)]:
                done.result()
        except BaseException:
            stopping.set()
            raise


def _segment(stack: Operated, plan: Plan, shadow: Shadow, segment: int, passed: Passed, stopping: Event) -> None:
    place, done = shadow.place(segment)
    if done:
        return
    for rows, after in pages(stack, "Events", plan.segments, segment, place, plan.tenant_id):
        if stopping.is_set():
            return
        change = _change(stack, plan, shadow, rows)
        while not shadow.write(segment, after, change):
            change = _change(stack, plan, shadow, rows)
        passed(change.events)


def pages(
    stack: Operated,
    table: str,
    segments: int = 1,
    segment: int = 0,
    place: Mapping[str, Any] | None = None,
    tenant_id: str | None = None,
) -> Iterator[tuple[Sequence[Mapping[str, Any]], Mapping[str, Any] | None]]:
    """The pages of a segment of a table after a place, each with the place that it ends at; the last ends nowhere."""
    scan: dict[str, Any] = {
        "TableName": stack.tables[table],
        "Segment": segment,
        "TotalSegments": segments,
        "ConsistentRead": True,
        "Limit": _LARGEST_READ,
    }
    if place is not None:
        scan["ExclusiveStartKey"] = place
    if tenant_id is not None:
        scan |= {"FilterExpression": "tenant_id = :tenant", "ExpressionAttributeValues": {":tenant": {"S": tenant_id}}}
    while True:
        with translated("scan", table=stack.tables[table], segment=segment):
            page = stack.dynamodb.scan(**scan)
        place = page.get("LastEvaluatedKey")
        yield page["Items"], place
        if place is None:
            return
        scan["ExclusiveStartKey"] = place


def _change(stack: Operated, plan: Plan, shadow: Shadow, rows: Sequence[Mapping[str, Any]]) -> Change:
    change = Change(events=len(rows))
    pieces = [(name, list(piece)) for name, piece in groupby(rows, key=lambda row: row["request_id"]["S"])]
    known = shadow.known(name for name, _ in pieces)
    change.before = {name: one.cursor.version for name, one in known.items()}
    for request_id, piece in pieces:
        before = change.known.get(request_id, known[request_id])
        try:
            events = _following(stack, before.cursor, [from_row(row) for row in piece])
            if events and not is_over(epoch_seconds(events[-1].snapshot().expires_at), plan.now):
                _take(change, plan, before, events, stack.shards)
        except Undecodable:
            change.known[request_id] = Known(before.cursor, before.hash, before.broken or _unreadable(piece))
    return change


def _unreadable(piece: Sequence[Mapping[str, Any]]) -> int:
    """The version of the first row that no code can read; of a piece whose rows can be, the first one's."""
    for row in piece:
        try:
            from_row(row).event()
        except Undecodable:
            return int(row["version"]["N"])
    return int(piece[0]["version"]["N"])


def _following(stack: Operated, cursor: Cursor, events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The events that follow a cursor: of the piece if it has them, else of the log, as the live projector does."""
    new = sorted((event for event in events if event.version > cursor.version), key=lambda event: event.version)
    if [event.version for event in new] == list(range(cursor.version + 1, cursor.version + 1 + len(new))):
        return new
    return list(stack.events.read(new[0].request_id, cursor.version))


def _take(change: Change, plan: Plan, before: Known, events: Sequence[RecordedEvent], shards: int) -> None:
    request_id = events[0].request_id
    puts, adds = projected(plan.view, events, before.cursor, shards)
    change.puts += [(request_id, put) for put in puts]
    change.adds += adds
    after = requests.cursor_after(before.cursor, events)
    change.known[request_id] = Known(after, events[-1].hash, before.broken or _break(before, events))


def projected(view: str, events: Sequence[RecordedEvent], before: Cursor, shards: int) -> tuple[list[Put], list[Add]]:
    """What a request's events, which follow the cursor, write in a view."""
    if view == REQUESTS:
        return [requests.project(before.version, events, shards)], []
    if view in catalog.ENTRIES:
        return catalog.ENTRIES[view](events), []
    if view == "gauges":
        # Told by the minute, so that they can be compared as they were at an instant while traffic goes on.
        return [], metrics.project(events, before)
    return [], catalog.COUNTS[view](events, before)


def is_over(expires_at: int, now: datetime) -> bool:
    """Whether what is kept until then, in seconds since 1970, counts as gone."""
    return expires_at <= int(now.timestamp())


def _break(before: Known, events: Sequence[RecordedEvent]) -> int | None:
    """The first version at which the chain does not go on from what is known."""
    version, last_hash = before.cursor.version, before.hash
    for event in events:
        version += 1
        if event.version != version or event.prev_hash != last_hash or event.hash != event.computed_hash():
            return version
        last_hash = event.hash
    return None
