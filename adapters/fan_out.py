"""Carrying out a fan-out: finding who watches, and posting to many sockets at once.

One connection that is slow, gone or throttled never holds up or fails the rest: what cannot be posted is left to the
client, which notices the gap or the silence and asks for it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from msgspec import Struct

from adapters import broadcast
from adapters.broadcast import Broadcast
from adapters.clock import Clock
from adapters.connection_store import ConnectionStore
from adapters.stream_records import Delivered, Record, by_request, event_of
from adapters.subscription_store import SubscriptionStore
from adapters.threads import THREADS, Threads
from domain.errors import Unavailable, Undecodable
from domain.recorded import RecordedEvent
from domain.subscription import Missed
from projections import fan_out
from projections.intents import NoteMissed

_THREADS: Final = 16  # that read who watches
BUDGET_S: Final = 15.0  # of posting for a batch, half of the function's time: what is left then is left to the clients
REMOVED: Final = 25  # subscriptions of a connection that is gone
NOTING_S: Final = 3.0  # of noting what was not taken: it only tells people


class Posted(Struct):
    """What became of a fan-out, in frames; `noted` counts subscriptions, `unreadable` records."""

    sent: int = 0
    gone: int = 0
    left: int = 0
    noted: int = 0
    unreadable: int = 0


class FanOut:
    """Posts the events of a batch to everyone who watches them."""

    def __init__(
        self,
        subscriptions: SubscriptionStore,
        connections: ConnectionStore,
        broadcast: Broadcast,
        clock: Clock,
        threads: Threads = THREADS,
    ) -> None:
        self._subscriptions = subscriptions
        self._connections = connections
        self._broadcast = broadcast
        self._clock = clock
        self._pool = threads.pool(_THREADS, "fan-out")

    def post(self, records: Iterable[Record]) -> Posted:
        """Post the events of the records; Unavailable only if it cannot be found out who watches."""
        posted = Posted()
        groups = self._groups(records, posted)
        now = self._clock.now()
        topics = fan_out.topics(event for group in groups for event in group)
        found = self._pool.map(lambda topic: self._subscriptions.watchers(topic, now), topics)
        watchers = dict(zip(topics, found, strict=True))
        sends = fan_out.project(groups, watchers)
        frames: dict[str, list[str]] = {}
        for send in sends:
            frames.setdefault(send.connection_id, []).append(send.text)
        queues = self._broadcast.post(frames, until=self._clock.monotonic() + BUDGET_S)
        posted.sent = sum(queue.sent for queue in queues)
        posted.gone = sum(queue.left for queue in queues if queue.gone)
        posted.left = sum(queue.left for queue in queues if not queue.gone)
        behind = {queue.connection_id: queue for queue in queues if queue.left}
        removed = list(self._pool.map(self._remove, [name for name, queue in behind.items() if queue.gone]))
        taken = {name: queue.sent for name, queue in behind.items() if name not in removed}
        notes = fan_out.missed(sends, taken, groups, watchers) if taken else []
        posted.noted = self._note([(note, _why(behind[note.connection_id].status)) for note in notes], now)
        return posted

    def _note(self, notes: Sequence[tuple[NoteMissed, str]], at: datetime) -> int:
        """Note what was not taken, and tell how many notes that were: as many as there is time for."""
        until = self._clock.monotonic() + NOTING_S

        def note(one: tuple[NoteMissed, str]) -> bool:
            told, why = one
            with suppress(Unavailable):  # an explanation tells less then
                if self._clock.monotonic() <= until:
                    missed = Missed(told.request_id, told.from_version, told.version, at, why)
                    self._subscriptions.note_missed(told.topic, told.connection_id, missed)
                    return True
            return False

        return sum(self._pool.map(note, notes))

    def _groups(self, records: Iterable[Record], posted: Posted) -> list[list[RecordedEvent]]:
        """The events by request; what no code can read is project_views' to quarantine."""
        delivered = []
        for record in records:
            try:
                event = event_of(record)
                event.snapshot()
                event.shown()
                delivered.append(Delivered(event, record))
            except Undecodable:
                posted.unreadable += 1
        return [[one.event for one in group] for group in by_request(delivered).values()]

    def _remove(self, connection_id: str) -> str | None:
        """Remove a connection that is gone, and subscriptions of it: one may have been made after its row had gone.

        Its name if there is none now. However many there are, the batch has no time for more: project_views removes
        all of a connection whose row goes, and what is left here is found gone by the next post.
        """
        with suppress(Unavailable):  # the next post, or the sweeper, finds it gone again
            if self._connections.delete_gone(connection_id, self._clock.now()):
                self._subscriptions.delete_by_connection(connection_id, REMOVED)
                return connection_id
        return None


def _why(status: int) -> str:
    """What became of a post that was not taken."""
    match status:
        case 0:
            return "no answer in time"
        case broadcast.THROTTLED:
            return f"throttled ({status})"
        case broadcast.GONE:
            return f"gone, or not open yet ({status})"
        case _:
            return f"answered with {status}"
