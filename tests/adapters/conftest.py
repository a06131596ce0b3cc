"""One stack on moto for each module of tests, the parts over it, and a clock that stands still."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from adapters.connection_store import ConnectionStore
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.places import Places
from adapters.request_queue import RequestQueue, Submission
from adapters.request_view import RequestView
from adapters.stale_connections import StaleConnections
from adapters.subscription_store import SubscriptionStore
from adapters.work_tokens import WorkTokens
from domain.identity import Identity
from domain.recorded import Head
from handlers import bootstrap, project_views
from tests.adapters.sockets import Closing
from tests.adapters.wrapped import Wrapped
from tests.kit.clock import START, FakeClock
from tests.kit.raising import raising
from tests.kit.streams import StreamReader
from tests.kit.tables import Aws, forget, on_moto

SHARDS = 1
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with on_moto() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of everything here, and of the handlers; each test has days of its own, and so request ids."""
    clock = FakeClock(START + timedelta(days=100 * next(NUMBERS)))
    monkeypatch.setattr(bootstrap, "CLOCK", clock)
    forget()  # what a handler is made of has the clock of the test before
    return clock


@pytest.fixture
def name() -> str:
    """A request id, connection id or tenant that no other test has."""
    return f"n{next(NUMBERS)}"


@pytest.fixture
def identity(name: str, clock: FakeClock) -> Identity:
    return Identity(name, "ann", frozenset(), clock.now() + timedelta(hours=1))


@pytest.fixture
def dynamodb(aws: Aws) -> Wrapped:
    return Wrapped(aws.dynamodb)


@pytest.fixture
def events(aws: Aws, dynamodb: Any) -> EventStore:
    return EventStore(dynamodb, aws.tables["Events"])


@pytest.fixture
def connections(aws: Aws, dynamodb: Any) -> ConnectionStore:
    return ConnectionStore(dynamodb, aws.tables["Connections"])


@pytest.fixture
def sockets() -> Closing:
    return Closing()


@pytest.fixture
def stale(aws: Aws, dynamodb: Any, connections: ConnectionStore, sockets: Any, clock: FakeClock) -> StaleConnections:
    return StaleConnections(connections, sockets, Places(dynamodb, aws.tables["Metrics"]), clock)


@pytest.fixture
def subscriptions(aws: Aws, dynamodb: Any) -> SubscriptionStore:
    return SubscriptionStore(dynamodb, aws.tables["Subscriptions"])


@pytest.fixture
def view(aws: Aws, dynamodb: Any) -> RequestView:
    return RequestView(dynamodb, aws.tables["Requests"], SHARDS, raising)


@pytest.fixture
def objects(aws: Aws) -> Objects:
    return Objects(lambda: aws.s3, aws.payload_bucket)


@pytest.fixture
def sqs(aws: Aws) -> Wrapped:
    return Wrapped(aws.sqs)


@pytest.fixture
def tokens(aws: Aws, sqs: Any) -> WorkTokens:
    return WorkTokens(sqs, aws.queue_url)


@pytest.fixture
def queue(events: EventStore, view: RequestView, objects: Objects, clock: FakeClock) -> RequestQueue:
    return RequestQueue(events, view, objects, clock, timedelta(days=7))


@dataclass(slots=True)
class Asking:
    """Takes requests in as a client's frame would, and brings the views up to the log when told to."""

    queue: RequestQueue
    aws: Aws
    clock: FakeClock
    tenant_id: str
    reader: StreamReader | None = None

    def submission(self, **asked: Any) -> Submission:
        """What a client asks for, small unless told otherwise."""
        given: dict[str, Any] = {"tenant_id": self.tenant_id, "user_id": "ann", "action": "echo_async", "payload": {}}
        return Submission(**{**given, "max_attempts": 3, **asked})

    def ask(self, **asked: Any) -> Head:
        """Take a request in; a millisecond passes, so that requests have an order."""
        submission = self.submission(**asked)
        head, _ = self.queue.enqueue(self.queue.request_id(submission), submission)
        self.clock.advance(0.001)
        return head

    def project(self) -> None:
        """Bring the views up to the log, by the records of its stream."""
        if self.reader is None:
            self.reader = StreamReader(self.aws.streams, self.aws.tables["Events"])
        records = self.reader.read()
        if records:
            assert project_views.handler({"Records": records}, None) == {"batchItemFailures": []}


@pytest.fixture
def asking(queue: RequestQueue, aws: Aws, clock: FakeClock, name: str) -> Asking:
    return Asking(queue, aws, clock, name)
