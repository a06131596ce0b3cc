"""Whoever watches, from wherever and whenever, sees each version once and in order, on real sockets and real parts."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from client import Handle, StreamerClient, TopicWatch, Update
from client.tokens import make_token
from local.stack import Stack
from tests.kit.cutting import CuttingProxy
from tests.stack.conftest import Connect

WATCHERS = 200


async def ranges(handle: Handle) -> list[tuple[int, int]]:
    """What each update covers, as it comes."""
    return [(update.from_version, update.version) async for update in handle]


async def of_request(watch: TopicWatch, request_id: str) -> list[tuple[int, int]]:
    """What a topic's updates cover of one request, up to its end."""
    seen = []
    async for update in watch:
        if update.request_id == request_id:
            seen.append((update.from_version, update.version))
            if update.is_final:
                break
    return seen


def assert_whole(seen: Sequence[tuple[int, int]], last: int, after: int = 0) -> None:
    """Each version once, in order, none missing."""
    assert [start for start, _ in seen] == [after + 1, *(end + 1 for _, end in seen[:-1])]
    assert seen[-1][1] == last


@pytest.mark.parametrize(
    "seen",
    [
        [(1, 1), (3, 3)],
        [(1, 1), (2, 2)],
        [(2, 3)],
        [(1, 1), (1, 2), (3, 3)],
        [(1, 1), (3, 3), (2, 2)],
        [(1, 3), (3, 3)],
    ],
    ids=["a gap", "no end", "no start", "a repeat", "disorder", "twice the end"],
)
def test_what_the_others_assert_can_fail(seen: list[tuple[int, int]]) -> None:
    with pytest.raises(AssertionError):
        assert_whole(seen, 3)


async def newest(client: StreamerClient, handle: Handle) -> int:
    return (await client.get(handle.request_id)).version


def a_client(stack: Stack, url: str, tenant: str) -> StreamerClient:
    return StreamerClient(
        url, token=lambda: make_token(stack, tenant=tenant, user="ann", now=datetime.now(UTC), scopes=["tenant:read"])
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_however_often_connections_are_cut_nobody_misses_or_repeats_a_version(
    stack: Stack, tenant: str, connect: Connect, seed: int
) -> None:
    async with CuttingProxy(stack.ws_url, seed).listening() as proxy, AsyncExitStack() as clients:
        worried = [await clients.enter_async_context(a_client(stack, proxy.url, tenant)) for _ in range(3)]
        topic = await worried[2].watch_topic(f"user#{tenant}#ann")
        handle = await worried[0].submit("delay", {"seconds": 8, "steps": 40})
        other = await worried[1].subscribe(handle.request_id)
        seeing = [asyncio.create_task(ranges(one)) for one in (handle, other)]
        seeing.append(asyncio.create_task(of_request(topic, handle.request_id)))
        await proxy.until_cut(6)
        seen = await asyncio.gather(*seeing)
        proxy.cutting = False
        last = await newest(await connect(), handle)
        for one in seen:
            assert_whole(one, last)
        assert await handle.result() == {"waited_s": 8, "steps": 40, "attempt": 1}


async def test_requests_begun_while_a_topics_watcher_is_cut_off_are_told(
    stack: Stack, tenant: str, connect: Connect
) -> None:
    async with CuttingProxy(stack.ws_url, seed=4, most=6000).listening() as proxy:
        async with a_client(stack, proxy.url, tenant) as cut_off:
            watch = await cut_off.watch_topic(f"tenant#{tenant}")
            steady = await connect()
            handles = [await steady.submit("delay", {"seconds": 1, "steps": 4}) for _ in range(3)]
            seen: dict[str, list[tuple[int, int]]] = {}
            ended = 0
            async for update in watch:
                seen.setdefault(update.request_id, []).append((update.from_version, update.version))
                ended += update.is_final
                if ended == len(handles):
                    break
        assert proxy.cuts > 0
    for handle in handles:
        assert_whole(seen[handle.request_id], await newest(steady, handle))


async def test_a_watcher_may_come_at_any_point_of_a_requests_life(connect: Connect) -> None:
    submitter, late = await connect(), await connect()
    handle = await submitter.submit("delay", {"seconds": 2, "steps": 6})
    comers: list[tuple[int, asyncio.Task[list[tuple[int, int]]]]] = []

    async def come(after: int) -> list[tuple[int, int]]:
        return await ranges(await late.subscribe(handle.request_id, after))

    async for update in handle:
        comers += [(after, asyncio.create_task(come(after))) for after in {0, update.version - 1, update.version}]
    last = await newest(submitter, handle)
    for after, coming in comers:
        seen = await coming
        if after < last:
            assert_whole(seen, last, after)
        else:
            assert seen == []
    assert len(comers) > 3 * 4


async def test_two_devices_of_one_user_see_the_same(connect: Connect, tenant: str) -> None:
    phone, desk = await connect(), await connect()
    watch = await desk.watch_topic(f"user#{tenant}#ann")
    handle = await phone.submit("delay", {"seconds": 1, "steps": 4})
    on_desk, on_phone = await asyncio.gather(of_request(watch, handle.request_id), ranges(handle))
    last = await newest(phone, handle)
    assert_whole(on_desk, last)
    assert_whole(on_phone, last)
    again = await desk.watch_topic(f"user#{tenant}#ann")
    assert [row["request_id"] for row in again.requests] == [handle.request_id]


async def test_a_cancel_on_one_device_is_seen_on_the_other(connect: Connect) -> None:
    phone, desk = await connect(), await connect()
    handle = await phone.submit("delay", {"seconds": 60, "steps": 200})
    other = await desk.subscribe(handle.request_id)
    await desk.cancel(handle.request_id, "from the desk")
    updates: list[Update] = [update async for update in handle]
    assert updates[-1].type == "RequestCancelled"
    assert [update async for update in other][-1].data["reason"] == "from the desk"


async def test_many_watchers_of_one_request_each_see_all_of_it(stack: Stack, tenant: str, connect: Connect) -> None:
    async with AsyncExitStack() as clients:
        watches = []
        for _ in range(WATCHERS):  # one after the other: each at once would start more workers than this machine bears
            client = await clients.enter_async_context(a_client(stack, stack.ws_url, tenant))
            watches.append(await client.watch_topic(f"user#{tenant}#ann"))
        submitter = await connect()
        handle = await submitter.submit("delay", {"seconds": 2, "steps": 6})
        seen = await asyncio.gather(*(of_request(watch, handle.request_id) for watch in watches))
        last = await newest(submitter, handle)
    for one in seen:
        assert_whole(one, last)
