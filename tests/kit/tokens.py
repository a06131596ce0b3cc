"""The tokens that lead workers to requests, as dispatch sends them."""

from domain.instant import to_text
from domain.recorded import Head
from domain.state import Status
from projections.intents import Wake
from projections.turns import Turn


def token(head: Head) -> Wake:
    """The token of a request as it was at this head: perhaps by now it is spent."""
    state, origin = head.state, head.origin
    assert origin is not None
    is_ready = state.status is Status.PENDING and state.due_at <= state.submitted_at
    return Wake(head.request_id, Turn(origin.tenant_id, state.priority, to_text(state.due_at), is_ready))
