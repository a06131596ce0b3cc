"""A handle: one request that this client watches, until it has ended."""

import asyncio
from collections.abc import Callable
from typing import Any, overload

from client.download import downloaded
from client.errors import (
    ClientError,
    RequestCancelled,
    RequestFailed,
    RequestRejected,
    StillRunning,
    UnreadableReply,
    WatchClosed,
)
from client.feed import Feed
from client.repairs import Ask, Repairs, expect
from client.tail import Heard, Tail
from client.typed import Kind, Timeout, seconds, typed
from client.updates import State, Update
from client.vigil import Patience
from domain.protocol import Ack, Request, Response
from domain.state import Status


class Handle(Feed):
    """A request's updates, each once and in order; iterating ends after the final one."""

    def __init__(self, tail: Tail, ask: Ask, repairs: Repairs, leave: Callable[["Handle"], bool]) -> None:
        super().__init__()
        self.request_id = tail.request_id
        self._tail = tail
        self._ask = ask
        self._repairs = repairs
        self._leave = leave
        self._newest: Update | None = None
        self._patience = Patience()
        self._answer: Response | None = None
        self._repair: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        """The version up to which everything was given out."""
        return self._tail.version

    @property
    def state(self) -> State | None:
        """The newest state that is known, None before any is."""
        return self._tail.state

    @property
    def error(self) -> ClientError | None:
        """Why no request is known that could be watched, if none is: the refusal, or why there was no answer."""
        return None if self.request_id else self._error

    @property
    def refusal(self) -> RequestRejected | None:
        """Why the submission was refused, if it was: then nothing is watched and there is no request."""
        return self.error if isinstance(self.error, RequestRejected) else None

    @overload
    async def result(self, kind: None = None, *, within: Timeout = None) -> Any: ...

    @overload
    async def result(self, kind: type[Kind], *, within: Timeout = None) -> Kind: ...

    async def result(self, kind: type[Kind] | None = None, *, within: Timeout = None) -> Any:
        """What the request results in, once it has ended; RequestFailed or RequestCancelled when in nothing.

        kind: read it as this type, a pydantic model for instance.   within: StillRunning when it takes longer.
        """
        limit = asyncio.timeout(seconds(within))
        try:
            async with limit:
                value = await self._result()
        except TimeoutError as exc:
            if not limit.expired():
                raise
            where = "it has ended, its result is not here yet" if self._ended.is_set() else "it has not ended yet"
            raise StillRunning(where, request_id=self.request_id) from exc
        return value if kind is None else typed(value, kind)

    async def _result(self) -> Any:
        await self._ended.wait()
        if self._error is not None:
            raise self._error
        if self._answer is not None:
            return self._answer.data
        if not self._tail.is_final:
            raise WatchClosed(request_id=self.request_id)
        state, data = self.state or {}, self._newest.data if self._newest is not None else {}
        match state.get("status"):
            case Status.COMPLETED if self._newest is not None and "result_ref" not in data:
                return data.get("result")
            case Status.COMPLETED:
                return await self._stored_result()
            case Status.CANCELLED:
                by, reason = state.get("cancel_by"), state.get("cancel_reason")  # if it ran when it was asked to stop
                raise RequestCancelled(self.request_id, data.get("by", by), data.get("reason", reason))
            case _:
                raise RequestFailed(self.request_id, state.get("error") or data.get("error") or {})

    async def cancel(self, reason: str | None = None) -> Ack:
        """Ask the request to stop; a running one decides itself when, and its updates tell."""
        frame = {"type": "cancel", "request_id": self.request_id}
        return expect(await self._ask(frame if reason is None else {**frame, "reason": reason}), Ack)

    async def close(self) -> None:
        """Stop watching; the request goes on."""
        self.end()
        if self._repair is not None:
            self._repair.cancel()  # it would subscribe again
        if self._leave(self):
            await self._ask({"type": "unsubscribe", "request_id": self.request_id})

    def answered(self, answer: Response) -> None:
        """The action was a synchronous one: there is nothing to watch, this is its result."""
        self._answer = answer
        self.end()

    async def catch_up(self) -> None:
        """Get what the log has so far; the errors are the caller's."""
        await self._repairs.catch_up(self._tail, self._tail.ask(), self._take)

    def pushed(self, update: Update) -> None:
        """Take in a push."""
        self._follow(self._tail.pushed(update))

    def resume(self) -> None:
        """Ask for what was pushed while nobody was connected."""
        self._follow(self._tail.ask())

    def tick(self) -> None:
        """Ask for what may have been lost on the way, when nothing was heard for a while."""
        if self._patience.tick():
            self.resume()

    def fail(self, error: ClientError) -> None:
        """Nothing follows any more, because of the error."""
        self.end(error)
        self._leave(self)

    async def _stored_result(self) -> Any:
        reply = await self._got()
        try:
            return reply.result if reply.result_url is None else await downloaded(reply.result_url)
        except UnreadableReply:
            # A link has an end, as have the credentials that it was made with: each `get` makes a new one.
            reply = await self._got()
            return reply.result if reply.result_url is None else await downloaded(reply.result_url)

    async def _got(self) -> Request:
        return expect(await self._ask({"type": "get", "request_id": self.request_id}), Request)

    def _follow(self, heard: Heard) -> None:
        self._repair = self._repairs.follow(self._tail, heard, self._take, self.fail) or self._repair

    def _take(self, updates: tuple[Update, ...]) -> None:
        self.give(updates)
        if updates:
            self._patience.heard()
        self._newest = updates[-1] if updates else self._newest
        if self._tail.is_final:
            self.end()
            self._leave(self)
