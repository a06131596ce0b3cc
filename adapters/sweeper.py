"""The sweeper: the net below every other path. Each minute it finds what was lost and sets it going again.

It only appends to the log, sends tokens and closes sockets; projections and workers do the rest as always.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from actions.registry import Registry
from adapters.clock import Clock
from adapters.connection_store import ConnectionStore
from adapters.queue_index import Queued
from adapters.request_queue import RequestQueue
from adapters.request_view import RequestView
from adapters.websocket import Sockets
from adapters.work_tokens import WorkTokens
from adapters.worker import retry_policy
from domain.errors import Gone, Rejected, Unavailable, Undecodable
from domain.instant import from_epoch, from_text, to_text
from domain.request import EXPIRY_MARGIN
from domain.state import Status
from projections.intents import Wake
from projections.requests import HIGHEST_PRIORITY, READY

TURN: Final = timedelta(minutes=1)
_MOST: Final = 200  # of one kind and shard in one turn; the rest is found in the next


@dataclass(slots=True)
class Swept:
    """What one turn found and set going again."""

    leases_expired: int = 0
    requests_expired: int = 0
    tokens_sent: int = 0
    connections_closed: int = 0
    connections_left: int = 0
    unreadable: int = 0


class Sweeper:
    """Recovers lost workers, tokens and connections, and ends what is kept no longer."""

    def __init__(
        self,
        queue: RequestQueue,
        view: RequestView,
        tokens: WorkTokens,
        connections: ConnectionStore,
        sockets: Sockets,
        registry: Registry,
        clock: Clock,
    ) -> None:
        self._queue = queue
        self._view = view
        self._tokens = tokens
        self._connections = connections
        self._sockets = sockets
        self._registry = registry
        self._clock = clock

    def sweep(self) -> Swept:
        """One turn."""
        swept = Swept()
        self._expire_leases(swept)
        self._wake(self._forgotten(), swept)
        self._close_ended(swept)
        return swept

    def _expire_leases(self, swept: Swept) -> None:
        for entry in self._view.queue.leases_over(to_text(self._clock.now()), _MOST):
            with _set_aside(swept):
                if not self._ended_with_retention(entry, swept):
                    self._expire_lease(entry, swept)

    def _expire_lease(self, entry: Queued, swept: Swept) -> None:
        head = self._queue.get(entry.request_id)
        policy = retry_policy(self._registry, head.state.action)
        swept.leases_expired += self._queue.expire_lease(head, policy).version > head.version

    def _forgotten(self) -> Iterable[Queued]:
        """Requests whose token is overdue, or was never sent because it was too early."""
        now = self._clock.now()
        for status in (Status.PENDING, Status.RETRYING):
            yield from self._view.queue.due(status, to_text(now + TURN), _MOST)
        for priority in range(HIGHEST_PRIORITY, -1, -1):
            key = f"{READY}#{HIGHEST_PRIORITY - priority}#"
            yield from self._view.queue.ready_since(key, to_text(now - TURN), _MOST)

    def _wake(self, entries: Iterable[Queued], swept: Swept) -> None:
        now = self._clock.now()
        living: list[Queued] = []
        for entry in entries:
            with _set_aside(swept):
                living += [] if self._ended_with_retention(entry, swept) else [entry]
        swept.tokens_sent += self._tokens.send([Wake(entry.request_id, _due(entry)) for entry in living], now)

    def _ended_with_retention(self, entry: Queued, swept: Swept) -> bool:
        now = self._clock.now()
        if now < from_epoch(entry.expires_at) - EXPIRY_MARGIN:
            return False
        swept.requests_expired += self._queue.expire(entry.request_id)
        return True

    def _close_ended(self, swept: Swept) -> None:
        for connection in self._connections.ended(self._clock.now()):
            try:
                with suppress(Gone):  # closed before; its row is still to go
                    self._sockets.close(connection.connection_id)
            except Unavailable:
                swept.connections_left += 1  # its row stays, so that the next turn finds it
                continue
            self._connections.delete(connection.connection_id)
            swept.connections_closed += 1


@contextmanager
def _set_aside(swept: Swept) -> Iterator[None]:
    """Count a request whose log is gone or unreadable, and go on with the others."""
    try:
        yield
    except (Rejected, Undecodable):
        swept.unreadable += 1


def _due(entry: Queued) -> datetime:
    """When the request may start: a token that comes before finds it not due and is spent."""
    return from_text(entry.queue_key.rpartition("#")[2])
