"""Repairs: asking the log for what a tail has missed, as often as it takes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar

from client.backoff import Backoff
from client.errors import ClientError, EventsLost, RequestRejected, UnreadableReply
from client.tail import Heard, Tail
from client.updates import Answer, Update, answer_of
from domain.errors import ErrorCode
from domain.protocol import AnyServerFrame, HistoryPage, ServerFrame, Subscribed

Ask = Callable[[Mapping[str, Any]], Awaitable[AnyServerFrame]]
Give = Callable[[tuple[Update, ...]], None]
Fail = Callable[[ClientError], None]
Reply = TypeVar("Reply", bound=ServerFrame)

AT_ONCE: Final = 16  # repairs that ask at the same time: a reconnect must not flood the server

# What says nothing about the request, only about the moment.
_PASSING: Final = frozenset({ErrorCode.TIMEOUT, ErrorCode.INTERNAL_ERROR})


def expect(frame: AnyServerFrame, kind: type[Reply]) -> Reply:
    """The reply as the kind that the protocol has for it."""
    if not isinstance(frame, kind):
        raise UnreadableReply(f"{frame.type} instead of {kind.__name__}")
    return frame


class Repairs:
    """Who asks the log for tails with a gap."""

    def __init__(self, ask: Ask, backoff: Backoff) -> None:
        self._ask = ask
        self._backoff = backoff
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def catch_up(self, tail: Tail, heard: Heard, give: Give, *, live: bool = True) -> None:
        """Give out what was heard, and what the log adds to it until nothing is missing.

        live: subscribe to the request with it, if not only the log is read.
        """
        give(heard.updates)
        while heard.ask_after is not None:
            heard = tail.answered(await self._answer(tail.request_id, heard.ask_after, live=live))
            give(heard.updates)

    def follow(
        self, tail: Tail, heard: Heard, give: Give, fail: Fail, *, live: bool = True
    ) -> asyncio.Task[None] | None:
        """The same without waiting for the log; what cannot be repaired goes to `fail`. The task that asks, if any."""
        give(heard.updates)
        if heard.ask_after is None:
            return None
        return self.start(self.catch_up(tail, Heard(ask_after=heard.ask_after), give, live=live), fail)

    def start(self, work: Coroutine[Any, Any, None], fail: Fail) -> asyncio.Task[None]:
        """Have work done in the background; its errors go to `fail`."""

        async def guarded() -> None:
            try:
                await work
            except ClientError as error:
                fail(error)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before its first step, it was never awaited
        return task

    async def settled(self) -> None:
        """Wait until all repairs that are under way now are done."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def stop(self) -> None:
        """Drop all repairs."""
        for task in self._tasks:
            task.cancel()

    async def insist(self, frame: Mapping[str, Any], kind: type[Reply]) -> Reply:
        """The reply to a frame; a refusal for the moment only is waited out."""
        waits = self._backoff.waits()
        while True:
            try:
                async with self._turns:
                    return expect(await self._ask(frame), kind)
            except RequestRejected as refused:
                wait = next(waits, None)
                if refused.code not in _PASSING or wait is None:
                    raise
                asked_for = timedelta(milliseconds=refused.retry_after_ms or 0)
                await self._backoff.sleep(max(wait, asked_for).total_seconds())

    async def _answer(self, request_id: str, after: int, *, live: bool) -> Answer:
        frame = {"type": "subscribe" if live else "history", "request_id": request_id, "after": after}
        try:
            return answer_of(await self.insist(frame, Subscribed if live else HistoryPage))
        except RequestRejected as refused:
            if after and refused.code is ErrorCode.NOT_FOUND:
                raise EventsLost(request_id=request_id, after=after) from refused
            raise
