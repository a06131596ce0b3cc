"""What the contracts run on: dictionaries, moto and the simulation in this process, MiniStack and DynamoDB Local."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.connection_store import ConnectionStore
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.subscription_store import SubscriptionStore
from adapters.ticket_store import TicketStore
from local import dynamodb_local, emulator
from local.aws import session
from tests.adapters.wrapped import Wrapped
from tests.kit.memory import (
    MemoryConnectionStore,
    MemoryEventStore,
    MemoryObjects,
    MemorySubscriptionStore,
    MemoryTicketStore,
)
from tests.kit.tables import delete_tables, make_tables, on_moto
from tests.simulation.database import Database
from tests.simulation.dynamodb import DynamoDB, Plain

MEMORY: Final = "memory"
SIMULATED: Final = "simulated"
DYNAMODB_LOCAL: Final = "dynamodb-local"
MINISTACK: Final = "ministack"
_BUCKET: Final = "streamer-contracts"
Endpoint = Callable[[Path], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table of the stack somewhere, and a client that is watched."""

    client: Any
    names: Mapping[str, str]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table (by its short name: Events, Requests, …)."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.names[table], ConsistentRead=True)
        return [row for page in pages for row in page["Items"]]

    def pad(self, table: str, **key: str) -> None:
        """Make a row so large that few fit a page."""
        self.client.update_item(
            TableName=self.names[table],
            Key={name: {"S": value} for name, value in key.items()},
            UpdateExpression="SET padding = :padding",
            ExpressionAttributeValues={":padding": {"S": "x" * 300_000}},
        )


@dataclass(frozen=True, slots=True)
class Backend:
    """The stores over one backend; its tables, where it has any."""

    events: EventStore
    connections: ConnectionStore
    subscriptions: SubscriptionStore
    tickets: TicketStore
    objects: Objects
    tables: Tables | None = None


def on_tables(client: Any, names: Mapping[str, str], objects: Objects) -> Backend:
    """The stores over tables and a bucket."""
    return Backend(
        EventStore(client, names["Events"]),
        ConnectionStore(client, names["Connections"]),
        SubscriptionStore(client, names["Subscriptions"]),
        TicketStore(client, names["Tickets"]),
        objects,
        Tables(client, names),
    )


@contextmanager
def in_memory() -> Iterator[Backend]:
    """Dictionaries."""
    yield Backend(
        MemoryEventStore(), MemoryConnectionStore(), MemorySubscriptionStore(), MemoryTicketStore(), MemoryObjects()
    )


@contextmanager
def in_process() -> Iterator[Backend]:
    """On moto, which takes one call at a time."""
    with on_moto() as aws:
        yield on_tables(Wrapped(aws.dynamodb), aws.tables, Objects(lambda: aws.s3, aws.payload_bucket))


@contextmanager
def simulated() -> Iterator[Backend]:
    """On the tables of the fault simulation, which prove here that they are DynamoDB enough."""
    database = Database(now=lambda: 0.0)
    names = {name.removeprefix("streamer-"): name for name in database.tables}
    yield on_tables(Wrapped(DynamoDB(database, Plain())), names, MemoryObjects())


@contextmanager
def at(endpoint_url: str, *, has_buckets: bool = False) -> Iterator[Backend]:
    """On a server's own engine, which takes calls as they come; a dictionary is the bucket where it has none."""
    client = session().client("dynamodb", endpoint_url=endpoint_url)
    names = make_tables(client)
    try:
        objects = _bucket(endpoint_url) if has_buckets else MemoryObjects()
        yield on_tables(Wrapped(client, one_at_a_time=False), names, objects)
    finally:
        delete_tables(client, names)


def _bucket(endpoint_url: str) -> Objects:
    s3 = session().client("s3", endpoint_url=endpoint_url)
    s3.create_bucket(Bucket=_BUCKET)
    return Objects(lambda: s3, _BUCKET)


@contextmanager
def _ministack(directory: Path) -> Iterator[str]:
    started = emulator.start(directory)
    try:
        yield started.endpoint_url
    finally:
        started.stop()


IN_PROCESS: Final[Mapping[str, Callable[[], AbstractContextManager[Backend]]]] = {
    MEMORY: in_memory,
    "moto": in_process,
    SIMULATED: simulated,
}
SERVERS: Final[Mapping[str, Endpoint]] = {MINISTACK: _ministack, DYNAMODB_LOCAL: dynamodb_local.running}
