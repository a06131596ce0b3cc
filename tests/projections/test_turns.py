"""The order of the queue: tenants in a circle, within a tenant by priority and then by age."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instant import to_text
from domain.recorded import RecordedEvent
from domain.state import RequestState, Status
from projections.turns import RUNNABLE, Turn, place, queue_shard
from tests.strategies import START, instants, logs

SECOND = timedelta(seconds=1)
tenants = st.text("abcXYZ019@._:|+=-", min_size=1, max_size=6)
turns = st.builds(Turn, tenants, st.integers(0, 9), st.builds(to_text, instants), st.booleans())


@given(turns)
def test_a_turn_survives_its_way_through_a_key(turn: Turn) -> None:
    assert Turn.parsed(turn.key, is_ready=turn.is_ready) == turn
    assert to_text(turn.due_at) == turn.due


@given(st.lists(turns, min_size=2))
def test_keys_sort_each_tenants_ready_requests_by_priority_and_then_by_age(some: list[Turn]) -> None:
    ready = [Turn(turn.tenant_id, turn.priority, turn.due) for turn in some]
    by_key = sorted(ready, key=lambda turn: turn.key)
    assert by_key == sorted(ready, key=lambda turn: turn.rank)
    for _, group in groupby(by_key, key=lambda turn: turn.tenant_id):
        own = list(group)
        assert own == sorted(own, key=lambda turn: (-turn.priority, turn.due))


@given(st.lists(turns, min_size=2))
def test_each_tenant_has_one_stretch_of_the_circle(some: list[Turn]) -> None:
    order = [tenant for tenant, _ in groupby(sorted(some, key=lambda turn: turn.rank), lambda turn: turn.tenant_id)]
    assert len(order) == len(set(order))
    for turn in some:
        assert turn.key.startswith(place(turn.tenant_id))


@given(st.lists(turns, min_size=2))
def test_keys_sort_a_tenants_waiting_requests_by_when_they_are_due(some: list[Turn]) -> None:
    waiting = [Turn("acme", turn.priority, turn.due, is_ready=False) for turn in some]
    due = [turn.due for turn in sorted(waiting, key=lambda turn: turn.key)]
    assert due == sorted(due)


@given(logs(min_size=1))
def test_a_request_has_a_turn_while_it_waits_for_a_worker(log: Sequence[RecordedEvent]) -> None:
    for recorded in log:
        state = recorded.snapshot()
        assert (Turn.of(state, "acme") is not None) == (state.status in RUNNABLE)


@pytest.mark.parametrize(
    ("status", "delay", "is_ready"),
    [
        (Status.PENDING, timedelta(0), True),
        (Status.PENDING, timedelta(milliseconds=1), False),
        (Status.RETRYING, timedelta(0), False),
    ],
)
def test_what_was_delayed_or_is_tried_again_is_found_by_its_token(
    status: Status, delay: timedelta, *, is_ready: bool
) -> None:
    state = RequestState(status=status, priority=7, submitted_at=START, due_at=START + delay)
    assert Turn.of(state, "acme") == Turn("acme", 7, to_text(START + delay), is_ready)


def test_a_tenants_queue_is_in_one_partition_that_later_releases_find() -> None:
    assert queue_shard("ready", "acme", 4) == "ready#2"
    assert place("acme") == "05c4ba3e#acme#"
