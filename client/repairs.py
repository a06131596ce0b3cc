"""Repairs: asking the log for what a tail has missed, as often as it takes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar

from client.backoff import Backoff
from client.errors import ClientError, RequestRejected, UnreadableReply
from client.tail import Heard, Tail
from client.updates import Answer, Update, answer_of
from domain.errors import ErrorCode
from domain.protocol import AnyServerFrame, ServerFrame, Subscribed

Ask = Callable[[Mapping[str, Any]], Awaitable[AnyServerFrame]]
Give = Callable[[tuple[Update, ...]], None]
Fail = Callable[[ClientError], None]
Reply = TypeVar("Reply", bound=ServerFrame)

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

    async def catch_up(self, tail: Tail, heard: Heard, give: Give) -> None:
        """Give out what was heard, and what the log adds to it until nothing is missing."""
        give(heard.updates)
        while heard.ask_after is not None:
            heard = tail.answered(await self._answer(tail.request_id, heard.ask_after))
            give(heard.updates)

    def follow(self, tail: Tail, heard: Heard, give: Give, fail: Fail) -> None:
        """The same without waiting for the log; what cannot be repaired goes to `fail`."""
        give(heard.updates)
        if heard.ask_after is not None:
            self.start(self.catch_up(tail, Heard(ask_after=heard.ask_after), give), fail)

    def start(self, work: Coroutine[Any, Any, None], fail: Fail) -> None:
        """Have work done in the background; its errors go to `fail`."""

        async def guarded() -> None:
            try:
                await work
            except ClientError as error:
                fail(error)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Drop all repairs."""
        for task in self._tasks:
            task.cancel()

    async def _answer(self, request_id: str, after: int) -> Answer:
        waits = self._backoff.waits()
        while True:
            try:
                frame = await self._ask({"type": "subscribe", "request_id": request_id, "after": after})
                return answer_of(expect(frame, Subscribed))
            except RequestRejected as refused:
                wait = next(waits, None)
                if refused.code not in _PASSING or wait is None:
                    raise
                asked_for = timedelta(milliseconds=refused.retry_after_ms or 0)
                await self._backoff.sleep(max(wait, asked_for).total_seconds())
