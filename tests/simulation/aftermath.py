"""The aftermath: a week later, requests are kept no longer and DynamoDB removes them, some now, some later.

What expired is not there for anybody, whether DynamoDB has removed it or not; and its removal changes no view.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from client.backoff import Backoff
from client.errors import ClientError, RequestRejected
from client.streamer import StreamerClient
from domain.errors import ErrorCode
from tests.simulation.time_machine import at
from tests.simulation.world import World

PROMPT_S: Final = 25.0  # well below the sweeper's turn
LATER: Final = timedelta(days=8)
_VIEWS: Final = ("Requests", "Audit", "Metrics")


async def calm(world: World) -> list[str]:
    """What is wrong with a request that is submitted when there are no faults any more: it needs no sweeper."""
    script = {"steps": [["wait", 0.5], ["report", 0]]}
    since = world.machine.now
    async with _client(world, "acme") as client:
        try:
            handle = await client.submit("simulated", script, idempotency_key="afterwards")
            await asyncio.wait_for(handle.result(), PROMPT_S)
        except (ClientError, TimeoutError) as error:
            return [f"a request in the calm was not answered after {world.machine.now - since:.1f} s: {error!r}"]
    return []


async def aftermath(world: World) -> list[str]:
    """What is wrong after it."""
    for task in world.routine:
        task.cancel()
    await asyncio.sleep(LATER.total_seconds())
    await _swept(world)  # what is left of connections goes, and is counted
    events, kept, before = len(world.witness.appended), set(world.buckets.objects), _views(world)
    logs = {row["request_id"]["S"]: row["tenant_id"]["S"] for row in world.rows("Events")}
    for name in ("Events", "Requests"):
        table = world.database.tables[f"streamer-{name}"]
        expired = table.expired(at(world.machine.now).timestamp())
        world.rng.shuffle(expired)
        for key in expired:
            if world.rng.random() < 0.6:
                world.faults.fired["row_expired"] += 1
                world.database.expire(table, key)
    await _swept(world)
    wrong = []
    if len(world.witness.appended) > events:
        wrong.append("something was appended to a log that is kept no longer")
    if set(world.buckets.objects) != kept:
        wrong.append(f"a removal was set aside: {sorted(set(world.buckets.objects) - kept)}")
    if _views(world) != before:
        wrong.append("the removal of events changed a view")
    for tenant_id in sorted(set(logs.values())):
        wrong += await _looked_for(world, tenant_id, sorted(name for name, of in logs.items() if of == tenant_id))
    return [f"a week later: {what}" for what in [*wrong, *world.witness.violations]]


async def _swept(world: World) -> None:
    await world.invoke("Sweep", {})
    await asyncio.sleep(60)  # the readers wait for nothing longer


async def _looked_for(world: World, tenant_id: str, logs: list[str]) -> list[str]:
    """Look for what is kept no longer, as its user."""
    wrong = []
    url = f"sim://{tenant_id}/{tenant_id}-0"
    async with StreamerClient(url, token="none", backoff=Backoff(random=world.rng.random)) as client:
        if rows := await client.list(scope="tenant"):
            wrong.append(f"{len(rows)} requests of {tenant_id} are still listed")
        for request_id in logs[:3]:
            try:
                await client.get(request_id)
            except RequestRejected as refused:
                if refused.code is not ErrorCode.NOT_FOUND:
                    wrong.append(f"{request_id} is {refused.code}")
            except ClientError as error:
                wrong.append(f"{request_id} cannot be looked for: {error}")
            else:
                wrong.append(f"{request_id} is still there")
    return wrong


def _client(world: World, tenant_id: str) -> StreamerClient:
    url = f"sim://{tenant_id}/{tenant_id}-0"
    return StreamerClient(url, token="none", backoff=Backoff(random=world.rng.random))


def _views(world: World) -> Mapping[str, Any]:
    return {name: sorted(world.rows(name), key=repr) for name in _VIEWS}
