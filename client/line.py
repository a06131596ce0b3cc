"""A line: one socket in use, read until it is lost."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from websockets.exceptions import ConnectionClosed

from client.dial import Socket

LOG: Final = logging.getLogger(__name__)

Hear = Callable[[str | bytes], None]


class Line:
    """A socket whose frames go to a listener from now on."""

    def __init__(self, socket: Socket, hear: Hear) -> None:
        self._socket = socket
        self._reading = asyncio.create_task(self._read(hear))

    @property
    def is_lost(self) -> bool:
        """Whether the socket is closed, as far as is known."""
        return self._reading.done()

    async def send(self, text: str) -> bool:
        """Send a frame; whether the socket took it."""
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            return False
        return True

    async def lost(self) -> None:
        """Wait until the socket is closed, by whomever; raises what the listener raised."""
        await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Hang up, with a farewell where the other side still listens."""
        await self._socket.close()
        await asyncio.wait((self._reading,))

    async def _read(self, hear: Hear) -> None:
        try:
            async for text in self._socket:
                hear(text)
        except ConnectionClosed as exc:
            LOG.info("lost the connection: %s", exc)
        finally:
            await self._socket.close()
