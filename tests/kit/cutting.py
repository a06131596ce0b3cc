"""A TCP proxy that cuts connections in the middle of whatever they carry, at places that a seed decides."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

UPGRADE: Final = 400  # bytes; about what the answer to a WebSocket's upgrade has


class CuttingProxy:
    """Forwards to a server until `cutting` is over; each connection gets as many bytes as the seed allows it."""

    def __init__(self, target: str, seed: int, least: int = UPGRADE // 2, most: int = 20 * UPGRADE) -> None:
        where = urlsplit(target)
        self._target = (where.hostname, where.port)
        self._path = where.path
        self._chance = random.Random(seed)
        self._range = (least, most)
        self._port = 0
        self._changed = asyncio.Condition()
        self._forwarding: set[asyncio.Task[None]] = set()
        self.cutting = True
        self.cuts = 0

    @property
    def url(self) -> str:
        """Where it listens, for a client."""
        return f"ws://127.0.0.1:{self._port}{self._path}"

    async def until_cut(self, times: int) -> None:
        """Wait until connections were cut so many times."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.cuts >= times)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["CuttingProxy"]:
        """Forward as long as the context lasts."""
        async with await asyncio.start_server(self._forward, "127.0.0.1", 0) as server:
            self._port = server.sockets[0].getsockname()[1]
            yield self
            for task in self._forwarding:
                task.cancel()
            await asyncio.gather(*self._forwarding, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._forwarding.add(task)
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        allowed = self._chance.randint(*self._range)
        up = asyncio.create_task(_pump(reader, there_writer))
        try:
            while data := await there_reader.read(4096):
                allowed -= len(data)
                if self.cutting and allowed < 0:
                    writer.write(data[: len(data) + allowed])
                    await writer.drain()
                    async with self._changed:
                        self.cuts += 1
                        self._changed.notify_all()
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # one side went by itself
        finally:
            up.cancel()
            for side in (writer, there_writer):
                side.transport.abort()
            self._forwarding.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side went by itself
    finally:
        writer.transport.abort()
