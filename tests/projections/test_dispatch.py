from collections.abc import Sequence

from hypothesis import given

from domain.recorded import RecordedEvent
from domain.state import Status
from projections.dispatch import project
from tests.strategies import logs


@given(logs(min_size=1))
def test_a_request_that_waits_for_a_worker_has_a_token_and_no_other_has(log: Sequence[RecordedEvent]) -> None:
    for recorded in log:
        state = recorded.snapshot()
        waits = state.status in {Status.PENDING, Status.RETRYING}
        wakes = project(recorded)
        assert [(wake.request_id, wake.turn.due_at, wake.turn.priority) for wake in wakes] == (
            [("r-1", state.due_at, state.priority)] if waits else []
        )


@given(logs(min_size=1))
def test_every_delivery_derives_the_same_token(log: Sequence[RecordedEvent]) -> None:
    assert project(log[-1]) == project(log[-1])
