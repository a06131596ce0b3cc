"""Measures what operations consume: `python -m tests.contracts.capacity` writes the table into docs/capacity.md."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from adapters.quarantine import Quarantine
from adapters.rates import SharedRates
from adapters.ticket_store import TicketStore
from adapters.view_projector import ViewProjector
from adapters.work_tokens import WorkTokens
from domain.connection import ACTIVITY_INTERVAL, opened
from domain.identity import Identity
from domain.rate import Rate
from domain.recorded import Head
from domain.subscription import subscription
from local import dynamodb_local
from local.aws import session
from local.template import PROJECT
from tests.contracts.asking import Asking, views_of
from tests.contracts.backends import Backend, at
from tests.contracts.measured import Consumed, measured
from tests.kit.clock import FakeClock
from tests.kit.streams import StreamReader

PAGE: Final = PROJECT / "docs" / "capacity.md"
HEADING: Final = "| operation | calls | read | write | indexes |\n|---|--:|--:|--:|--:|\n"
LEASE: Final = timedelta(seconds=30)
Row = tuple[str, Consumed]


class NoTokens(WorkTokens):
    """A queue that takes no tokens: they are SQS's, and cost no capacity."""

    def __init__(self) -> None:
        pass

    def send(self, *_: Any) -> int:
        """Nothing is sent."""
        return 0


@dataclass(slots=True)
class Measuring:
    """Tables of their own, and what fills them."""

    backend: Backend
    asking: Asking
    projector: ViewProjector
    reader: StreamReader

    @classmethod
    def at(cls, backend: Backend, endpoint_url: str) -> "Measuring":
        """The parts over a backend's tables."""
        assert backend.tables is not None
        tables, clock, unused = backend.tables, FakeClock(), Quarantine(None)  # type: ignore[arg-type] # nothing is unreadable here
        projector = ViewProjector(backend.events, views_of(tables), NoTokens(), unused, clock, shards=1)
        streams = session().client("dynamodbstreams", endpoint_url=endpoint_url)
        return cls(
            backend, Asking(tables, clock, "acme", shards=1), projector, StreamReader(streams, tables.names["Events"])
        )

    def cost(self, name: str, act: Callable[[], object]) -> Row:
        """What an operation consumes."""
        assert self.backend.tables is not None
        with measured(self.backend.tables.client) as consumed:
            act()
        return name, consumed

    def project(self) -> None:
        """Deliver what the stream has."""
        assert not self.projector.project(self.reader.read()).not_handled

    def progress(self, head: Head, percent: float) -> Head:
        """Report progress of the first attempt, with a message as long as most."""
        self.asking.clock.advance(0.25)
        return self.asking.queue.report_progress(head, 1, percent, f"Step {percent:.0f} of 100, all is well", None)


def requests(of: Measuring) -> Iterator[Row]:
    """The log, the queue and the views."""
    queue = of.asking.queue
    yield of.cost("append a submission", of.asking.ask)
    yield of.cost("project a submission: row, counts and audit entry", of.project)
    for _ in range(19):
        of.asking.ask()
    of.project()
    yield of.cost("claim the best of 20", lambda: queue.claim(None, "w", LEASE))
    first = queue.list_by_tenant("acme", 20, None, None).rows[-1]
    running = queue.get(first.request_id)
    of.project()
    yield of.cost("append a progress event", lambda: of.progress(running, 1))
    yield of.cost("project a progress event", of.project)
    yield of.cost("load the newest event", lambda: queue.get(running.request_id))
    for percent in range(2, 22):
        running = of.progress(queue.get(running.request_id), percent)
    yield of.cost("project a batch of 20 progress events of one request", of.project)
    yield of.cost("read a log of 23 events", lambda: list(of.backend.events.read(running.request_id)))
    yield of.cost("complete a request", lambda: queue.complete(running, 1, {"done": True}))
    yield of.cost("project a completion: row, counts and audit entry", of.project)
    yield of.cost("list a page of 20 requests", lambda: queue.list_by_tenant("acme", 20, None, None))


def sockets(of: Measuring) -> Iterator[Row]:
    """Connections, subscriptions, tickets and limits."""
    assert of.backend.tables is not None
    tables, stores, now = of.backend.tables, of.backend, of.asking.clock.now()
    ann = Identity("acme", "ann", frozenset({"tenant:read"}), now + timedelta(hours=1))
    tickets = TicketStore(tables.client, tables.names["Tickets"])
    connection = opened("L0SM9cOFvHcCIhw=", ann, now, "192.0.2.1", "Mozilla/5.0")
    yield of.cost("save a connection", lambda: stores.connections.save(connection))
    yield of.cost("look a connection up", lambda: stores.connections.get(connection.connection_id, now))
    later = now + ACTIVITY_INTERVAL
    yield of.cost("record activity", lambda: stores.connections.record_activity(connection, later))
    topic = "request#0198f3c2-8d3e-7000-8000-000000000001"
    watches = [subscription(topic, f"L0SM9cOFvHcCIh{n:02}=", ann, now) for n in range(20)]
    yield of.cost("subscribe to a request", lambda: stores.subscriptions.subscribe(watches[0]))
    yield of.cost("find the one watcher of a topic", lambda: list(stores.subscriptions.watchers(topic, now)))
    for watch in watches[1:]:
        stores.subscriptions.subscribe(watch)
    yield of.cost("find the 20 watchers of a topic", lambda: list(stores.subscriptions.watchers(topic, now)))
    yield of.cost("unsubscribe", lambda: stores.subscriptions.unsubscribe(topic, watches[0].connection_id))
    ticket: list[str] = []
    yield of.cost("issue a ticket", lambda: ticket.append(tickets.issue(ann, now)))
    yield of.cost("redeem a ticket", lambda: tickets.redeem(ticket[0], now))
    rates, rate = SharedRates(tables.client, tables.names["Limits"]), Rate(per_second=100, burst=1000)
    yield of.cost("take from the bucket of a limit", lambda: rates.take("rate#tenant#acme", rate, now))


def measure(endpoint_url: str) -> dict[str, Consumed]:
    """What each operation consumes, in the order of the table."""
    with at(endpoint_url) as backend:
        of = Measuring.at(backend, endpoint_url)
        rows = [*requests(of), *sockets(of)]
    return dict(rows)


def table_of(costs: dict[str, Consumed]) -> str:
    """The table in Markdown."""
    return HEADING + "".join(f"| {name} | {cost.calls} | {cost} |\n" for name, cost in costs.items())


def main() -> int:
    """Write the table into the page."""
    with TemporaryDirectory() as directory, dynamodb_local.running(Path(directory)) as endpoint_url:
        table = table_of(measure(endpoint_url))
    PAGE.write_text(PAGE.read_text().partition(HEADING)[0] + table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
