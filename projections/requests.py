"""The requests view: one row a request, as it is now; also the projections' cursor and the workers' queue.

status_shard  STATUS#n, n calculated from the request id, so that no status is one hot partition
queue_key     the order within it: by when the request is due, its lease ends, or it ended
queue_shard, turn  its place among those that wait for a worker (projections/turns.py); none when it waits for none
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from zlib import crc32

from domain.events import RequestSubmitted
from domain.instant import epoch_seconds, to_text
from domain.recorded import RecordedEvent
from domain.state import RequestState, Status
from projections import metrics
from projections.cursor import Cursor
from projections.intents import Put, View
from projections.turns import RUNNABLE, Turn

# A row that went before the last of its events would be made anew by that one, and all its events counted again.
OUTLIVES: Final = timedelta(days=7)


def project(cursor: int, events: Sequence[RecordedEvent], shards: int) -> Put:
    """The row after the events, which follow the cursor without a gap."""
    newest = events[-1]
    state = newest.snapshot()
    turn = Turn.of(state, newest.tenant_id)
    first: dict[str, Any] = {}
    if cursor == 0:
        submitted = events[0].event()
        first = {
            "tenant_id": newest.tenant_id,
            "user_key": f"{newest.tenant_id}#{newest.user_id}",
            "user_id": newest.user_id,
            "action": state.action,
            "submitted_at": to_text(state.submitted_at),
            "connection_id": submitted.connection_id if isinstance(submitted, RequestSubmitted) else None,
            "expires_at": epoch_seconds(state.expires_at),
            "ends_by": None if state.ends_by is None else epoch_seconds(state.ends_by),
            "removed_at": epoch_seconds(state.expires_at + OUTLIVES),
        }
    return Put(
        View.REQUESTS,
        {"request_id": newest.request_id},
        {
            **first,
            "version": newest.version,
            **_counted(events),
            "status": state.status,
            "state": newest.state,
            "status_shard": status_shard(state.status, shard_of(newest.request_id, shards)),
            "queue_key": queue_key(state),
            "queue_shard": turn.shard(shards) if turn else None,
            "turn": turn.key if turn else None,
        },
        after=cursor,
    )


def cursor_after(before: Cursor, events: Sequence[RecordedEvent]) -> Cursor:
    """The cursor once the events, which follow it, are in the views."""
    counted = _counted(events).get("counted", before.counted)
    return Cursor(events[-1].version, events[-1].snapshot().status, counted)


def _counted(events: Sequence[RecordedEvent]) -> dict[str, int]:
    """The version of the newest event that moves a counter, which the next count starts from."""
    versions = [event.version for event in events if metrics.touches(event)]
    return {"counted": versions[-1]} if versions else {}


def shard_of(name: str, shards: int) -> int:
    """The shard that a name belongs to, 0 to shards - 1."""
    return crc32(name.encode()) % shards


def status_shard(status: Status | None, shard: int) -> str:
    """The partition of the StatusIndex."""
    return f"{status}#{shard}"


def queue_key(state: RequestState) -> str:
    """The place of a request among those of its status."""
    if state.status in RUNNABLE:
        return to_text(state.due_at)
    return to_text(state.lease_until if state.status is Status.PROCESSING else state.updated_at)
