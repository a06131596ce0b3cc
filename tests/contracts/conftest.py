"""Each contract runs on every backend that `--backends` names; memory has no tables, so it runs what needs none."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.connection_store import ConnectionStore
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.request_view import RequestView
from adapters.subscription_store import SubscriptionStore
from adapters.ticket_store import TicketStore
from domain.identity import Identity
from tests.contracts.backends import (
    DYNAMODB_LOCAL,
    IN_PROCESS,
    MEMORY,
    MINISTACK,
    SERVERS,
    SIMULATED,
    Backend,
    Tables,
    at,
)
from tests.kit.clock import START, FakeClock
from tests.kit.raising import raising

SHARDS = 4
NUMBERS = itertools.count(1)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what is about DynamoDB Local alone where that is not asked for."""
    alone = collection_path.name in {"test_capacity.py", "test_dynamodb_local.py"}
    return True if alone and DYNAMODB_LOCAL not in config.getoption("backends").split(",") else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each backend; those on one server stay in one process, so that there is one server."""
    if "backend" in metafunc.fixturenames:
        named = metafunc.config.getoption("backends").split(",")
        lacking = {MEMORY} if "tables" in metafunc.fixturenames else set()
        if metafunc.module.__name__.endswith("test_tables"):
            lacking.add(SIMULATED)  # its tables are read from the template, nobody can make others
        chosen = [name for name in named if name not in lacking]
        metafunc.parametrize(
            "backend",
            [pytest.param(name, marks=pytest.mark.xdist_group(name) if name in SERVERS else ()) for name in chosen],
            indirect=True,
            scope="module",
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each report say which backend it is about."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "backend" in item.callspec.params:
            item.user_properties.append(("backend", item.callspec.params["backend"]))


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The address of a server, which is started when it is first asked for."""
    with ExitStack() as running:
        started: dict[str, str] = {}

        def start(name: str) -> str:
            if name not in started:
                started[name] = running.enter_context(SERVERS[name](tmp_path_factory.mktemp(name)))
            return started[name]

        yield start


@pytest.fixture(scope="module")
def backend(request: pytest.FixtureRequest, endpoint: Callable[[str], str]) -> Iterator[Backend]:
    in_process = IN_PROCESS.get(request.param)
    with in_process() if in_process else at(endpoint(request.param), has_buckets=request.param == MINISTACK) as made:
        yield made


@pytest.fixture
def tables(backend: Backend) -> Tables:
    assert backend.tables is not None
    return backend.tables


@pytest.fixture
def events(backend: Backend) -> EventStore:
    return backend.events


@pytest.fixture
def connections(backend: Backend) -> ConnectionStore:
    return backend.connections


@pytest.fixture
def subscriptions(backend: Backend) -> SubscriptionStore:
    return backend.subscriptions


@pytest.fixture
def tickets(backend: Backend) -> TicketStore:
    return backend.tickets


@pytest.fixture
def objects(backend: Backend) -> Objects:
    return backend.objects


@pytest.fixture
def view(tables: Tables) -> RequestView:
    return RequestView(tables.client, tables.names["Requests"], SHARDS, raising)


@pytest.fixture
def clock() -> FakeClock:
    """A clock of this test alone; each test has days of its own, and so request ids."""
    return FakeClock(START + timedelta(days=100 * next(NUMBERS)))


@pytest.fixture
def name() -> str:
    """A request id, connection id or tenant that no other test has."""
    return f"n{next(NUMBERS)}"


@pytest.fixture
def identity(name: str, clock: FakeClock) -> Identity:
    return Identity(name, "ann", frozenset(), clock.now() + timedelta(hours=1))
