"""What the views say afterwards: metrics, audit and the log agree with what was done."""

import asyncio
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from adapters.event_store import EventStore
from client import StreamerClient
from domain.recorded import first_break
from local.aws import session
from local.stack import Stack
from tests.stack.conftest import Connect

Period = tuple[datetime, datetime]
LOOKS = 300  # a bound for a view that never comes up to the log, not a time that is expected


async def totals_when(
    client: StreamerClient, period: Period, condition: Callable[[Mapping[str, int]], bool]
) -> Mapping[str, int]:
    """The tenant's totals, as soon as they are as they must become."""
    totals: Mapping[str, int] = {}
    for _ in range(LOOKS):
        totals = (await client.metrics(*period)).totals
        if condition(totals):
            return totals
        await asyncio.sleep(0.1)
    raise AssertionError(totals)


async def test_the_counts_equal_what_was_done(connect: Connect, last_hour: Period) -> None:
    client = await connect("ann", "tenant:read")
    done = [await client.submit("echo_async", n) for n in range(3)]
    failing = await client.submit("delay", {"seconds": 0, "fail_attempts": 9}, max_attempts=2)
    waiting = await client.submit("delay", {}, delay_s=600)
    await waiting.cancel()
    for handle in (*done, failing, waiting):
        _ = [update async for update in handle]
    totals = await totals_when(client, last_hour, lambda counts: counts["completed"] + counts["failed"] == 4)
    wanted = {"submitted": 5, "started": 5, "retried": 1, "completed": 3, "failed": 1, "cancelled": 1}
    assert {name: totals[name] for name in wanted} == wanted
    of_echo = (await client.metrics(*last_hour, action="echo_async")).totals
    assert [of_echo["submitted"], of_echo["completed"]] == [3, 3]


async def test_the_log_of_a_request_is_whole_and_its_audit_has_an_item_for_each_event(
    connect: Connect, stack: Stack
) -> None:
    client = await connect()
    handle = await client.submit("delay", {"seconds": 0, "steps": 3})
    await handle.result()
    store = EventStore(session().client("dynamodb", endpoint_url=stack.endpoint_url), stack.tables["Events"])
    log = list(store.read(handle.request_id))
    assert first_break(log) is None
    items = await client.audit(request_id=handle.request_id)
    assert [(item["version"], item["type"], item["hash"]) for item in items] == [
        (event.version, event.type, event.hash.hex()) for event in log
    ]


async def test_the_days_audit_tells_who_did_what_but_no_payload(connect: Connect, last_hour: Period) -> None:
    client = await connect("ann", "tenant:read")
    handle = await client.submit("echo_async", {"secret": "marker-in-payload"})
    await handle.result()
    await totals_when(client, last_hour, lambda counts: counts["completed"] == 1)
    days = sorted({moment.date() for moment in last_hour})
    entries = [entry for day in days for entry in await client.audit(day=day)]
    told = {entry["type"] for entry in entries}
    assert {"ConnectionOpened", "RequestSubmitted", "AttemptStarted", "RequestCompleted"} <= told
    assert "marker-in-payload" not in str(entries)
    assert {entry["user_id"] for entry in entries} == {"ann"}


async def test_lists_show_ones_own_requests_and_with_the_scope_everybodys(connect: Connect, last_hour: Period) -> None:
    ann, bob = await connect("ann"), await connect("bob", "tenant:read")
    of_ann = await ann.submit("echo_async", 1)
    of_bob = await bob.submit("echo_async", 2)
    await asyncio.gather(of_ann.result(), of_bob.result())
    await totals_when(bob, last_hour, lambda counts: counts["completed"] == 2)
    assert [row["request_id"] for row in await ann.list()] == [of_ann.request_id]
    everybodys = await bob.list(scope="tenant")
    assert {row["request_id"] for row in everybodys} == {of_ann.request_id, of_bob.request_id}
    assert {row["state"]["status"] for row in everybodys} == {"COMPLETED"}


async def test_a_report_on_the_tenants_own_data_is_behind_its_links(connect: Connect, last_hour: Period) -> None:
    client = await connect("ann", "tenant:read")
    await (await client.submit("echo_async", 1)).result()
    await totals_when(client, last_hour, lambda counts: counts["completed"] == 1)
    start, end = last_hour
    report: Any = await client.call("generate_report", {"start": start.isoformat(), "end": end.isoformat()})
    assert report["totals"]["completed"] == 1
    page = await asyncio.to_thread(fetch, report["html"]["link"])
    table = await asyncio.to_thread(fetch, report["csv"]["link"])
    assert "<svg" in page
    assert "echo_async" in page
    assert len(table.splitlines()) >= 2


def fetch(link: str) -> str:
    with urllib.request.urlopen(link) as answer:  # noqa: S310 - a link to this machine's own stack
        return str(answer.read().decode())
