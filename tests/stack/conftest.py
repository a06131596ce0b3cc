"""The whole stack, deployed once for these tests, and clients of tenants that no other test uses."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client import StreamerClient
from client.tokens import make_token
from local.stack import Stack, running

NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process, so that there is one stack."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("stack"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, in a directory of its own; a lost worker is noticed soon."""
    with running(tmp_path_factory.mktemp("stack"), LeaseSeconds="5", WorkConcurrency="4") as started:
        yield started


@pytest.fixture
def tenant() -> str:
    """A tenant of this test alone, so that its counts are too."""
    return f"tenant-{next(NUMBERS)}"


Connect = Callable[..., Awaitable[StreamerClient]]


@pytest.fixture
async def connect(stack: Stack, tenant: str) -> AsyncIterator[Connect]:
    """Connect as a user of the test's tenant; every client is closed at the end."""
    async with AsyncExitStack() as open_clients:

        async def connect_as(user: str = "ann", *scopes: str, of: str = tenant) -> StreamerClient:
            token = make_token(stack, tenant=of, user=user, now=datetime.now(UTC), scopes=scopes)
            return await open_clients.enter_async_context(StreamerClient(stack.ws_url, token=token))

        yield connect_as


@pytest.fixture
def last_hour() -> tuple[datetime, datetime]:
    """A period that holds everything a test does."""
    now = datetime.now(UTC)
    return now - timedelta(hours=1), now + timedelta(hours=1)
