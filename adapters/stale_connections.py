"""Stale connections: over, but their row is still there, since their $disconnect never came.

Each turn looks at some pages of their table: at all of it, until there are more connections than those pages hold.
"""

from contextlib import suppress
from typing import Final

from msgspec import Struct

from adapters.clock import Clock
from adapters.connection_store import ConnectionStore
from adapters.places import BEGINNING, Place, Places
from adapters.threads import THREADS, Threads
from adapters.websocket import Sockets
from domain.errors import Gone, Unavailable

PLACE: Final = "connections"
_AT_ONCE: Final = 16  # sockets that are being closed


class Closed(Struct, frozen=True):
    """How many were closed, and how many are left to the next turn.

    `there` is how many connections there are, in a turn that has come to the end of their table.
    """

    closed: int
    left: int
    there: int | None


class StaleConnections:
    """Closes them."""

    def __init__(
        self,
        connections: ConnectionStore,
        sockets: Sockets,
        places: Places,
        clock: Clock,
        threads: Threads = THREADS,
    ) -> None:
        self._connections = connections
        self._sockets = sockets
        self._places = places
        self._clock = clock
        self._pool = threads.pool(_AT_ONCE, "stale connections")

    def close(self, until: float) -> Closed:
        """One turn: those that are found until then, by the monotonic clock, are closed."""

        def close(connection_id: str) -> None:
            if self._clock.monotonic() > until:
                raise Unavailable("this turn has no more time", connection_id=connection_id)
            with suppress(Gone):  # closed before; its row is still to go
                self._sockets.close(connection_id)

        place = self._places.get(PLACE)
        stale = self._connections.delete_stale(self._clock.now(), close, self._pool.map, place.behind)
        there = place.counted + stale.there
        now = Place(stale.behind, there) if stale.behind else BEGINNING
        if now != place:
            self._places.keep(PLACE, now)
        return Closed(stale.deleted, stale.left, None if stale.behind else there)
