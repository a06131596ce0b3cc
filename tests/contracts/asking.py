"""Requests as clients ask for them, over any tables: the log, and the view of it, brought up to date when told to."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from adapters.event_store import EventStore
from adapters.request_queue import RequestQueue, Submission
from adapters.request_view import RequestView
from adapters.tenant_slots import TenantSlots
from adapters.views import Views
from domain.recorded import Head
from projections import requests
from projections.intents import View
from tests.contracts.backends import Tables
from tests.kit.clock import FakeClock
from tests.kit.memory import MemoryObjects
from tests.kit.raising import raising

SHARDS = 4


def views_of(tables: Tables) -> Views:
    """The view tables."""
    return Views(tables.client, {view: tables.names[view.value] for view in View})


@dataclass(slots=True)
class Asking:
    """Takes requests in as a client's frame would; projects by the log, for not every backend has a stream to read."""

    tables: Tables
    clock: FakeClock
    tenant_id: str
    slots: TenantSlots | None = None
    shards: int = SHARDS
    queue: RequestQueue = field(init=False)
    cursors: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.tables.names
        events = EventStore(self.tables.client, names["Events"])
        view = RequestView(self.tables.client, names["Requests"], self.shards, raising)
        self.queue = RequestQueue(events, view, MemoryObjects(), self.clock, timedelta(days=7), self.slots)

    def ask(self, **asked: Any) -> Head:
        """Take a request in; a millisecond passes, so that requests have an order."""
        given: dict[str, Any] = {"tenant_id": self.tenant_id, "user_id": "ann", "action": "echo_async", "payload": {}}
        submission = Submission(**{**given, "max_attempts": 3, **asked})
        head, _ = self.queue.enqueue(self.queue.request_id(submission), submission)
        self.cursors[head.request_id] = 0
        self.clock.advance(0.001)
        return head

    def project(self, *only: str) -> None:
        """Bring the requests view up to the log, of all requests or only of some."""
        events, views = EventStore(self.tables.client, self.tables.names["Events"]), views_of(self.tables)
        for request_id in only or self.cursors:
            cursor = self.cursors[request_id]
            missing = list(events.read(request_id, cursor))
            if missing:
                views.update([requests.project(cursor, missing, self.shards)])
                self.cursors[request_id] = missing[-1].version

    def asked(self, count: int, **asked: Any) -> list[str]:
        """The ids of so many new requests that the view shows, newest first."""
        made = [self.ask(**asked).request_id for _ in range(count)]
        self.project()
        return made[::-1]


def alone(tables: Tables, clock: FakeClock, tenant_id: str) -> Asking:
    """Over a view that has nothing of other tests, for the queue is one over every tenant."""
    for row in tables.rows("Requests"):
        tables.client.delete_item(TableName=tables.names["Requests"], Key={"request_id": row["request_id"]})
    return Asking(tables, clock, tenant_id)
