"""Lines: kept HTTP/1.1 connections to one host, each with one request on it at a time.

Of an answer only the status matters; the rest is read so that the line can be used again. A line that is told to end,
or whose answer does not say how long it is, is not.
"""

import asyncio
import re
import ssl
from typing import Final, cast
from urllib.parse import urlsplit

_STATUS: Final = re.compile(rb"HTTP/1\.\d (\d{3})")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_ENDS: Final = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
_LARGEST_HEAD: Final = 64 * 1024
_OK: Final = 200


class NoAnswer(Exception):
    """The line broke before a status came, or could not be had."""


class TooSlow(NoAnswer):
    """No status came in time."""


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._buffer = b""
        self._status = 0  # of the answer that is being read
        self._left = 0  # bytes of its body that are still to come
        self.open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write on."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._end(NoAnswer(str(exc or "closed")))

    async def ask(self, request: bytes, timeout_s: float) -> int:
        """The status that a request is answered with; NoAnswer when none comes."""
        if self._transport is None or not self.open:
            raise NoAnswer("closed")
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        timer = loop.call_later(timeout_s, self._end, TooSlow(f"{timeout_s} s"))
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Read the answer as far as it has come."""
        self._buffer += data
        while not self._status:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end and len(head) <= _LARGEST_HEAD:
                return
            found = _STATUS.match(head)
            if not end or not found:
                self._end(NoAnswer("this is not HTTP"))
                return
            self._buffer = rest
            if int(found[1]) >= _OK:  # below it, the answer itself is still to come
                length = _LENGTH.search(head)
                self._status, self._left = int(found[1]), int(length[1]) if length else 0
                self.open = length is not None and not _ENDS.search(head)
        self._left -= len(self._buffer)
        self._buffer = b""
        if self._left <= 0 or not self.open:
            self._answered()

    def close(self) -> None:
        """Hang up."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def _answered(self) -> None:
        status, self._status, self._left = self._status, 0, 0
        if not self.open:
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    def _end(self, error: NoAnswer) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class Lines:
    """The lines to a host; those not in use wait to be."""

    def __init__(self, endpoint: str, timeout_s: float) -> None:
        where = urlsplit(endpoint)
        self._host = where.hostname or ""
        self._tls = ssl.create_default_context() if where.scheme == "https" else None
        self._port = where.port or (443 if self._tls else 80)
        self.timeout_s = timeout_s
        self._idle: list[Line] = []

    async def ask(self, request: bytes) -> int:
        """The status that a request is answered with; NoAnswer when none comes."""
        while (line := self._kept()) is not None:
            try:
                return await self._ask(line, request)
            except TooSlow:
                self._hang_up()  # the others were kept as long: they may have died as silently
                raise
            except NoAnswer:
                continue  # closed by the other side while nobody looked: that says nothing of this request
        return await self._ask(await self._dialled(), request)

    async def close(self) -> None:
        """Hang up all of them."""
        self._hang_up()
        await asyncio.sleep(0)  # lets each be told that it is closed

    def _hang_up(self) -> None:
        while self._idle:
            self._idle.pop().close()

    async def _ask(self, line: Line, request: bytes) -> int:
        status = await line.ask(request, self.timeout_s)
        if line.open:
            self._idle.append(line)
        return status

    def _kept(self) -> Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.open:
                return line
        return None

    async def _dialled(self) -> Line:
        try:
            async with asyncio.timeout(self.timeout_s):
                _, line = await asyncio.get_running_loop().create_connection(
                    Line, self._host, self._port, ssl=self._tls
                )
        except (OSError, TimeoutError) as exc:
            raise NoAnswer(str(exc)) from exc
        return line
