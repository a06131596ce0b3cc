"""Dispatch: which requests became runnable, so that the queue gets a token for each."""

from domain.recorded import RecordedEvent
from projections.intents import Wake
from projections.turns import Turn


def project(newest: RecordedEvent) -> list[Wake]:
    """A token if the request waits for a worker. Derived from the newest event alone, so again on every delivery."""
    turn = Turn.of(newest.snapshot(), newest.tenant_id)
    return [Wake(newest.request_id, turn)] if turn else []
