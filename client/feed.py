"""A feed: updates in the order they were given out, for whoever iterates over it."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Self

from client.errors import ClientError
from client.updates import Update


class Feed:
    """An asynchronous iterator that goes on where the last iteration stopped, and ends when nothing can follow."""

    def __init__(self) -> None:
        self._updates: deque[Update] = deque()
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: ClientError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Update:
        while not self._updates:
            if self._error is not None:
                raise self._error
            if self._ended.is_set():
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._updates.popleft()

    def give(self, updates: Iterable[Update]) -> None:
        """Give out the next updates."""
        self._updates.extend(updates)
        self._news.set()

    def end(self, error: ClientError | None = None) -> None:
        """Nothing follows what was given out, because of the error if there is one."""
        if not self._ended.is_set():
            self._error = error
            self._ended.set()
            self._news.set()
