"""Bringing the audit and metrics views up to the stream records of connections and subscriptions."""

from collections.abc import Sequence

from adapters.quarantine import Quarantine
from adapters.stream_records import Record, change_of, table_of
from adapters.subscription_store import SubscriptionStore
from adapters.view_projector import Outcome
from adapters.views import Behind, Views
from domain.errors import Unavailable, Undecodable
from projections import presence


class PresenceProjector:
    """Counts and records who comes and goes, and cleans up after those who went."""

    def __init__(
        self, views: Views, subscriptions: SubscriptionStore, quarantine: Quarantine, subscriptions_table: str
    ) -> None:
        self._views = views
        self._subscriptions = subscriptions
        self._quarantine = quarantine
        self._subscriptions_table = subscriptions_table

    def project(self, records: Sequence[Record]) -> Outcome:
        """Handle the records in order, up to the first that cannot be now."""
        quarantined = 0
        for place, record in enumerate(records):
            try:
                quarantined += self._handle(record)
            except Unavailable as exc:
                return Outcome(list(records[place:]), exc, quarantined)
        return Outcome(quarantined=quarantined)

    def _handle(self, record: Record) -> int:
        """Handle one record; how many had to be quarantined."""
        try:
            change = change_of(record, is_subscription=table_of(record) == self._subscriptions_table)
        except Undecodable as exc:
            self._quarantine.keep(record, exc)
            return 1
        if change is not None:
            self._follow(change)
        return 0

    def _follow(self, change: presence.Change) -> None:
        for gone in presence.clean_up(change):
            self._subscriptions.delete_by_connection(gone.connection_id)
        try:
            self._views.commit(presence.project(change))
        except Behind:
            return  # delivered before: its entry is there, so it was counted with it
