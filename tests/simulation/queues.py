"""SQS and Lambda's mapping on it: at least once, in no order, hidden while worked on, set aside after so many tries."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.simulation.dynamodb import Way
from tests.simulation.faults import Faults
from tests.simulation.time_machine import Machine, Outcome

Invoke = Callable[[Mapping[str, Any]], Awaitable[Outcome]]


@dataclass(slots=True, eq=False)
class Message:
    """A message, and when it can be received."""

    message_id: str
    body: str
    visible_at: float
    received: int = 0
    gone: bool = False


@dataclass(slots=True)
class Queue:
    """A queue with its dead-letter queue."""

    machine: Machine
    faults: Faults
    way: Way
    visibility_s: float
    most_received: int
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    sent: int = 0
    delivered: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803, ARG002
        """SendMessageBatch."""
        assert 0 < len(Entries) <= 10
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        return self.way.call("sqs", "send_message_batch", lambda: self._take(Entries))

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> dict[str, Any]:  # noqa: N803, ARG002
        """SendMessage."""
        entry = {"Id": "0", "MessageBody": MessageBody, "DelaySeconds": DelaySeconds}
        return self.way.call("sqs", "send_message", lambda: self._take([entry]))

    def _take(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        failed = []
        for entry in entries:
            if self.way.drop():
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"})
                continue
            assert 0 <= entry.get("DelaySeconds", 0) <= 900
            self.sent += 1
            for _ in range(2 if self.faults.strikes("token_duplicated") else 1):
                delay = entry.get("DelaySeconds", 0) + self.faults.between(0.005, 0.1)
                if self.faults.strikes("token_delayed"):
                    delay += self.faults.between(1, 60)
                if self.faults.strikes("token_lost"):
                    continue
                name = f"{self.faults.rng.getrandbits(64):016x}"
                self.messages.append(Message(name, entry["MessageBody"], self.machine.now + delay))
        self.news.set()
        return {"Failed": failed} if failed else {"Successful": [{"Id": entry["Id"]} for entry in entries]}

    def waiting(self) -> int:
        """How many messages are there."""
        return len(self.messages)

    async def poll(self, invoke: Invoke, concurrency: int) -> None:
        """Lambda's mapping: at most so many messages at once, each in an invocation of its own."""
        busy: set[asyncio.Task[None]] = set()
        while True:
            now = self.machine.now
            self.messages = [message for message in self.messages if not message.gone]
            ready = [message for message in self.messages if message.visible_at <= now]
            if ready and len(busy) < concurrency:
                message = self.faults.one_of(ready)
                message.visible_at = now + self.visibility_s
                message.received += 1
                if message.received > self.most_received:
                    message.gone = True
                    self.dead.append(message)
                    self.faults.fired["token_lost"] += 1
                    continue
                task = self.machine.loop.create_task(self._work(message, invoke))
                busy.add(task)
                task.add_done_callback(partial(self._freed, busy))
                continue
            self.news.clear()
            later = [message.visible_at - now for message in self.messages if message.visible_at > now]
            if not later or (ready and len(busy) >= concurrency):
                await self.news.wait()
                continue
            try:
                await asyncio.wait_for(self.news.wait(), min(later) + 0.001)
            except TimeoutError:
                continue

    def _freed(self, busy: "set[asyncio.Task[None]]", done: "asyncio.Task[None]") -> None:
        busy.discard(done)
        self.news.set()

    async def _work(self, message: Message, invoke: Invoke) -> None:
        await self.faults.put_off()
        self.delivered += 1
        record = {
            "messageId": message.message_id,
            "body": message.body,
            "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": str(message.received)},
        }
        outcome = await invoke({"Records": [record]})
        if not outcome.failed and not (outcome.result or {}).get("batchItemFailures"):
            # The message is gone, unless that was lost: then it comes again when it shows up again.
            message.gone = not self.faults.strikes("token_duplicated")
