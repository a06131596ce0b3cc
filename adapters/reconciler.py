"""Finding requests whose views are behind their logs, and bringing them up: after a stream that told nothing for long.

An event that was written a moment ago may still be on its way through the stream; only what is older counts as behind.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct

from adapters.clock import Clock
from adapters.event_store import EventStore, from_row
from adapters.view_projector import ViewProjector
from adapters.views import Views
from domain.errors import InvalidValue, Undecodable
from domain.instant import from_text
from domain.names import LONGEST_REQUEST_ID, require_id
from domain.recorded import RecordedEvent

ON_ITS_WAY: Final = timedelta(minutes=1)


class Reconciled(Struct):
    """How many requests were looked at, were behind, and were brought up."""

    looked_at: int = 0
    behind: int = 0
    repaired: int = 0
    unreadable: int = 0


class Reconciler:
    """Brings views up to the log without a stream."""

    def __init__(self, events: EventStore, views: Views, projector: ViewProjector, clock: Clock) -> None:
        self._events = events
        self._views = views
        self._projector = projector
        self._clock = clock

    def look_at(self, rows: Iterable[Mapping[str, Any]], reconciled: Reconciled) -> None:
        """See whether the views have what rows of the log tell, and bring those up that have not."""
        newest: dict[str, RecordedEvent] = {}
        latest = self._clock.now() - ON_ITS_WAY
        for row in rows:
            try:
                event = from_row(row)
                require_id("request_id", event.request_id, LONGEST_REQUEST_ID)
                event.snapshot()
            except (Undecodable, InvalidValue):
                reconciled.unreadable += 1
                continue
            is_newer = event.version > newest[event.request_id].version if event.request_id in newest else True
            if is_newer and from_text(event.at) <= latest and event.snapshot().expires_at > self._clock.now():
                newest[event.request_id] = event
        self.bring_up(newest, reconciled)

    def check(self, request_ids: Iterable[str], reconciled: Reconciled) -> None:
        """See whether the views of these requests are up to their logs, and bring those up that are not."""
        newest: dict[str, RecordedEvent] = {}
        latest = self._clock.now() - ON_ITS_WAY
        for request_id in request_ids:
            try:
                head = self._events.head(request_id)
                if head.version and head.state.updated_at <= latest and head.state.expires_at > self._clock.now():
                    newest[request_id] = self._events.get(request_id, head.version)
            except (Undecodable, InvalidValue):
                reconciled.unreadable += 1
        self.bring_up(newest, reconciled)

    def bring_up(self, newest: Mapping[str, RecordedEvent], reconciled: Reconciled) -> None:
        """Bring the views of requests up to these events, if they are behind them."""
        cursors = self._views.cursors(newest)
        behind = [event for request_id, event in newest.items() if cursors[request_id].version < event.version]
        reconciled.looked_at += len(newest)
        reconciled.behind += len(behind)
        if not behind:
            return
        outcome = self._projector.catch_up(behind)
        if outcome.error:
            raise outcome.error
        reconciled.unreadable += outcome.quarantined
        reconciled.repaired += len(behind) - outcome.quarantined
