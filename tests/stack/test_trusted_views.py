"""Operators' commands on a running stack: views are made anew and compared while it works, and tampering is named."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adapters.clock import Clock
from adapters.event_store import EventStore
from client import StreamerClient
from local.aws import session
from local.stack import Stack
from tests.stack.conftest import Connect
from tests.stack.test_views import Period, totals_when
from tools import building
from tools.operated import Operated, described
from tools.rebuild import Asked, rebuild
from tools.reconcile import reconcile
from tools.verify import verify

QUIET = Console(file=io.StringIO())


@pytest.fixture
def operated(stack: Stack) -> Operated:
    return described("streamer", session(), stack.endpoint_url)


async def _work(client: StreamerClient, last_hour: Period) -> None:
    """Requests of every kind, until the views have them."""
    handles = [await client.submit("echo_async", n) for n in range(6)]
    handles += [await client.submit("delay", {"seconds": 0, "steps": 4}) for _ in range(3)]
    handles.append(await client.submit("delay", {"seconds": 0, "fail_attempts": 9}, max_attempts=2))
    waiting = await client.submit("delay", {}, delay_s=600)
    await waiting.cancel()
    for handle in (*handles, waiting):
        _ = [update async for update in handle]
    await totals_when(
        client, last_hour, lambda counts: counts["completed"] + counts["failed"] + counts["cancelled"] == 11
    )


async def test_every_view_made_anew_equals_the_live_one(
    connect: Connect, operated: Operated, tenant: str, last_hour: Period, tmp_path: Path
) -> None:
    await _work(await connect("ann", "tenant:read"), last_hour)

    def compared(view: str) -> Any:
        asked = Asked(view, tenant_id=tenant, until=last_hour[1], segments=2)
        return rebuild(operated, asked, tmp_path, Clock(), QUIET)

    for view in building.NAMES:
        report = await asyncio.to_thread(compared, view)
        assert report.differences == []
        assert (report.requests, report.rows > 0) == (11, True)


async def test_an_event_that_was_tampered_with_is_named(
    connect: Connect, operated: Operated, tenant: str, last_hour: Period, tmp_path: Path
) -> None:
    client = await connect("ann", "tenant:read")
    handle = await client.submit("delay", {"seconds": 0, "steps": 2})
    await handle.result()
    await totals_when(client, last_hour, lambda counts: counts["completed"] == 1)

    def wrong() -> list[str]:
        return verify(operated, tenant, 2, tmp_path, Clock(), QUIET)

    assert await asyncio.to_thread(wrong) == []
    operated.dynamodb.update_item(
        TableName=operated.tables["Events"],
        Key={"request_id": {"S": handle.request_id}, "version": {"N": "3"}},
        UpdateExpression="SET user_id = :mallory",
        ExpressionAttributeValues={":mallory": {"S": "mallory"}},
    )
    assert await asyncio.to_thread(wrong) == [f"{handle.request_id} version 3: missing or altered in the log"]


async def test_a_request_that_the_views_lost_is_brought_back(
    connect: Connect, operated: Operated, tenant: str, last_hour: Period
) -> None:
    client = await connect("ann", "tenant:read")
    handle = await client.submit("echo_async", 1)
    await handle.result()
    await totals_when(client, last_hour, lambda counts: counts["completed"] == 1)
    key: Any = {"request_id": {"S": handle.request_id}}
    operated.dynamodb.delete_item(TableName=operated.tables["Requests"], Key=key)

    class Later(Clock):
        """The clock of an operator who comes when nothing can be on its way any more."""

        def now(self) -> Any:
            return last_hour[1]

    found = await asyncio.to_thread(reconcile, operated, tenant, 2, Later(), QUIET)
    assert (found.behind, found.repaired) == (1, 1)
    [row] = await client.list()
    assert row["version"] == EventStore(operated.dynamodb, operated.tables["Events"]).head(handle.request_id).version


async def test_why_a_request_waits_is_told(connect: Connect) -> None:
    client = await connect()
    handle = await client.submit("delay", {}, delay_s=600)
    told = await client.explain(handle.request_id)
    assert told.why.startswith("It waits until ")
    assert [watcher["topic"] for watcher in told.watchers] == [f"request#{handle.request_id}"]
    await handle.cancel()
