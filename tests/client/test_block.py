"""A client lives as long as its `async with` block: not before, not after, and once."""

import asyncio
from collections.abc import Callable

import pytest

from client import ConnectionLost, ConnectRefused, StreamerClient
from domain.instant import EPOCH
from tests.client.scripted_server import ScriptedServer

Connect = Callable[..., StreamerClient]


async def test_closing_the_client_ends_its_handles(connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        waiting = asyncio.create_task(handle.result())
        await client.ping()
    with pytest.raises(ConnectionLost):
        await waiting
    with pytest.raises(ConnectionLost):
        await client.ping()


async def test_a_client_is_used_in_an_async_with_block(connect: Connect) -> None:
    client = connect()
    for call in (client.ping(), client.submit("report"), client.subscribe("r1"), client.watch_topic("tenant#acme")):
        with pytest.raises(RuntimeError, match="async with"):
            await call


async def test_a_client_that_was_closed_is_not_entered_again(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        pass
    with pytest.raises(RuntimeError, match="once"):
        async with client:
            pytest.fail("entered twice")
    assert len(server.headers) == 1


async def test_a_client_that_could_not_connect_may_try_again(server: ScriptedServer, connect: Connect) -> None:
    client = connect()
    server.refusals = [401]
    with pytest.raises(ConnectRefused):
        async with client:
            pytest.fail("connected")
    async with client:
        assert await client.ping() == EPOCH
