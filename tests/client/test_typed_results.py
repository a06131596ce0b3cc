"""A result is read as what its user expects, within the time that its user gives."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import BaseModel

from client import ConnectionLost, StillRunning, StreamerClient, UnexpectedResult
from tests.client.scripted_server import ScriptedServer

Connect = Callable[..., StreamerClient]


class Report(BaseModel):
    """What the tests' action results in."""

    rows: int
    share: float


async def test_a_result_is_read_as_a_model(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        server.append("r1", "RequestCompleted", result={"rows": 3, "share": Decimal("0.5")})
        await server.push("r1", 1, 2)
        assert await handle.result(Report) == Report(rows=3, share=0.5)
        assert (await handle.result())["rows"] == 3


async def test_a_result_of_another_type_is_told_with_its_value(connect: Connect) -> None:
    async with connect() as client:
        assert await client.call("echo", [1, 2], list[int]) == [1, 2]
        with pytest.raises(UnexpectedResult, match="rows") as unexpected:
            await client.call("echo", {"share": 1}, Report)
    assert unexpected.value.value == {"share": 1}


@pytest.mark.parametrize("within", [0, timedelta(0)])
async def test_a_result_that_takes_too_long_is_told_and_can_be_waited_for_again(
    server: ScriptedServer, connect: Connect, within: float | timedelta
) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        with pytest.raises(TimeoutError) as late:
            await handle.result(within=within)
        assert isinstance(late.value, StillRunning)
        server.append("r1", "RequestCompleted", result=1)
        await server.push("r1", 1, 2)
        assert await handle.result(within=60) == 1


async def test_a_timeout_of_the_users_own_is_not_taken_for_ours(connect: Connect) -> None:
    async with connect() as client:
        handle = await client.submit("report")
        with pytest.raises(TimeoutError) as late:
            async with asyncio.timeout(0):
                await handle.result(within=60)
        assert not isinstance(late.value, StillRunning)
    with pytest.raises(ConnectionLost):
        await handle.result(within=60)
