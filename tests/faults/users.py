"""Users who ask for work until it is acknowledged, cancel some of it, and hear what becomes of it."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Event
from typing import Any, Final

from msgspec import convert

from client.tail import Tail
from client.updates import answer_of, updates_of
from domain import exact_json
from domain.instant import to_text
from domain.protocol import EventPush, EventsPush, Subscribed, server_frame
from tests.faults.functions import Function, Lost
from tests.kit.sink import Sink
from tests.soak.load import Heard
from tests.soak.wishes import Wish

_PAUSE_S: Final = 0.1
_AGAIN: Final = frozenset({"RATE_LIMITED", "INTERNAL_ERROR"})  # what may be better the next time


class NobodyAnswers(Exception):
    """A frame was sent until the run was over."""


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement as a user got it, and how often they had sent the frame that it answers."""

    request_id: str
    version: int
    status: str
    is_duplicate: bool
    sent: int


@dataclass(slots=True)
class User:
    """One user with one socket, who does one thing after the other."""

    tenant_id: str
    user_id: str
    function: Function
    sink: Sink
    counts: Counter[str]
    acks: list[Ack] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _read: int = 0
    _frames: int = 0

    @property
    def socket(self) -> str:
        """Their connection's id."""
        return f"{self.tenant_id}-{self.user_id}"

    def run(self, wishes: Sequence[Wish], random: Random, stop: Event) -> None:
        """Ask for everything, and cancel what they do not want any more."""
        try:
            self._ask_for_all(wishes, random, stop)
        except NobodyAnswers as exc:
            self.troubles.append(f"{self.socket}: nobody answered {exc}")

    def _ask_for_all(self, wishes: Sequence[Wish], random: Random, stop: Event) -> None:
        cancels: list[tuple[float, str]] = []
        for number, wish in enumerate(wishes):
            request_id = self._submit(wish, str(number), stop)
            if wish.is_repeated:
                self._submit(wish, str(number), stop)
            if wish.cancel_after_s is not None:
                cancels.append((time.monotonic() + wish.cancel_after_s, request_id))
            stop.wait(random.uniform(0, 4 * _PAUSE_S))
        for due, request_id in sorted(cancels):
            stop.wait(max(0.0, due - time.monotonic()))
            self._cancel(request_id, stop)

    def heard(self, request_ids: Sequence[str], stop: Event) -> dict[str, Heard]:
        """What they have heard of their requests: the pushes, and what the log told where some were missing."""
        tails = {request_id: Tail(request_id) for request_id in request_ids}
        heard: dict[str, Heard] = {request_id: [] for request_id in request_ids}
        for frame in map(server_frame, self.sink.texts(self.socket)):
            if isinstance(frame, EventPush | EventsPush):
                for update in updates_of(frame):
                    given = tails[update.request_id].pushed(update)
                    heard[update.request_id] += [(one.version, one.type) for one in given.updates]
        for request_id, tail in tails.items():
            if not tail.is_final:
                self.counts["watches made good from the log"] += 1
                heard[request_id] += self._made_good(tail, stop)
        return heard

    def _made_good(self, tail: Tail, stop: Event) -> Iterator[tuple[int, str]]:
        after: int | None = tail.version
        while after is not None:
            frame = self._ask({"type": "subscribe", "request_id": tail.request_id, "after": after}, stop)[0]
            if frame["type"] != "subscribed":
                self.troubles.append(f"{self.socket}: a subscribe was answered with {frame}")
                return
            given = tail.answered(answer_of(convert(frame, Subscribed)))
            yield from ((one.version, one.type) for one in given.updates)
            after = given.ask_after

    def _submit(self, wish: Wish, key: str, stop: Event) -> str:
        frame = {"type": "submit", "action": wish.action, "payload": wish.payload, "idempotency_key": key}
        reply, sent = self._ask({**frame, **wish.options}, stop)
        ack = Ack(reply["request_id"], reply["version"], reply["status"], reply.get("duplicate", False), sent)
        if any(ack.request_id == other.request_id for other in self.acks):
            sent += 1  # once more under the same key: it is a duplicate
        self.acks.append(Ack(ack.request_id, ack.version, ack.status, ack.is_duplicate, sent))
        self.counts["acknowledged"] += 1
        return ack.request_id

    def _cancel(self, request_id: str, stop: Event) -> None:
        reply, _ = self._ask({"type": "cancel", "request_id": request_id, "reason": "enough"}, stop)
        if reply["type"] == "ack":
            self.counts["cancels acknowledged"] += 1
            self.cancelled.append(request_id)
        elif reply["code"] != "ALREADY_FINAL":
            self.troubles.append(f"{self.socket}: a cancel was answered with {reply}")

    def _ask(self, frame: dict[str, Any], stop: Event) -> tuple[dict[str, Any], int]:
        """The answer to a frame, which is sent until there is one, and how often it was."""
        self._frames += 1
        text = exact_json.encode({**frame, "id": f"frame-{self._frames}"})
        sent = 0
        while not stop.is_set():
            sent += 1
            self.counts["frames sent"] += 1
            try:
                self.function.invoke(self._event(text, sent))
            except Lost:
                self.counts["frames lost"] += 1
            for reply in self._replies(f"frame-{self._frames}"):
                if reply.get("code") not in _AGAIN:
                    return reply, sent
            stop.wait(_PAUSE_S)
        raise NobodyAnswers(f"{sent} times {text[:100]}")

    def _replies(self, frame_id: str) -> Iterator[dict[str, Any]]:
        texts = self.sink.texts(self.socket)
        read, self._read = self._read, len(texts)
        for frame in map(json.loads, texts[read : self._read]):
            if frame.get("id") == frame_id:
                yield frame

    def _event(self, text: str, sent: int) -> dict[str, Any]:
        identity = {
            "tenant_id": self.tenant_id,
            "user_id": self.user_id,
            "scopes": "",
            "ends_at": to_text(datetime.now(UTC) + timedelta(hours=1)),
        }
        about = {"connectionId": self.socket, "messageId": f"{self._frames}.{sent}", "authorizer": identity}
        return {"requestContext": about, "body": text}
