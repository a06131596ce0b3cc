"""Watching: which handles and topics are open, and which of them a push concerns."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from client.errors import ClientError, WatchClosed
from client.handle import Handle
from client.repairs import Ask, Repairs
from client.tail import Tail
from client.topic_watch import TopicWatch
from client.updates import Update
from domain.protocol import Response


@contextmanager
def left_on_failure(watches: Sequence[Handle | TopicWatch]) -> Iterator[None]:
    """End watches that their user does not get: what is asked for them fails, or is asked no longer."""
    try:
        yield
    except BaseException:
        for watch in watches:
            watch.fail(WatchClosed())
        raise


class Watching:
    """Brings each push to whoever watches its request.

    The server subscribes before it acknowledges, so pushes can come before the reply that tells which request they
    belong to. While such a reply is expected, pushes that concern nobody are held.
    """

    def __init__(self, ask: Ask, repairs: Repairs, is_connected: Callable[[], bool]) -> None:
        self._ask = ask
        self._repairs = repairs
        self._is_connected = is_connected
        self._handles: dict[str, list[Handle]] = {}
        self._topics: list[TopicWatch] = []
        self._expecting = 0
        self._held: list[Update] = []

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Hold pushes that concern nobody yet."""
        self._expecting += 1
        try:
            yield
        finally:
            self._expecting -= 1
            if not self._expecting:
                self._held.clear()

    def handle(self, request_id: str, after: int = 0) -> Handle:
        """A new handle on a request, with the pushes that were held for it."""
        handle = Handle(Tail(request_id, after), self._ask, self._repairs, self._leave)
        self._handles.setdefault(request_id, []).append(handle)
        for update in self._held:
            if update.request_id == request_id:
                handle.pushed(update)
        return handle

    def answered(self, answer: Response) -> Handle:
        """A handle that has ended: a synchronous action's answer."""
        handle = Handle(Tail(""), self._ask, self._repairs, self._leave)
        handle.answered(answer)
        return handle

    def without_request(self, error: ClientError) -> Handle:
        """A handle that has ended: what was asked for was refused, or never answered."""
        handle = Handle(Tail(""), self._ask, self._repairs, self._leave)
        handle.end(error)
        return handle

    def topic(self, topic: str) -> TopicWatch:
        """A new watch of a topic."""
        watch = TopicWatch(topic, self._repairs, self._leave_topic)
        self._topics.append(watch)
        return watch

    def pushed(self, update: Update) -> None:
        """Bring a push to whom it concerns."""
        for watch in (*self._handles.get(update.request_id, ()), *self._topics):
            watch.pushed(update)
        if self._expecting and update.request_id not in self._handles:
            self._held.append(update)

    def reconnected(self) -> None:
        """Have all of them ask for what was pushed meanwhile."""
        for watch in self._all():
            watch.resume()

    async def settled(self) -> None:
        """Wait until all of them have what they asked for."""
        await self._repairs.settled()

    def tick(self) -> None:
        """Have what fell silent ask whether a push was lost on the way."""
        for watch in self._all():
            watch.tick()

    def ended(self, error: ClientError) -> None:
        """Tell all of them that nothing follows."""
        self._repairs.stop()
        for watch in self._all():
            watch.fail(error)

    def _all(self) -> list[Handle | TopicWatch]:
        return [*(handle for handles in self._handles.values() for handle in handles), *self._topics]

    def _leave(self, handle: Handle) -> bool:
        """Forget a handle; whether it was the last on its request, and is watched on a line."""
        handles = self._handles.get(handle.request_id, [])
        if handle not in handles:
            return False
        handles.remove(handle)
        if not handles:
            del self._handles[handle.request_id]
        return not handles and self._is_connected()

    def _leave_topic(self, watch: TopicWatch) -> bool:
        """Forget a watch; whether it was the last of its topic, and is watched on a line."""
        if watch not in self._topics:
            return False
        self._topics.remove(watch)
        return all(other.topic != watch.topic for other in self._topics) and self._is_connected()
