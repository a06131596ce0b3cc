"""The connection: one line after the other, so that whoever asks need not know.

A line that is lost is replaced with growing pauses. One that is about to be closed, because the platform or its token
allows it no longer, is replaced while it still lives: the next line is opened and everything is watched on it before
the old one is closed, so nothing pauses.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol

from client.backoff import Backoff
from client.credentials import Credentials
from client.dial import dial
from client.errors import ClientError, ConnectionLost, ConnectRefused, NoReply, RequestRejected, UnreadableReply
from client.line import Line
from client.questions import Questions
from client.updates import Update, updates_of
from domain import protocol
from domain.errors import Rejected

FIRST_TRIES: Final = 3
GLANCE: Final = timedelta(seconds=15)  # between two looks at the clock on the wall
PROBE: Final = timedelta(seconds=10)  # for a socket to answer after the machine has slept
CLOSED: Final = "the client was closed"
LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where to connect to, and how patiently.

    heartbeat: well under API Gateway's idle limit of 10 minutes.   lifetime: under its limit of 2 hours.
    reply_timeout: above the 29 s that API Gateway gives a handler; then the frame is sent again.
    """

    url: str
    credentials: Credentials = field(repr=False)
    backoff: Backoff = field(default_factory=Backoff)
    heartbeat: timedelta = timedelta(minutes=5)
    lifetime: timedelta = timedelta(minutes=110)
    reply_timeout: timedelta = timedelta(seconds=30)


class Listener(Protocol):
    """Who wants to know what happens on the connection."""

    def pushed(self, update: Update) -> None:
        """The server pushed an update."""

    def reconnected(self) -> None:
        """There is a new line, on which nothing is watched yet."""

    async def settled(self) -> None:
        """Wait until everything is watched on the line that there is now."""

    def ended(self, error: ClientError) -> None:
        """There will be no connection any more."""


class Connection:
    """A connection that lasts longer than its lines."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._questions = Questions(settings.reply_timeout)
        self._waits: Iterator[timedelta] = iter(())
        self._line: Line | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        """Whether there is a line; if not, the next one starts with nothing but what is watched then."""
        return self._line is not None and not self._line.is_lost

    async def open(self) -> None:
        """Connect for the first time; ConnectRefused or ConnectionLost soon when that is not possible."""
        try:
            line = await self._dial()
        except ConnectionLost:
            self._waits = self._settings.backoff.waits(FIRST_TRIES - 1)
            line = await self._redial()
        self._waits = self._settings.backoff.waits()
        self._keeping = asyncio.create_task(self._keep(line))

    async def ask(self, frame: Mapping[str, Any]) -> protocol.AnyServerFrame:
        """The reply to a frame, over however many lines it takes; RequestRejected when it is refused."""
        return await self._questions.ask(frame, self._send)

    async def close(self) -> None:
        """Hang up; whoever still waits gets ConnectionLost."""
        self._end(ConnectionLost(CLOSED))
        tasks = [task for task in (self._keeping, *self._aside) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _keep(self, line: Line) -> None:
        try:
            while True:
                self._use(line)
                line = await self._next_after(line)
        except ClientError as error:
            self._end(error)
        except Exception:  # a fault of ours: whoever waits must hear of it
            LOG.exception("the client broke")
            self._end(ConnectionLost("the client broke"))
        finally:
            await line.close()

    def _use(self, line: Line) -> None:
        """Ask and watch on a line from now on. Questions that are open are asked on it first."""
        is_first = self._line is None
        self._line = line
        self._start(self._repeat(line, self._questions.texts()))
        if not is_first:
            self._listener.reconnected()

    async def _next_after(self, line: Line) -> Line:
        """The line to use when this one is lost, or before it is."""
        lost, renewed = asyncio.create_task(line.lost()), asyncio.create_task(self._renewed())
        others = [asyncio.create_task(work) for work in (self._beat(line), self._notice_sleep(line))]
        try:
            await asyncio.wait((lost, renewed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (lost, renewed, *others):
                task.cancel()
            await asyncio.gather(lost, renewed, *others, return_exceptions=True)
        if not renewed.cancelled():
            self._start(self._retire(line))
            return renewed.result()
        lost.result()
        return await self._redial()

    async def _renewed(self) -> Line:
        """Another line, when the one in use has almost reached its end."""
        token_life = self._settings.credentials.life()
        life = self._settings.lifetime if token_life is None else min(token_life, self._settings.lifetime)
        await self._settings.backoff.sleep(life.total_seconds())
        waits = self._settings.backoff.waits()
        for wait in waits:
            try:
                return await self._dial()
            except ConnectRefused as refused:
                LOG.warning("cannot replace the connection before its end: %s", refused)
                break
            except ConnectionLost as error:
                LOG.info("cannot connect: %s", error)
                await self._settings.backoff.sleep(wait.total_seconds())
        never: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        return await never  # the line is used for as long as it lives

    async def _retire(self, line: Line) -> None:
        """Close a line that has been replaced, once nothing depends on it any more."""
        try:
            async with asyncio.timeout(self._settings.reply_timeout.total_seconds()):
                await self._listener.settled()
        except TimeoutError:
            LOG.info("the old connection is closed before everything is watched on the new one")
        finally:
            await line.close()

    async def _dial(self) -> Line:
        return Line(await dial(self._settings.url, self._settings.credentials), self._hear)

    async def _redial(self) -> Line:
        """The next line. The waits start anew only when a line has proved good by a frame."""
        lost = ConnectionLost(url=self._settings.url)
        for wait in self._waits:
            await self._settings.backoff.sleep(wait.total_seconds())
            try:
                return await self._dial()
            except ConnectionLost as error:
                LOG.info("cannot connect: %s", error)
                lost = error
        raise lost

    async def _send(self, text: str) -> bool:
        """Send a frame if there is a line; if not, it waits among the open questions for the next one."""
        return self._line is not None and await self._line.send(text)

    async def _repeat(self, line: Line, texts: list[str]) -> None:
        for text in texts:
            await line.send(text)

    async def _beat(self, line: Line) -> None:
        """Keep the line from idling."""
        while True:
            await self._settings.backoff.sleep(self._settings.heartbeat.total_seconds())
            await self._ping(line)

    async def _notice_sleep(self, line: Line) -> None:
        """When the machine has slept, see at once whether the line still lives: nobody told it if not."""
        while True:
            before = time.time()
            await self._settings.backoff.sleep(GLANCE.total_seconds())
            if time.time() - before > 2 * GLANCE.total_seconds():
                await self._ping(line, PROBE)

    async def _ping(self, line: Line, patience: timedelta | None = None) -> None:
        """Give up a line that does not answer."""
        try:
            async with asyncio.timeout(None if patience is None else patience.total_seconds()):
                await self.ask({"type": "ping"})
        except (NoReply, TimeoutError):
            await line.close()
        except RequestRejected as refused:  # an answer all the same
            LOG.warning("the heartbeat was refused: %s", refused)

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

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    def _end(self, error: ClientError) -> None:
        self._questions.end(error)
        self._listener.ended(error)
