"""The people: users with the real client library, who submit, watch, cancel, look around and lose their connection."""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from client.backoff import Backoff
from client.errors import ClientError, ConnectionLost, RequestRejected
from client.handle import Handle
from client.streamer import StreamerClient
from client.updates import Update
from domain.errors import ErrorCode
from tests.simulation.world import World

_PASSING: Final = frozenset(
    {ErrorCode.INTERNAL_ERROR, ErrorCode.RATE_LIMITED, ErrorCode.TIMEOUT, ErrorCode.UNAUTHORIZED}
)
_HEARTBEAT: Final = timedelta(seconds=40)


@dataclass(slots=True)
class Seen:
    """What one watch of a request was given: after a version, these updates, and perhaps that it cannot go on."""

    request_id: str
    after: int
    updates: list[Update] = field(default_factory=list)
    told: ClientError | None = None

    @property
    def version(self) -> int:
        """Up to where it has seen the request."""
        return self.updates[-1].version if self.updates else self.after

    @property
    def is_over(self) -> bool:
        """Whether it saw the end."""
        return bool(self.updates) and self.updates[-1].is_final


@dataclass(slots=True)
class Wish:
    """A request that somebody wants."""

    key: str
    frame: Mapping[str, Any]
    at: float
    cancel_after: float | None
    request_id: str | None = None
    cancelled: str | None = None  # what became of the cancel: ack, refused
    refused: str | None = None
    watches: list[Seen] = field(default_factory=list)
    sent: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be seen of it."""
        return self.refused is not None or (bool(self.watches) and self.watches[-1].is_over)


class Person:
    """One user, at one screen."""

    def __init__(self, world: World, tenant_id: str, user_id: str, others: "list[Person]") -> None:
        self._world = world
        self._others = others
        self._rng = random.Random(world.rng.getrandbits(64))
        self.tenant_id = tenant_id
        self.user_id = user_id
        self.wishes = [_wish(self._rng, f"{user_id}-{place}") for place in range(self._rng.randint(2, 6))]
        self.others: list[Seen] = []  # watches of what is not their own
        self.answers: list[tuple[str, Any]] = []
        self.gave_up: list[ClientError] = []

    async def live(self, ends: float) -> None:
        """Go on until every wish is over; start anew when the client library gives up, or the browser does."""
        while not all(wish.is_over for wish in self.wishes):
            try:
                async with self._client() as client:
                    await self._session(client, ends)
            except ClientError as error:
                self.gave_up.append(error)
                await asyncio.sleep(self._rng.uniform(1, 5))

    def _client(self) -> StreamerClient:
        return StreamerClient(
            f"sim://{self.tenant_id}/{self.user_id}",
            token="none",
            backoff=Backoff(random=self._rng.random),
            heartbeat=_HEARTBEAT,
            reply_timeout=timedelta(seconds=8),
        )

    async def _session(self, client: StreamerClient, ends: float) -> None:
        work = [self._fulfil(client, wish) for wish in self.wishes if not wish.is_over]
        work.append(self._look_around(client))
        tasks = [asyncio.ensure_future(one) for one in work]
        restarts = self._world.faults.strikes("client_restarted")
        limit = self._rng.uniform(5, ends) if restarts else None
        try:
            done, _ = await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _fulfil(self, client: StreamerClient, wish: Wish) -> None:
        await asyncio.sleep(max(0.0, wish.at - self._world.machine.now))
        cancelling: asyncio.Task[None] | None = None
        try:
            while not wish.is_over:
                try:
                    handle = await self._watch(client, wish)
                    if wish.cancel_after is not None and wish.cancelled is None and cancelling is None:
                        cancelling = asyncio.ensure_future(self._cancel(client, wish))
                    await _follow(handle, wish.watches[-1])
                except RequestRejected as refused:
                    if refused.code not in _PASSING:
                        wish.refused = str(refused.code)
                        return
                    await asyncio.sleep(self._rng.uniform(0.5, 3))
                except ConnectionLost:
                    raise
                except ClientError:
                    await asyncio.sleep(self._rng.uniform(0.5, 3))
        finally:
            if cancelling is not None:
                cancelling.cancel()
                await asyncio.wait((cancelling,))

    async def _watch(self, client: StreamerClient, wish: Wish) -> Handle:
        """A handle on the wish: submitted, again under the same key, or found by its id."""
        if wish.request_id is None or (not wish.watches and self._rng.random() < 0.5):
            wish.sent += 1
            handle = await client.submit(**wish.frame, idempotency_key=wish.key)
            if wish.request_id not in (None, handle.request_id):
                self._world.witness.violated(f"the key {wish.key} led to two requests")
            wish.request_id = handle.request_id
            wish.watches.append(Seen(handle.request_id, 0))
            return handle
        after = wish.watches[-1].version if wish.watches else 0
        wish.watches.append(Seen(wish.request_id, after))
        return await client.subscribe(wish.request_id, after)

    async def _cancel(self, client: StreamerClient, wish: Wish) -> None:
        assert wish.request_id is not None
        assert wish.cancel_after is not None
        await asyncio.sleep(wish.cancel_after)
        while wish.cancelled is None:
            try:
                await client.cancel(wish.request_id, "changed my mind")
                wish.cancelled = "ack"
            except RequestRejected as refused:
                if refused.code not in _PASSING:
                    wish.cancelled = str(refused.code)
            except ClientError:
                return
            await asyncio.sleep(self._rng.uniform(0.5, 2))

    async def _look_around(self, client: StreamerClient) -> None:
        """Read this and that, and watch what others of the tenant do."""
        for _ in range(self._rng.randint(0, 4)):
            await asyncio.sleep(self._rng.uniform(1, 40))
            with suppress(RequestRejected):
                await self._look(client)

    async def _look(self, client: StreamerClient) -> None:
        known = sorted(
            (wish.request_id, person.user_id)
            for person in self._others
            for wish in person.wishes
            if wish.request_id and person.tenant_id == self.tenant_id
        )
        if not known:
            return
        request_id = self._rng.choice(known)[0]
        match self._rng.randrange(4):
            case 0:
                self.answers.append(("get", await client.get(request_id)))
            case 1:
                self.answers.append(("history", (request_id, await client.history(request_id))))
            case 2:
                self.answers.append(("list", await client.list(scope="tenant")))
            case _:
                seen = Seen(request_id, 0)
                handle = await client.subscribe(request_id)
                self.others.append(seen)
                await _follow(handle, seen)


async def _follow(handle: Handle, seen: Seen) -> None:
    try:
        async for update in handle:
            seen.updates.append(update)
    except ClientError as error:
        seen.told = error
        raise


def _wish(rng: random.Random, key: str) -> Wish:
    steps: list[tuple[str, float]] = []
    for _ in range(rng.randint(1, 7)):
        steps.append(("wait", round(rng.choice((0.05, 0.3, 0.7, 2.0)), 2)))
        steps.append((rng.choice(("report", "report", "output")), 0))
    if rng.random() < 0.15:
        steps.append(("wait", float(rng.randint(11, 35))))  # longer than a lease
    fails = rng.random() < 0.3
    payload = {
        "steps": steps,
        "fail_attempts": rng.choice((1, 1, 2, 9)) if fails else 0,
        "failing": rng.choice(("retry", "retry", "permanent", "raise")),
        "result_size": 20_000 if rng.random() < 0.05 else 0,
        "padding": "y" * 20_000 if rng.random() < 0.05 else "",
    }
    frame: dict[str, Any] = {
        "action": "simulated" if rng.random() < 0.85 else "echo_async",
        "payload": payload,
        "priority": rng.randrange(10),
        "delay_s": rng.choice((0, 0, 0, 0, 3, 20)),
        "max_attempts": rng.choice((None, 1, 2, 4)),
    }
    cancels = rng.random() < 0.2
    return Wish(key, frame, rng.uniform(0, 60), rng.choice((0.0, 0.5, 3.0, 8.0)) if cancels else None)
