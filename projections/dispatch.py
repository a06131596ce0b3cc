"""Dispatch: which requests became runnable, so that the queue gets a token for each."""

from typing import Final

from domain.recorded import RecordedEvent
from domain.state import Status
from projections.intents import Wake

RUNNABLE: Final = frozenset({Status.PENDING, Status.RETRYING})


def project(newest: RecordedEvent) -> list[Wake]:
    """A token if the request waits for a worker. Derived from the newest event alone, so again on every delivery."""
    state = newest.snapshot()
    return [Wake(newest.request_id, state.due_at)] if state.status in RUNNABLE else []
