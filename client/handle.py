"""A handle: one request that this client watches, until it has ended."""

from collections.abc import Callable
from typing import Any

from client.download import downloaded
from client.errors import ClientError, RequestCancelled, RequestFailed, WatchClosed
from client.feed import Feed
from client.repairs import Ask, Repairs, expect
from client.tail import Heard, Tail
from client.updates import State, Update
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
        self._checked = tail.version
        self._answer: Response | None = None

    @property
    def version(self) -> int:
        """The version up to which everything was given out."""
        return self._tail.version

    @property
    def state(self) -> State | None:
        """The newest state that is known, None before any is."""
        return self._tail.state

    async def result(self) -> Any:
        """What the request results in, once it has ended; RequestFailed or RequestCancelled when in nothing."""
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
                raise RequestCancelled(self.request_id, data.get("by"), data.get("reason"))
            case _:
                raise RequestFailed(self.request_id, state.get("error") or data.get("error") or {})

    async def cancel(self, reason: str | None = None) -> Ack:
        """Ask the request to stop; a running one decides itself when, and its updates tell."""
        frame = {"type": "cancel", "request_id": self.request_id}
        return expect(await self._ask(frame if reason is None else {**frame, "reason": reason}), Ack)

    async def close(self) -> None:
        """Stop watching; the request goes on."""
        self.end()
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

    def check(self) -> None:
        """Ask for what may have been lost on the way, when nothing was heard since the last check."""
        if self._checked == self.version:
            self.resume()
        self._checked = self.version

    def fail(self, error: ClientError) -> None:
        """Nothing follows any more, because of the error."""
        self.end(error)
        self._leave(self)

    async def _stored_result(self) -> Any:
        reply = expect(await self._ask({"type": "get", "request_id": self.request_id}), Request)
        return reply.result if reply.result_url is None else await downloaded(reply.result_url)

    def _follow(self, heard: Heard) -> None:
        self._repairs.follow(self._tail, heard, self._take, self.fail)

    def _take(self, updates: tuple[Update, ...]) -> None:
        self.give(updates)
        self._newest = updates[-1] if updates else self._newest
        if self._tail.is_final:
            self.end()
            self._leave(self)
