"""The connection: one socket at a time, replaced when it is lost, so that whoever asks need not know."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol

from websockets.exceptions import ConnectionClosed

from client.backoff import Backoff
from client.dial import Socket, Token, dial
from client.errors import ClientError, ConnectionLost, NoReply, RequestRejected, UnreadableReply
from client.questions import Questions
from client.updates import Update, updates_of
from domain import protocol
from domain.errors import Rejected

FIRST_TRIES: Final = 3
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to connect to, and how patiently.

    heartbeat: well under API Gateway's idle limit of 10 minutes.   lifetime: under its limit of 2 hours.
    reply_timeout: above the 29 s that API Gateway gives a handler; then the frame is sent again.
    """

    url: str
    token: Token = field(repr=False)
    backoff: Backoff = field(default_factory=Backoff)
    heartbeat: timedelta = timedelta(minutes=5)
    lifetime: timedelta = timedelta(minutes=110)
    reply_timeout: timedelta = timedelta(seconds=30)


class Listener(Protocol):
    """Who wants to know what happens on the connection."""

    def pushed(self, update: Update) -> None:
        """The server pushed an update."""

    def reconnected(self) -> None:
        """There is a new socket: what was pushed meanwhile went nowhere."""

    def alive(self) -> None:
        """A heartbeat was answered."""

    def ended(self, error: ClientError) -> None:
        """There will be no connection any more."""


class Connection:
    """A connection that lasts longer than its sockets."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._questions = Questions(settings.reply_timeout)
        self._waits: Iterator[timedelta] = iter(())
        self._socket: Socket | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect for the first time; ConnectRefused or ConnectionLost soon when that is not possible."""
        try:
            socket = await dial(self._settings.url, self._settings.token)
        except ConnectionLost:
            self._waits = self._settings.backoff.waits(FIRST_TRIES - 1)
            socket = await self._redial()
        self._waits = self._settings.backoff.waits()
        self._keeping = asyncio.create_task(self._keep(socket))

    async def ask(self, frame: Mapping[str, Any]) -> protocol.AnyServerFrame:
        """The reply to a frame, over however many sockets it takes; RequestRejected when it is refused."""
        return await self._questions.ask(frame, self._send)

    async def close(self) -> None:
        """Hang up; whoever still waits gets ConnectionLost."""
        self._end(ConnectionLost("the client was closed"))
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait((self._keeping,))

    async def _keep(self, socket: Socket) -> None:
        try:
            while True:
                await self._live(socket)
                socket = await self._redial()
        except ClientError as error:
            self._end(error)
        except Exception:  # a fault of ours: whoever waits must hear of it
            LOG.exception("the client broke")
            self._end(ConnectionLost("the client broke"))

    async def _live(self, socket: Socket) -> None:
        """Use a socket until it is lost. Questions that were open before are asked on it first."""
        reconnected = self._socket is not None
        self._socket = socket
        texts = self._questions.texts()
        tasks = [asyncio.create_task(work) for work in (self._repeat(texts), self._beat(socket), self._retire(socket))]
        if reconnected:
            self._listener.reconnected()
        try:
            async for text in socket:
                self._hear(text)
        except ConnectionClosed as exc:
            LOG.info("lost the connection: %s", exc)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await socket.close()

    async def _redial(self) -> Socket:
        """The next socket. The waits start anew only when a socket has proved good by a frame."""
        lost = ConnectionLost(url=self._settings.url)
        for wait in self._waits:
            await self._settings.backoff.sleep(wait.total_seconds())
            try:
                return await dial(self._settings.url, self._settings.token)
            except ConnectionLost as error:
                LOG.info("cannot connect: %s", error)
                lost = error
        raise lost

    async def _send(self, text: str) -> bool:
        """Send a frame if there is a socket; if not, it waits among the open questions for the next one."""
        if self._socket is None:
            return False
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            return False
        return True

    async def _repeat(self, texts: list[str]) -> None:
        for text in texts:
            await self._send(text)

    async def _beat(self, socket: Socket) -> None:
        """Keep the socket from idling; one that does not answer is given up."""
        while True:
            await self._settings.backoff.sleep(self._settings.heartbeat.total_seconds())
            try:
                await self.ask({"type": "ping"})
            except NoReply:
                return await socket.close()
            except RequestRejected as refused:  # an answer all the same
                LOG.warning("the heartbeat was refused: %s", refused)
            self._listener.alive()

    async def _retire(self, socket: Socket) -> None:
        """Replace the socket before the platform closes it."""
        await self._settings.backoff.sleep(self._settings.lifetime.total_seconds())
        await socket.close()

    def _hear(self, text: str | bytes) -> None:
        self._waits = self._settings.backoff.waits()
        try:
            frame = protocol.server_frame(text if isinstance(text, str) else text.decode())
            updates = updates_of(frame) if isinstance(frame, protocol.EventPush | protocol.EventsPush) else None
        except (Rejected, UnreadableReply, UnicodeDecodeError) as exc:
            LOG.warning("ignored a frame that is not of the protocol: %s", type(exc).__name__)
            return
        if updates is None:
            self._questions.answered(frame)
        for update in updates or ():
            self._listener.pushed(update)

    def _end(self, error: ClientError) -> None:
        self._questions.end(error)
        self._listener.ended(error)
