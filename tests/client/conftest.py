import asyncio
import functools
import inspect
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from client import Backoff, StreamerClient
from tests.client.scripted_server import ManualClock, ScriptedServer

PATIENCE = 10  # seconds; what hangs has failed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the tests of this folder end even when what they wait for never comes."""
    for item in items:
        if isinstance(item, pytest.Function) and Path(__file__).parent in item.path.parents:
            item.obj = bounded(item.obj)


def bounded(test: Callable[..., Any]) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(test):
        return test

    @functools.wraps(test)
    async def within_patience(*args: Any, **fixtures: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            await test(*args, **fixtures)

    return within_patience


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def connect(server: ScriptedServer, clock: ManualClock) -> Callable[..., StreamerClient]:
    """A client of the scripted server whose back-off takes no time."""

    def make(tries: int = 5, **options: Any) -> StreamerClient:
        backoff = Backoff(tries=tries, random=random.Random(1).random, sleep=clock.sleep)
        return StreamerClient(server.url, **{"token": "t0ken", "backoff": backoff, **options})

    return make
