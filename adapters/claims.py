"""Claims: a worker starts the request whose turn it is.

The index tells who waits, a token tells of one request that it may not show yet, and the log has the last word.
"""

from collections.abc import Iterator
from datetime import timedelta
from heapq import merge
from itertools import islice
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.queue_index import Rotation
from adapters.request_log import RequestLog
from adapters.request_view import RequestView
from domain.commands import Start
from domain.errors import Rejected, TenantFull, Unavailable, Undecodable
from domain.events import RequestSubmitted
from domain.recorded import Head, RecordedEvent
from domain.state import Status
from projections.intents import Wake
from projections.turns import RUNNABLE, Turn

_CANDIDATES: Final = 50  # tried in turn at most: those at the front may have been taken since the index was written


class Claim(Struct, frozen=True):
    """An attempt that a worker has started, and the token to put back if another request's turn came first."""

    head: Head
    submitted: RequestSubmitted
    put_back: Wake | None = None


class Claims:
    """Starting attempts in the order of turns."""

    def __init__(self, events: EventStore, log: RequestLog, view: RequestView, clock: Clock) -> None:
        self._events = events
        self._log = log
        self._view = view
        self._clock = clock

    def start_next(self, hint: Wake | None, worker_id: str, lease: timedelta, rotation: Rotation) -> Claim | None:
        """Start the first request that can be, of the one the token tells of and those in the index."""
        full: set[str] = set()
        for wake in self._candidates(hint, rotation, full):
            try:
                claim = self._start(wake.request_id, worker_id, lease)
            except TenantFull:
                full.add(wake.turn.tenant_id)
                continue
            if claim:
                rotation.served = wake.turn.tenant_id
                passed_over = hint if hint and hint.request_id != wake.request_id else None
                return replace(claim, put_back=self._put_back(passed_over, rotation) if passed_over else None)
        return None

    def _candidates(self, hint: Wake | None, rotation: Rotation, full: set[str]) -> Iterator[Wake]:
        """The requests to try as their turns come, read as far as it takes to find one that starts."""
        # The rank depends on who was served last: a claim changes that, and then no candidate is asked for any more.
        ranked = self._view.queue.ready(rotation, full)
        others = (wake for wake in ranked if hint is None or wake.request_id != hint.request_id)
        turns = merge(others, [hint] if hint else [], key=rotation.rank)
        waits = hint is not None
        for wake in islice((wake for wake in turns if wake.turn.tenant_id not in full), _CANDIDATES):
            waits = waits and wake is not hint
            yield wake
        # Those before it were all taken. It starts out of turn, for with its token spent nothing would lead to it.
        if hint and waits and hint.turn.tenant_id not in full:
            yield hint

    def _start(self, request_id: str, worker_id: str, lease: timedelta) -> Claim | None:
        """Begin an attempt; None when another worker was first or the index is behind: then the next candidate."""
        newest = self._newest(request_id)
        head = Head.of(newest) if newest else Head(request_id)
        if newest is None or (head.state.status not in RUNNABLE and head.state.worker_id != worker_id):
            return None
        now = self._clock.now()
        try:
            # Before the attempt begins: a worker that has started a request must be able to run it.
            submitted = (newest if newest.version == 1 else self._events.get(request_id, 1)).event()
            if isinstance(submitted, RequestSubmitted):
                start = Start(now=now, worker_id=worker_id, lease_until=now + lease)
                started, _ = self._log.execute(start, head)
                return Claim(started, submitted) if started.state.status is Status.PROCESSING else None
        except (Rejected, Undecodable):
            return None
        return None

    def _put_back(self, hint: Wake, rotation: Rotation) -> Wake | None:
        """The token of a request whose turn it was not, if nothing but a token leads to it and it still waits."""
        if hint.turn.is_ready and rotation.shows(hint.request_id):
            return None  # there are as many tokens as ready requests: another one will lead to it
        try:
            newest = self._newest(hint.request_id)
        except Unavailable:
            return hint  # an attempt has begun, which must be run; one token too many is harmless
        turn = Turn.of(newest.snapshot(), hint.turn.tenant_id) if newest else None
        return Wake(hint.request_id, turn) if turn else None

    def _newest(self, request_id: str) -> RecordedEvent | None:
        """The newest event of a candidate; None for a log that no code can read: it must not hold up the others."""
        try:
            newest = self._events.newest(request_id)
            return None if newest is None or Head.of(newest).is_over(self._clock.now()) else newest
        except Undecodable:
            return None
