"""How the cost of an event grows: with the length of the log, with those who watch, and with the tenants.

On DynamoDB Local, with a loopback sink for posts. A cost is the CPU time of this process: our code's and the SDK's, not
the engine's. More calls, larger answers and longer searches show in it. Sizes take turns, so that what else the machine
does meets all of them, and the least of each counts.

- log: append the first ten events of 20 requests and project them in batches of 100, when the log has 10^3, 10^4 and
  10^5 events.
- watchers: push one event to 1, 10, 100 and 1,000 connections.
- tenants: project the same batches when there are 1, 10, 100 and 1,000 tenants; once with the requests of a batch all
  of one tenant, once with each of another, as far as there are so many.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from msgspec.structs import replace

from adapters.aws import QUICK
from adapters.broadcast import Broadcast
from adapters.clock import Clock
from adapters.event_store import EventStore, to_row
from adapters.fan_out import FanOut
from adapters.quarantine import Quarantine
from adapters.signatures import Signer
from adapters.subscription_store import SubscriptionStore
from adapters.view_projector import ViewProjector
from adapters.views import Views
from adapters.work_tokens import WorkTokens
from bench.folding import Record, record_of
from bench.posts import sink
from bench.rebuild import EVENTS_OF_A_REQUEST, log
from bench.results import Row
from bench.views import OF_EACH, REQUESTS, Queue, counted
from domain.identity import Identity
from domain.recorded import RecordedEvent
from domain.subscription import request_topic, subscription
from local import dynamodb_local
from local.aws import session
from local.environment import REGION
from local.tables import ensure
from projections.intents import View

LOGS: Final = (1_000, 10_000, 100_000)
WATCHERS: Final[Mapping[int, int]] = {1: 100, 10: 50, 100: 20, 1_000: 4}  # and how many pushes a sample is
TENANTS: Final = (1, 10, 100, 1_000)
SAMPLES: Final = 9
TARGET: Final = "ratio <= 1.15"
_BATCH: Final = 25
_WRITERS: Final = 4
_UNUSED: Final[Any] = None
_NEW: Final = 10_000_000  # where the numbers of new requests begin
SPREAD: Final = "counts are kept by tenant: a batch of 20 tenants has 20 times the rows to add to of a batch of one"


class Stack:
    """The tables under a prefix, and what works on them; its requests never have a number twice."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.names = ensure(client, prefix, time_to_live=False)
        self.events = EventStore(client, self.names["Events"])
        queue: Any = Queue()
        views = Views(client, {view: self.names[view.value] for view in View})
        self.projector = ViewProjector(
            self.events, views, WorkTokens(queue, "queue"), Quarantine(_UNUSED), Clock(), shards=4
        )
        self._next = _NEW

    def lives(self, tenants: Sequence[str]) -> list[list[RecordedEvent]]:
        """The first ten events of 20 new requests, of these tenants in turns."""
        numbers = range(self._next, self._next + REQUESTS)
        self._next += REQUESTS
        clock = Clock()
        lives = [log(number, clock)[: 2 * OF_EACH] for number in numbers]
        return [
            [replace(event, tenant_id=tenants[place % len(tenants)]) for event in life]
            for place, life in enumerate(lives)
        ]

    def project(self, records: Sequence[Record]) -> None:
        """Bring the views up to stream records."""
        outcome = self.projector.project(records)
        assert outcome.error is None
        assert not outcome.not_handled

    def fill(self, events: int) -> None:
        """Have so many events in the log: copies of one request's under other ids.

        Without a stream, whose records would take the engine as long as the rows themselves.
        """
        self.client.update_table(TableName=self.names["Events"], StreamSpecification={"StreamEnabled": False})
        rows = [to_row(event) for event in log(_NEW - 1, Clock())]
        puts = [
            {"PutRequest": {"Item": {**row, "request_id": {"S": f"fill-{number:08}"}}}}
            for number in range(events // EVENTS_OF_A_REQUEST)
            for row in rows
        ]

        def write(start: int) -> None:
            self.client.batch_write_item(RequestItems={self.names["Events"]: puts[start : start + _BATCH]})

        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(write, range(0, len(puts), _BATCH)))


def _records(events: Sequence[RecordedEvent]) -> list[Record]:
    records: list[Record] = json.loads(json.dumps([record_of(event) for event in events]))
    return records


def _batches(lives: Sequence[Sequence[RecordedEvent]]) -> list[tuple[list[RecordedEvent], list[Record]]]:
    """The events as a shard would hand them out, five of each request, then the next five; and their records."""
    batches = [[event for life in lives for event in life[start : start + OF_EACH]] for start in (0, OF_EACH)]
    return [(events, _records(events)) for events in batches]


def _in_turns(ways: Mapping[int, Callable[[], float]]) -> dict[int, float]:
    """The least that each way costs: what else the machine does only adds to it."""
    spent = [{size: way() for size, way in ways.items()} for _ in range(SAMPLES)]
    return {size: min(costs[size] for costs in spent) for size in ways}


