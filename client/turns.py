"""Taking turns: a frame that was too much for now is asked again when the server says, one at a time of each kind.

Nothing of a refused frame was done, so every one of them may be repeated. They stand in line: a client that was refused
asks on no faster than it is let in, in the order it asked, and one kind of frame does not hold up another. The line
moves as long as its first gets through; if that one's tries are used up, all who stand behind it are told as well.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from client.backoff import Backoff
from client.errors import RateLimited
from domain.protocol import AnyServerFrame

Ask = Callable[[Mapping[str, Any]], Awaitable[AnyServerFrame]]


@dataclass(slots=True)
class _Line:
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    broken_up: int = 0


class Turns:
    """Who waits to ask again."""

    def __init__(self, ask: Ask, backoff: Backoff) -> None:
        self._ask = ask
        self._backoff = backoff
        self._lines: defaultdict[str, _Line] = defaultdict(_Line)

    async def ask(self, frame: Mapping[str, Any]) -> AnyServerFrame:
        """The reply to a frame; RateLimited when it was too much each time, until the tries were used up."""
        try:
            return await self._ask(frame)
        except RateLimited as refused:
            return await self._in_line(frame, refused)

    async def _in_line(self, frame: Mapping[str, Any], refused: RateLimited) -> AnyServerFrame:
        line = self._lines[frame["type"]]
        broken_up, stood = line.broken_up, line.turn.locked()
        async with line.turn:
            if line.broken_up != broken_up:
                raise refused
            for attempt, wait in enumerate(self._backoff.waits()):
                # Who stood behind others has waited already, and there may be room for several.
                if attempt or not stood:
                    asked_for = timedelta(milliseconds=refused.retry_after_ms or 0)
                    await self._backoff.sleep((asked_for + wait).total_seconds())
                try:
                    return await self._ask(frame)
                except RateLimited as again:
                    refused = again
            line.broken_up += 1
            raise refused
