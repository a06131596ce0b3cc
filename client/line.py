"""A line: one socket in use, read until it is lost.

API Gateway takes messages of up to 128 KB, but closes the socket (code 1009) for one of WebSocket's own frames above
32 KB, as its quotas for WebSocket APIs say. So what is longer goes in several of them (RFC 6455, 5.4).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from websockets.exceptions import ConnectionClosed

from client.dial import Socket

LOG: Final = logging.getLogger(__name__)

WHOLE: Final = 32_000  # bytes, with room for what is around them
PIECE: Final = WHOLE // 4  # characters, of 4 bytes each at most

Hear = Callable[[str | bytes], None]


class Line:
    """A socket whose frames go to a listener from now on."""

    def __init__(self, socket: Socket, hear: Hear) -> None:
        self._socket = socket
        self._reading = asyncio.create_task(self._read(hear))
        self._sending: set[asyncio.Task[bool]] = set()

    @property
    def is_lost(self) -> bool:
        """Whether the socket is closed, as far as is known."""
        return self._reading.done()

    async def send(self, text: str) -> bool:
        """Send a frame; whether the socket took it."""
        if len(text.encode()) <= WHOLE:
            return await self._sent(text)
        # To its end, even if nobody waits for it any more: a socket that has half a message takes no other.
        sending = asyncio.create_task(self._sent(text[at : at + PIECE] for at in range(0, len(text), PIECE)))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        return await asyncio.shield(sending)

    async def lost(self) -> None:
        """Wait until the socket is closed, by whomever; raises what the listener raised."""
        await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Hang up, with a farewell where the other side still listens."""
        await self._socket.close()
        await asyncio.wait((self._reading,))

    async def _sent(self, message: str | Iterable[str]) -> bool:
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            return False
        return True

    async def _read(self, hear: Hear) -> None:
        try:
            async for text in self._socket:
                hear(text)
        except ConnectionClosed as exc:
            LOG.info("lost the connection: %s", exc)
        finally:
            await self._socket.close()
