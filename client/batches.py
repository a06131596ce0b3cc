"""Batches: many submissions in few frames, and what each of them is answered with."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import ValidationError, convert

from client.errors import RequestRejected, UnreadableReply
from client.questions import refusal
from domain import exact_json
from domain.errors import Rejected
from domain.protocol import FRAME_TARGET, MAX_BATCH, Ack, Acks, Error, frame_object

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Work to ask for; the same key gives the same request."""

    action: str
    payload: Any = None
    idempotency_key: str | None = None
    priority: int | None = None
    delay_s: int | None = None
    timeout_s: int | None = None
    max_attempts: int | None = None
    metadata: Mapping[str, str] | None = None

    def frame(self) -> dict[str, Any]:
        """The frame that asks for it, without the fields that have no value."""
        fields = {
            "type": "submit",
            "action": self.action,
            "payload": self.payload,
            "idempotency_key": self.idempotency_key,
            # Without one of the two, a submit whose reply was lost could be neither repeated nor given up.
            "submission_id": None if self.idempotency_key else str(uuid.uuid4()),
            "priority": self.priority,
            "delay_s": self.delay_s,
            "timeout_s": self.timeout_s,
            "max_attempts": self.max_attempts,
            # What is no mapping is refused by the server, as the wrong type of any other field.
            "metadata": dict(self.metadata) if isinstance(self.metadata, Mapping) else self.metadata,
        }
        return {name: value for name, value in fields.items() if value is not None}


def batches(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    """The items as batches of one frame each, in their order; one that is large is alone in its own."""
    batch: list[Item] = []
    size = 0
    for item in items:
        length = _size(item)
        if batch and (len(batch) == MAX_BATCH or size + length > FRAME_TARGET - _ENVELOPE):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


def answers(reply: Acks, batch: Sequence[Item]) -> list[Ack | RequestRejected]:
    """What each item of the batch is answered with; UnreadableReply when that does not fit the protocol."""
    if len(reply.items) != len(batch):
        raise UnreadableReply(f"{len(reply.items)} replies to {len(batch)} items")
    try:
        return [
            refusal(convert(item, Error)) if item.get("type") == "error" else convert(item, Ack) for item in reply.items
        ]
    except ValidationError as exc:
        raise UnreadableReply("a reply in a batch") from exc


_ENVELOPE = 256  # bytes, more than all that is around the items


def _size(item: Item) -> int:
    try:
        text = exact_json.encode({"items": [item]})
        frame_object(text)
        return len(text.encode())
    except Rejected:
        return FRAME_TARGET  # alone, so that it is refused alone
