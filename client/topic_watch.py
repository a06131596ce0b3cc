"""A watch of a topic: the updates of many requests, each request's in order and once.

What was pushed while nobody was connected, or got lost on the way, is found by asking the server which requests of the
topic have changed since an instant, and the log what they did. The server tells with each answer from when to ask the
next time: its view of what changed is a little behind, so the answers overlap, and what was had already is dropped.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from client.errors import ClientError, EventsLost, RequestRejected
from client.feed import Feed
from client.repairs import Repairs
from client.tail import Heard, Tail
from client.updates import Update, changes_of, read_state, rows_of
from client.vigil import Patience
from domain.errors import ErrorCode
from domain.instant import EPOCH, to_text
from domain.protocol import Subscribed, Unsubscribed

LOST: Final = "EventsLost"  # the type of an update that tells of events that the log no longer has
_REMEMBERED: Final = timedelta(minutes=10)  # after which nothing of a request that has ended can come again


class TopicWatch(Feed):
    """All updates of a topic's requests, from its subscription on; `requests` are its newest ones as they were then.

    Of a request that was running before and is not among those, the updates start with the next one.
    """

    def __init__(self, topic: str, repairs: Repairs, leave: Callable[["TopicWatch"], bool]) -> None:
        super().__init__()
        self.topic = topic
        self.requests: Sequence[Mapping[str, Any]] = ()
        self._user_id = topic.split("#", 2)[-1] if topic.startswith("user#") else None
        self._repairs = repairs
        self._leave = leave
        self._tails: dict[str, _Followed] = {}
        self._early: list[Update] | None = []  # what is pushed before the first answer
        self._from = EPOCH  # what was before is not told
        self._asked_until = EPOCH  # where the next question about changes starts
        self._look_out: asyncio.Task[None] | None = None
        self._patience = Patience()

    async def subscribe(self) -> None:
        """Have the topic's updates pushed."""
        first = await self._repairs.insist({"type": "subscribe", "topic": self.topic}, Subscribed)
        self.requests = first.requests or ()
        self._from = self._asked_until = first.at or EPOCH
        for row in rows_of(first):
            self._tails[row.request_id] = _Followed(
                Tail(row.request_id, row.version, row.state), read_state(row.state).updated_at
            )
        early, self._early = self._early or [], None
        for update in early:
            self.pushed(update)

    async def close(self) -> None:
        """Stop watching."""
        self.end()
        if self._look_out is not None:
            self._look_out.cancel()  # it would subscribe again
        if self._leave(self):
            await self._repairs.insist({"type": "unsubscribe", "topic": self.topic}, Unsubscribed)

    def pushed(self, update: Update) -> None:
        """Take in a push, if it is one of this topic."""
        if self._user_id not in (None, update.user_id or self._user_id):
            return
        if self._early is not None:
            self._early.append(update)
            return
        followed = self._tails.get(update.request_id)
        if followed is None:
            started_before = read_state(update.state).submitted_at < self._from
            followed = self._follow(update.request_id, update.from_version - 1 if started_before else 0)
        self._repair(followed, followed.tail.pushed(update))

    def resume(self) -> None:
        """Subscribe again, and find what changed meanwhile."""
        self._patience.heard()
        self._look()

    def tick(self) -> None:
        """Look after the topic, and after requests that have fallen silent."""
        if self._patience.tick():
            self._look()
        for followed in self._tails.values():
            if not followed.tail.is_final and followed.patience.tick():
                self._repair(followed, followed.tail.ask())

    def fail(self, error: ClientError) -> None:
        """Nothing follows any more, because of the error."""
        self.end(error)
        self._leave(self)

    def _look(self) -> None:
        is_looking = self._look_out is not None and not self._look_out.done()
        if not is_looking and self._early is None and not self._ended.is_set():
            self._look_out = self._repairs.start(self._find_changes(), self.fail)

    async def _find_changes(self) -> None:
        more: bool | None = True
        while more:
            frame = {"type": "subscribe", "topic": self.topic, "since": to_text(self._asked_until)}
            answer = await self._repairs.insist(frame, Subscribed)
            for changed in changes_of(answer):
                self._changed(changed.request_id, changed.version)
            self._asked_until = max(self._asked_until, answer.at or self._asked_until)
            more = answer.more
        self._forget()

    def _changed(self, request_id: str, version: int) -> None:
        followed = self._tails.get(request_id) or self._follow(request_id, 0)
        if followed.tail.version < version:
            self._repair(followed, followed.tail.ask())

    def _follow(self, request_id: str, after: int) -> "_Followed":
        return self._tails.setdefault(request_id, _Followed(Tail(request_id, after), self._from))

    def _forget(self) -> None:
        """Forget requests that ended so long ago that nothing tells of them again."""
        until = self._asked_until - _REMEMBERED
        over = [name for name, one in self._tails.items() if one.tail.is_final and one.at < until]
        for name in over:
            del self._tails[name]

    def _repair(self, followed: "_Followed", heard: Heard) -> None:
        def give(updates: tuple[Update, ...]) -> None:
            followed.heard(updates)
            self.give(update for update in updates if update.at >= self._from)

        def fail(error: ClientError) -> None:
            refused = isinstance(error, RequestRejected) and error.code is ErrorCode.NOT_FOUND
            if refused or isinstance(error, EventsLost):
                self._tell_lost(followed)
            else:
                self.fail(error)

        # The log is only read: the subscription to the topic is enough.
        self._repairs.follow(followed.tail, heard, give, fail, live=False)

    def _tell_lost(self, followed: "_Followed") -> None:
        """Tell that events were missed for good, and go on with the next push of the request, if there is one."""
        tail = self._tails.pop(followed.tail.request_id, followed).tail
        told = Update(
            request_id=tail.request_id,
            from_version=tail.version + 1,
            version=tail.version + 1,
            type=LOST,
            at=followed.at,
            data={},
        )
        self.give((told,))


class _Followed:
    """A request of the topic: what was given out of it, up to which instant, and how long its silence is borne."""

    def __init__(self, tail: Tail, at: datetime) -> None:
        self.tail = tail
        self.at = at
        self.patience = Patience()

    def heard(self, updates: tuple[Update, ...]) -> None:
        if updates:
            self.at = updates[-1].at
            self.patience.heard()
