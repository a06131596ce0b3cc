"""The sweeper: the net below every other path. Each minute it finds what was lost and sets it going again.

It only appends to the log, sends tokens and closes sockets; projections and workers do the rest as always.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Final, TypeVar

from msgspec import Struct

from adapters.clock import Clock
from adapters.request_queue import RequestQueue
from adapters.request_view import RequestView
from adapters.stale_connections import StaleConnections
from adapters.status_index import Listed
from adapters.work_tokens import WorkTokens
from domain.commands import RetryPolicy
from domain.errors import Rejected, Undecodable
from domain.instant import from_epoch, to_text
from domain.request import EXPIRY_MARGIN
from domain.state import Status
from projections.intents import Wake
from projections.turns import RUNNABLE

T = TypeVar("T")

TURN: Final = timedelta(minutes=1)
# A request that is overdue by so long gets another token: each turn comes upon it once at each of these ages.
AGES: Final = tuple(TURN * 2**n for n in range(14))  # up to 5.7 days
PART_S: Final = 8.0  # of a turn, that each of its parts may take: whatever one has to do, the others are done as well
_MOST: Final = 200  # leases, and ends of what waits, of a shard in a turn; the rest is found in the next
_AT_ONCE: Final = 100  # tokens


class Swept(Struct):
    """What one turn found and set going again.

    How long the oldest request has waited that may run is told besides, and how many connections there are: by a turn
    that has come to the end of their table.
    """

    oldest_queued_s: int = 0
    connections: int | None = None
    leases_expired: int = 0
    requests_expired: int = 0
    tokens_sent: int = 0
    slots_freed: int = 0
    connections_closed: int = 0
    connections_left: int = 0
    unreadable: int = 0
    parts_cut_short: int = 0


class Sweeper:
    """Recovers lost workers, tokens and connections, and ends what is kept no longer."""

    def __init__(
        self,
        queue: RequestQueue,
        view: RequestView,
        tokens: WorkTokens,
        stale: StaleConnections,
        policy_of: Callable[[str], RetryPolicy],
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._view = view
        self._tokens = tokens
        self._stale = stale
        self._policy_of = policy_of
        self._clock = clock

    def sweep(self) -> Swept:
        """One turn."""
        swept = Swept()
        self._expire_leases(swept)
        self._expire_queued(swept)
        self._wake_forgotten(swept)
        self._close_stale(swept)
        return swept

    def _expire_leases(self, swept: Swept) -> None:
        entries = self._view.statuses.until(Status.PROCESSING, to_text(self._clock.now()), _MOST)
        for entry in self._in_time(entries, swept):
            with _set_aside(swept):
                if not self._ended_when_over(entry, swept):
                    self._expire_lease(entry, swept)

    def _expire_lease(self, entry: Listed, swept: Swept) -> None:
        head = self._queue.get(entry.request_id)
        policy = self._policy_of(head.state.action)
        swept.leases_expired += self._queue.expire_lease(head, policy).version > head.version

    def _expire_queued(self, swept: Swept) -> None:
        """End what waits at the end of its time or of its retention: that is among the oldest."""
        now = to_text(self._clock.now())
        entries = chain.from_iterable(self._view.statuses.until(status, now, _MOST) for status in RUNNABLE)
        for entry in self._in_time(entries, swept):
            with _set_aside(swept):
                if not self._ended_when_over(entry, swept):
                    swept.oldest_queued_s = max(swept.oldest_queued_s, self._waited_s(entry))

    def _wake_forgotten(self, swept: Swept) -> None:
        """Send tokens for what is due soon, which was too early before, and for what is overdue: theirs may be lost."""
        now = self._clock.now()
        # Half a turn more than there should be between two turns: the schedule is not exact.
        soon = (wake for wake in self._due(now - TURN / 2, now + TURN) if not wake.turn.is_ready)
        overdue = (wake for age in AGES for wake in self._due(now - age - TURN, now - age))
        wakes = self._in_time(chain(soon, overdue), swept)
        looked_at: set[str] = set()
        while some := list(islice(wakes, _AT_ONCE)):
            late = {wake.turn.tenant_id for wake in some if wake.turn.due_at <= now - TURN} - looked_at
            for tenant_id in late:
                with _set_aside(swept):
                    swept.slots_freed += self._queue.free_stale_slots(tenant_id)
            looked_at |= late
            swept.tokens_sent += self._tokens.send({wake.request_id: wake for wake in some}.values(), now)

    def _in_time(self, entries: Iterable[T], swept: Swept) -> Iterator[T]:
        """The entries, as many as there is time for."""
        until = self._clock.monotonic() + PART_S
        for entry in entries:
            if self._clock.monotonic() > until:
                swept.parts_cut_short += 1
                return
            yield entry

    def _due(self, low: datetime, high: datetime) -> Iterator[Wake]:
        """The requests that wait for a worker and were, or are, due between two instants."""
        for status in RUNNABLE:
            for entry in self._view.statuses.between(status, to_text(low), to_text(high)):
                if entry.turn and not self._is_over(entry):
                    yield Wake(entry.request_id, entry.turn)

    def _ended_when_over(self, entry: Listed, swept: Swept) -> bool:
        if not self._is_over(entry):
            return False
        swept.requests_expired += self._queue.expire(entry.request_id)
        return True

    def _waited_s(self, entry: Listed) -> int:
        return round((self._clock.now() - entry.turn.due_at).total_seconds()) if entry.turn else 0

    def _is_over(self, entry: Listed) -> bool:
        now = self._clock.now()
        is_timed_out = entry.ends_by is not None and now >= from_epoch(entry.ends_by)
        return is_timed_out or now >= from_epoch(entry.expires_at) - EXPIRY_MARGIN

    def _close_stale(self, swept: Swept) -> None:
        closed = self._stale.close(self._clock.monotonic() + PART_S)
        swept.connections_closed, swept.connections_left = closed.closed, closed.left
        swept.connections = closed.there


@contextmanager
def _set_aside(swept: Swept) -> Iterator[None]:
    """Count a request whose log is gone or unreadable, and go on with the others."""
    try:
        yield
    except (Rejected, Undecodable):
        swept.unreadable += 1
