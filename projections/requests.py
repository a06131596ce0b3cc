"""The requests view: one row a request, as it is now; also the projections' cursor and the workers' queue.

status_shard  STATUS#n, n calculated from the request id, so that no status is one hot partition
queue_key     the order within it: ready requests by priority (9 first) and then by due time, waiting ones by due
              time, running ones by the end of their lease, final ones by when they ended
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from zlib import crc32

from domain import exact_json
from domain.events import RequestSubmitted
from domain.instant import epoch_seconds, to_text
from domain.recorded import RecordedEvent
from domain.state import RequestState, Status
from projections.intents import Put, View

HIGHEST_PRIORITY: Final = 9
# A row that went before the last of its events would be made anew by that one, and all its events counted again.
OUTLIVES: Final = timedelta(days=7)
READY: Final = "ready"
WAITING: Final = "waiting"


def project(cursor: int, events: Sequence[RecordedEvent], shards: int) -> Put:
    """The row after the events, which follow the cursor without a gap."""
    newest = events[-1]
    state = newest.snapshot()
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
            "removed_at": epoch_seconds(state.expires_at + OUTLIVES),
        }
    return Put(
        View.REQUESTS,
        {"request_id": newest.request_id},
        {
            **first,
            "version": newest.version,
            "status": state.status,
            "state": exact_json.encode(state.snapshot()),
            "status_shard": status_shard(state.status, shard_of(newest.request_id, shards)),
            "queue_key": queue_key(state),
        },
        after=cursor,
    )


def shard_of(name: str, shards: int) -> int:
    """The shard that a name belongs to, 0 to shards - 1."""
    return crc32(name.encode()) % shards


def status_shard(status: Status | None, shard: int) -> str:
    """The partition of the StatusIndex."""
    return f"{status}#{shard}"


def queue_key(state: RequestState) -> str:
    """The place of a request among those of its status."""
    due = to_text(state.due_at)
    match state.status:
        case Status.PENDING if state.due_at <= state.submitted_at:
            return ready_key(state.priority, due)
        case Status.PENDING | Status.RETRYING:
            return f"{WAITING}#{due}"
        case Status.PROCESSING:
            return to_text(state.lease_until)
        case _:
            return to_text(state.updated_at)


def ready_key(priority: int, due: str) -> str:
    """The place of a request that may run at once: a higher priority sorts first, then an earlier due time."""
    return f"{READY}#{HIGHEST_PRIORITY - priority}#{due}"
