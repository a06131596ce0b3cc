"""The load: users of several tenants who ask for work at random and follow each request to its end.

Some of it they cancel, some they ask for twice under one key, and one of them floods the queue.

What a user asks for follows from the seed; when, and what comes of it, also from how fast the machine is.
"""

import asyncio
import itertools
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, Self

from client import RequestRejected, StreamerClient
from client.errors import ClientError, RateLimited
from client.handle import Handle
from client.tokens import make_token
from local.stack import Stack
from tests.soak.wishes import Wish, wish

TENANTS: Final = ("acme", "bolt", "corp")
USERS: Final = ("ann", "bob")
FLOODER: Final = ("flood", "eve")
_PAUSE_S: Final = 0.8  # between two requests of a user, on the average
_OPEN: Final = 5  # requests of a user at a time
_AT_ONCE: Final = 3  # submissions of all users: the emulator starts a process for each frame that comes meanwhile
_FLOOD: Final = 40  # requests at once
_BETWEEN_FLOODS_S: Final = 20.0
_PATIENCE: Final = timedelta(seconds=90)  # a machine that soaks may be slow to start a process
_REFUSED_S: Final = 1.0  # until one that was refused for its rate asks again

Heard = list[tuple[int, str]]


@dataclass(slots=True)
class Asked:
    """A request that was taken in, and what each of its watchers heard: versions and types, in their order."""

    whose: str
    watchers: list[Heard] = field(default_factory=list)
    is_over: bool = False


class Load:
    """All the users. `asked` has each request by its id; `troubles` what no user should come upon."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._seed = seed
        self._open_clients = AsyncExitStack()
        self._clients: dict[str, StreamerClient] = {}
        self.asked: dict[str, Asked] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self.troubles: list[str] = []
        self.counts: Counter[str] = Counter()

    @property
    def open(self) -> list[str]:
        """The requests whose end nobody has heard of."""
        return [request_id for request_id, asked in self.asked.items() if not asked.is_over]

    async def __aenter__(self) -> Self:
        """Connect everybody; the sockets stay until all are done."""
        for tenant_id, user_id in [*itertools.product(TENANTS, USERS), FLOODER]:
            client = await self._open_clients.enter_async_context(self._client(tenant_id, user_id))
            self._clients[f"{tenant_id}/{user_id}"] = client
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open_clients.aclose()

    async def run(self, ends: float) -> None:
        """Ask until then, and follow what was asked for to its end."""
        async with asyncio.TaskGroup() as users:
            for name, client in self._clients.items():
                behaves = self._flooder if name == "/".join(FLOODER) else self._user
                users.create_task(behaves(client, name, ends))

    def drop(self, random: Random) -> bool:
        """Cut the socket of one client, without a word; False if that one has none now."""
        line = random.choice([*self._clients.values()])._connection._line
        if line is None:
            return False
        line._socket.transport.abort()
        return True

    def _client(self, tenant_id: str, user_id: str) -> StreamerClient:
        def token() -> str:
            return make_token(self._stack, tenant=tenant_id, user=user_id, now=datetime.now(UTC))

        return StreamerClient(self._stack.ws_url, token=token, reply_timeout=_PATIENCE)

    async def _user(self, client: StreamerClient, name: str, ends: float) -> None:
        random = Random(f"{self._seed}/{name}")
        hands = asyncio.Semaphore(_OPEN)
        async with asyncio.TaskGroup() as follows:
            for number in itertools.count():
                await hands.acquire()
                if time.monotonic() >= ends:
                    break
                task = follows.create_task(self._see_through(client, name, wish(random), f"{number}"))
                task.add_done_callback(lambda _: hands.release())
                await asyncio.sleep(random.expovariate(1 / _PAUSE_S))

    async def _flooder(self, client: StreamerClient, name: str, ends: float) -> None:
        random = Random(f"{self._seed}/{name}")
        while time.monotonic() < ends:
            self.counts["floods"] += 1
            async with asyncio.TaskGroup() as flood:
                for number in range(_FLOOD):
                    urgent = Wish(action="echo_async", payload=number, options={"priority": 9})
                    key = f"{self.counts['floods']}.{number}"
                    flood.create_task(self._see_through(client, name, urgent, key))
            pause = random.expovariate(1 / _BETWEEN_FLOODS_S)
            await asyncio.sleep(min(pause, max(0.0, ends - time.monotonic())))

    async def _see_through(self, client: StreamerClient, name: str, wanted: Wish, key: str) -> None:
        """Ask, follow to the end, and on the way cancel or repeat, as the wish says."""
        try:
            handles = [await self._submit(client, wanted, key)]
            if wanted.is_repeated:
                self.counts["repeats"] += 1
                handles.append(await self._submit(client, wanted, key))
            if len({handle.request_id for handle in handles}) > 1:
                self.troubles.append(f"{name}: one key led to two requests: {handles[0].request_id} and another")
            async with asyncio.TaskGroup() as watches:
                for handle in handles:
                    asked = self.asked.setdefault(handle.request_id, Asked(name))
                    watches.create_task(_watch(handle, asked))
                if wanted.cancel_after_s is not None:
                    watches.create_task(self._cancel(handles[0], wanted.cancel_after_s))
        except* ClientError as group:
            self.troubles += [f"{name}: {type(one).__name__}: {one}" for one in group.exceptions]

    async def _submit(self, client: StreamerClient, wanted: Wish, key: str) -> Handle:
        while True:
            try:
                async with self._at_once:
                    return await client.submit(wanted.action, wanted.payload, idempotency_key=key, **wanted.options)
            except RateLimited:
                self.counts["refused for their rate"] += 1
                await asyncio.sleep(_REFUSED_S)

    async def _cancel(self, handle: Handle, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.counts["cancels"] += 1
        try:
            await handle.cancel("changed my mind")
        except RequestRejected as refused:
            if refused.code != "ALREADY_FINAL":
                raise


async def _watch(handle: Handle, asked: Asked) -> None:
    heard: Heard = []
    asked.watchers.append(heard)
    async for update in handle:
        heard.append((update.version, update.type))
    asked.is_over = True
