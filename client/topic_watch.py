"""A watch of a topic: the updates of many requests, each request's in order and once."""

from collections.abc import Callable

from client.errors import ClientError
from client.feed import Feed
from client.repairs import Ask, Repairs
from client.tail import Tail
from client.updates import Update


class TopicWatch(Feed):
    """All updates that come on this connection, from the topic's subscription on.

    Of a request that was running before, the updates start with the next one. A push does not name its topic, so
    requests that are watched for themselves are among them.
    """

    def __init__(self, topic: str, ask: Ask, repairs: Repairs, leave: Callable[["TopicWatch"], bool]) -> None:
        super().__init__()
        self.topic = topic
        self._ask = ask
        self._repairs = repairs
        self._leave = leave
        self._tails: dict[str, Tail] = {}

    async def subscribe(self) -> None:
        """Have the topic's updates pushed."""
        await self._ask({"type": "subscribe", "topic": self.topic})

    async def close(self) -> None:
        """Stop watching."""
        self.end()
        if self._leave(self):
            await self._ask({"type": "unsubscribe", "topic": self.topic})

    def pushed(self, update: Update) -> None:
        """Take in a push."""
        tail = self._tails.setdefault(update.request_id, Tail(update.request_id, update.from_version - 1))
        self._repairs.follow(tail, tail.pushed(update), self.give, self.fail)

    def resume(self) -> None:
        """Subscribe again, and ask for what the known requests did meanwhile."""
        self._repairs.start(self.subscribe(), self.fail)
        for tail in self._tails.values():
            self._repairs.follow(tail, tail.ask(), self.give, self.fail)

    def fail(self, error: ClientError) -> None:
        """Nothing follows any more, because of the error."""
        self.end(error)
        self._leave(self)