def _of_an_event(stack: Stack, tenants: Sequence[str], *, appended: bool = False) -> float:
    """Microseconds of CPU that an event of new requests of these tenants costs to project, and to append."""
    batches = _batches(stack.lives(tenants))
    started = time.process_time()
    for events, records in batches:
        if appended:
            for event in events:
                stack.events.append(event)
        stack.project(records)
    return 1e6 * (time.process_time() - started) / (REQUESTS * 2 * OF_EACH)


def logs(client: Any) -> tuple[dict[int, float], dict[int, float]]:
    """What an event costs to append and to project, by the length of the log; and its calls of AWS."""
    stacks = {size: Stack(client, f"log{size}") for size in LOGS}
    for size, stack in stacks.items():
        stack.fill(size)
    of_all = [f"tenant-{n}" for n in range(10)]

    def sample(stack: Stack) -> float:
        return _of_an_event(stack, of_all, appended=True)

    costs = _in_turns({size: partial(sample, stack) for size, stack in stacks.items()})
    calls = {}
    for size, stack in stacks.items():
        with counted(client) as made:
            sample(stack)
        calls[size] = len(made) / (REQUESTS * 2 * OF_EACH)
    return costs, calls


def watchers(client: Any, url: str) -> dict[int, float]:
    """What a push costs for each of those who watch."""
    names = ensure(client, "watchers", time_to_live=False)
    clock = Clock()
    store = SubscriptionStore(client, names["Subscriptions"])
    credentials = session().get_credentials()
    assert credentials
    broadcast = Broadcast(Signer(url, REGION, credentials.get_frozen_credentials), clock)
    fan_out = FanOut(store, _UNUSED, broadcast, clock)

    def way(size: int, pushes: int) -> Callable[[], float]:
        events = log(_NEW + size, clock)
        for place in range(size):
            user = Identity(events[0].tenant_id, events[0].user_id, frozenset(), clock.now())
            topic = request_topic(events[0].request_id)
            store.subscribe(subscription(topic, f"L0SM9cOFvHc{place:04}=", user, clock.now()))
        records = [_records([event]) for event in events[2:12]]

        def sample() -> float:
            started = time.process_time()
            for push in range(pushes):
                assert fan_out.post(records[push % len(records)]).sent == size
            return 1e6 * (time.process_time() - started) / pushes / size

        return sample

    costs = _in_turns({size: way(size, pushes) for size, pushes in WATCHERS.items()})
    broadcast.close()
    return costs


def tenants(client: Any, at_once: int) -> dict[int, float]:
    """What an event costs to project, by how many tenants there are; so many of them have requests in a batch."""

    def way(size: int) -> Callable[[], float]:
        stack = Stack(client, f"tenants{size}of{at_once}")
        names = [f"tenant-{n}" for n in range(size)]
        for start in range(0, size, REQUESTS):  # each is known
            stack.project(_records([life[0] for life in stack.lives(names[start : start + REQUESTS])]))
        turn = 0

        def sample() -> float:
            nonlocal turn
            turn += 1
            some = [names[(turn * at_once + n) % size] for n in range(min(at_once, size))]
            return _of_an_event(stack, some)

        return sample

    return _in_turns({size: way(size) for size in TENANTS})


def rows() -> list[Row]:
    """Microseconds of CPU; the peer is the smallest size."""
    with TemporaryDirectory() as name, dynamodb_local.running(Path(name)) as endpoint_url, sink() as url:
        client: Any = session().client("dynamodb", endpoint_url=endpoint_url, config=QUICK)
        costs, calls = logs(client)
        of_log = _rows("event appended and projected, {:,} in the log", costs)
        of_calls = Row(
            f"growth: calls of AWS for an event, {LOGS[-1]:,} in the log",
            calls[LOGS[-1]],
            calls[LOGS[0]],
            "calls an event",
            TARGET,
        )
        watched = watchers(client, url)
        alone = _rows("event projected, tenants: {:,}, one a batch", tenants(client, 1))
        spread = _rows("event projected, tenants: {:,}, 20 a batch", tenants(client, REQUESTS), SPREAD)
    pushed = _rows("push and watcher, {:,} watching", watched)
    return [*of_log, of_calls, *pushed, _one_more(watched), *alone, *spread]


def _one_more(costs: Mapping[int, float]) -> Row:
    """What one more who watches costs, among many and among few: the same if the cost is linear."""
    few, some, many = (size for size in costs if size > 1)
    among_many, among_few = ((costs[to] * to - costs[of] * of) / (to - of) for of, to in ((some, many), (few, some)))
    name = f"growth: one more who watches, {some:,} to {many:,} against {few} to {some:,}"
    return Row(name, among_many, among_few, "CPU us", TARGET)


def _rows(name: str, costs: Mapping[int, float], why: str = "") -> list[Row]:
    first = min(costs)
    return [
        Row(
            f"growth: {name.format(size)}",
            cost,
            costs[first],
            "CPU us",
            TARGET if size > first else "",
            why if size > first else "",
        )
        for size, cost in costs.items()
    ]
