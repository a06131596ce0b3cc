"""Posting many frames to many connections at once, over lines of our own to the management API.

What fails for a moment is posted again in rounds with growing pauses. The rounds are few, so that a connection that
reads slowly holds nobody up; only when most are throttled is it the account that is, and worth waiting for. A
connection that stays behind gets no more rounds until it takes a frame: its client asks for what it misses.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from adapters.clock import Clock
from adapters.http_lines import Lines, NoAnswer
from adapters.signatures import Batch, Body, Signer

LINES: Final = 64
TIMEOUT_S: Final = 1.0
PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4)  # between the rounds for the few
MORE_PAUSES_S: Final = (0.8, 1.6, 2.0, 2.0, 2.0)  # for the many, when they are throttled
MANY: Final = 20
GONE: Final = 410
THROTTLED: Final = 429
_TAKEN: Final = range(200, 300)
_REFUSED: Final = range(400, 500)  # and neither gone nor throttled: posting it again changes nothing

Pause = Callable[[float], Awaitable[None]]


class Queue(Struct):
    """The frames for one connection, in order, and what became of them."""

    connection_id: str
    frames: Sequence[Body]
    sent: int = 0
    status: int = 0  # of the last post; 0 when there was no answer

    @property
    def left(self) -> int:
        """How many frames were not taken."""
        return len(self.frames) - self.sent

    @property
    def gone(self) -> bool:
        """Whether there is no such connection."""
        return self.status == GONE

    @property
    def passing(self) -> bool:
        """Whether what is left may be taken in a moment."""
        return self.left > 0 and (self.status == THROTTLED or self.status not in _REFUSED)


class Broadcast:
    """Posts to the connections of a stage."""

    def __init__(self, signer: Signer, clock: Clock, pause: Pause = asyncio.sleep) -> None:
        self.signer = signer
        self.clock = clock
        self.pause = pause
        self._behind: set[str] = set()
        self._lines = Lines(signer.endpoint, TIMEOUT_S)
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """Hang up."""
        self._runner.run(self._lines.close())
        self._runner.close()

    def post(self, frames: Mapping[str, Sequence[str]], until: float) -> list[Queue]:
        """Post each connection's frames in order; no post is begun after `until`, of the monotonic clock."""
        bodies: dict[str, Body] = {}
        queues = [
            Queue(name, [bodies.get(text) or bodies.setdefault(text, Body.of(text)) for text in texts])
            for name, texts in frames.items()
        ]
        self._runner.run(self._rounds(queues, until))
        return queues

    async def _rounds(self, queues: Sequence[Queue], until: float) -> None:
        await self._round(queues, until)
        again = [queue for queue in queues if queue.passing and queue.connection_id not in self._behind]
        for pause in (*PAUSES_S, *MORE_PAUSES_S):
            wait = pause * (0.5 + self.clock.jitter())
            is_over = self.clock.monotonic() + wait > until
            if not again or is_over or (pause not in PAUSES_S and not _many(again, queues)):
                break
            await self.pause(wait)
            await self._round(again, until)
            again = [queue for queue in again if queue.passing]
        self._behind.difference_update(queue.connection_id for queue in queues)
        self._behind.update(queue.connection_id for queue in queues if queue.passing)

    async def _round(self, queues: Sequence[Queue], until: float) -> None:
        batch = self.signer.batch(self.clock.now())
        waiting = deque(queues)
        await asyncio.gather(*(self._work(batch, waiting, until) for _ in range(min(LINES, len(queues)))))

    async def _work(self, batch: Batch, waiting: deque[Queue], until: float) -> None:
        while waiting:
            queue = waiting.popleft()
            while queue.left and self.clock.monotonic() <= until:
                request = batch.request(queue.connection_id, queue.frames[queue.sent])
                try:
                    queue.status = await self._lines.ask(request)
                except NoAnswer:
                    queue.status = 0
                if queue.status not in _TAKEN:
                    break
                queue.sent += 1


def _many(some: Sequence[Queue], of: Sequence[Queue]) -> bool:
    throttled = sum(queue.status == THROTTLED for queue in some)
    return throttled >= MANY and throttled * 2 > len(of)
