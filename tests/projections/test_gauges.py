"""The gauges: what there is right now, whatever happened on the way."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands import ReportProgress, Start, Submit
from domain.recorded import RecordedEvent
from domain.state import Status
from projections.cursor import NOWHERE, Cursor
from projections.gauges import NAMES, add, changes, key_of, of_action, project
from projections.requests import cursor_after
from tests.spec import life
from tests.strategies import START, logs

AT_THE_END = {Status.PENDING: "queued", Status.RETRYING: "queued", Status.PROCESSING: "running"}


@given(logs(min_size=1), st.lists(st.integers(1, 5)))
def test_the_steps_of_a_log_add_up_to_what_its_end_says(log: Sequence[RecordedEvent], lengths: list[int]) -> None:
    sums: Counter[str] = Counter()
    before, left = NOWHERE, list(log)
    for length in [*lengths, len(log)]:
        step, left = left[:length], left[length:]
        if step:
            for intent in project(step, before):
                sums.update(intent.counts)
            before = cursor_after(before, step)
    name = AT_THE_END.get(log[-1].snapshot().status or Status.FAILED)
    action = log[-1].snapshot().action
    assert {key: count for key, count in sums.items() if count} == ({name: 1, f"{name}#{action}": 1} if name else {})


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (None, Status.PENDING, {"queued": 1}),
        (Status.PENDING, Status.PROCESSING, {"queued": -1, "running": 1}),
        (Status.PROCESSING, Status.RETRYING, {"queued": 1, "running": -1}),
        (Status.PENDING, Status.RETRYING, {}),
        (Status.PROCESSING, Status.FAILED, {"running": -1}),
        (Status.RETRYING, Status.CANCELLED, {"queued": -1}),
        (None, Status.FAILED, {}),
    ],
)
def test_a_change_of_status_moves_what_it_leaves_and_what_it_enters(
    before: Status | None, after: Status, moved: dict[str, int]
) -> None:
    assert changes(before, after) == moved


def test_events_that_leave_the_status_as_it_was_move_nothing() -> None:
    event = _running()[-1]
    assert project([event], Cursor(event.version - 1, event.snapshot().status)) == []


def test_the_row_is_the_tenants_and_stays() -> None:
    intent = add("acme", {"connections": -1})
    assert intent.key == key_of("acme") == {"scope": "=gauges#acme", "minute": "now"}
    assert "expires_at" not in intent.attributes


def test_the_gauges_are_the_tenants_or_those_of_an_action() -> None:
    row = {"queued": 3, "queued#echo": 2, "running": 1, "running#report": 1, "connections": 4}
    assert of_action(row) == {"queued": 3, "running": 1, "connections": 4, "subscriptions": 0}
    assert of_action(row, "echo") == {"queued": 2, "running": 0}
    assert set(of_action({})) == set(NAMES)


def _running() -> list[RecordedEvent]:
    return life(
        Submit(now=START, action="echo", digest="d"),
        Start(now=START, worker_id="w", lease_until=START),
        ReportProgress(now=START, attempt=1, percent=1),
    )
