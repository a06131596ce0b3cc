"""Whose turn it is: the order in which requests wait for a worker.

Tenants take turns, in a circle; each worker goes on from the tenant that it served last. Among a tenant's requests the
highest priority comes first, then the oldest. So a tenant with a long queue delays nobody else's first request, and
nobody gets ahead of other tenants by calling everything urgent.

queue_shard  ready#n or waiting#n, n calculated from the tenant, so that a tenant's queue is in one partition
turn         the order within it: tenants in the circle; a tenant's ready requests by priority (9 first) and due time,
             waiting ones (delayed, or between two attempts) by due time
"""

from datetime import datetime
from typing import Final
from zlib import crc32

from msgspec import Struct

from domain.instant import from_text, to_text
from domain.state import RequestState, Status

HIGHEST_PRIORITY: Final = 9
READY: Final = "ready"
WAITING: Final = "waiting"
RUNNABLE: Final = frozenset({Status.PENDING, Status.RETRYING})
PAST: Final = "~"  # after every text that a place or a key may go on with


class Turn(Struct, frozen=True):
    """A waiting request's place in the queue: its tenant's place in the circle, and its own among the tenant's."""

    tenant_id: str
    priority: int
    due: str  # an instant's text
    is_ready: bool = True  # since it was submitted; False for one that was delayed or is tried again

    @classmethod
    def of(cls, state: RequestState, tenant_id: str) -> "Turn | None":
        """The turn of a request; None for one that waits for no worker."""
        if state.status not in RUNNABLE:
            return None
        is_ready = state.status is Status.PENDING and state.due_at <= state.submitted_at
        return cls(tenant_id, state.priority, to_text(state.due_at), is_ready)

    @classmethod
    def parsed(cls, key: str, *, is_ready: bool) -> "Turn":
        """The turn that a key of the queue stands for."""
        _, tenant_id, *order = key.split("#")
        rank, due = order if is_ready else reversed(order)
        return cls(tenant_id, HIGHEST_PRIORITY - int(rank), due, is_ready)

    @property
    def due_at(self) -> datetime:
        """When the request may start."""
        return from_text(self.due)

    @property
    def rank(self) -> tuple[str, int, str]:
        """What all turns are compared by, of ready and of waiting requests."""
        return place(self.tenant_id), HIGHEST_PRIORITY - self.priority, self.due

    @property
    def key(self) -> str:
        """The turn as the queue's sort key."""
        rank = HIGHEST_PRIORITY - self.priority
        order = f"{rank}#{self.due}" if self.is_ready else f"{self.due}#{rank}"
        return f"{place(self.tenant_id)}{order}"

    def shard(self, shards: int) -> str:
        """The partition of the queue that the turn is in."""
        return queue_shard(READY if self.is_ready else WAITING, self.tenant_id, shards)


def place(tenant_id: str) -> str:
    """A tenant's place in the circle: by a checksum first, so that no choice of names makes a tenant the first."""
    return f"{crc32(tenant_id.encode()):08x}#{tenant_id}#"


def queue_shard(kind: str, tenant_id: str, shards: int) -> str:
    """The partition of the queue that has a tenant's ready or waiting requests."""
    return f"{kind}#{crc32(tenant_id.encode()) % shards}"
