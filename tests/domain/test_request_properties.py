"""What holds for every request, whatever is asked of it in whatever order."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import exact_json
from domain.commands import Start
from domain.errors import Rejected, Undecodable
from domain.events import AttemptStarted, Event
from domain.instant import from_text
from domain.recorded import Head, RecordedEvent, first_break
from domain.request import TRANSITIONS, decide, evolve, fold
from domain.state import RequestState, Status
from tests import strategies
from tests.strategies import START, carried_out, commands, logs, state_after, worker_commands


@given(logs(), st.data())
def test_a_repeated_command_changes_nothing(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    state = state_after(log)
    command = data.draw(commands(state))
    try:
        events = decide(command, state)
    except Rejected:
        return
    assert len(events) <= 1
    assert decide(command, fold(((event, command.now) for event in events), state)) == []


@given(logs(min_size=1), st.data())
def test_a_repeat_is_known_by_the_log_alone(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    head = Head.of(log[-1])
    command = data.draw(commands(head.state))
    stored = carried_out(command, head)
    if stored:
        assert carried_out(command, Head.of(stored[0])) == []


@given(logs(), st.data())
def test_a_command_leads_only_where_the_table_says(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    state = state_after(log)
    command = data.draw(commands(state))
    try:
        events = decide(command, state)
    except Rejected:
        return
    rows = {(row.status, row.command, row.event, row.next) for row in TRANSITIONS}
    for event in events:
        assert (state.status, type(command), type(event), evolve(state, event, command.now).status) in rows


@given(logs(min_size=1), st.data())
def test_nothing_follows_a_final_event(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    assert not any(recorded.snapshot().is_final for recorded in log[:-1])
    if log[-1].snapshot().is_final:
        assert carried_out(data.draw(commands(log[-1].snapshot())), Head.of(log[-1])) == []


@given(strategies.states, strategies.events, strategies.instants)
def test_folding_an_event_raises_nothing_but_undecodable(state: RequestState, event: Event, at: Any) -> None:
    try:
        after = evolve(state, event, at)
    except Undecodable:
        return
    assert after.updated_at == at


@given(strategies.events)
def test_an_event_survives_the_trip_through_the_log(event: Event) -> None:
    stored = exact_json.encode(event.data())
    written = RecordedEvent("r", 1, "e", event.type, 1, "", "t", "u", "", "", stored, "{}", b"")
    assert written.event() == event


@given(logs())
def test_the_fold_of_any_prefix_is_the_snapshot_stored_with_its_last_event(log: Sequence[RecordedEvent]) -> None:
    for end in range(len(log)):
        prefix = log[: end + 1]
        assert fold((recorded.event(), from_text(recorded.at)) for recorded in prefix) == log[end].snapshot()


@given(strategies.states)
def test_a_snapshot_survives_the_trip_through_text(state: RequestState) -> None:
    assert RequestState.of(exact_json.encode(state.snapshot())) == state


@given(logs(min_size=4))
def test_percent_is_a_percentage_and_never_falls_within_an_attempt(log: Sequence[RecordedEvent]) -> None:
    states = [recorded.snapshot() for recorded in log]
    for before, after in pairwise(states):
        assert 0 <= after.percent <= 100
        assert after.percent >= before.percent or after.attempt == before.attempt + 1


@given(logs(min_size=4))
def test_attempts_are_numbered_without_a_gap_up_to_the_most(log: Sequence[RecordedEvent]) -> None:
    started = [event.attempt for recorded in log if isinstance(event := recorded.event(), AttemptStarted)]
    assert started == list(range(1, len(started) + 1))
    assert len(started) <= log[-1].snapshot().max_attempts


@given(logs(min_size=1))
def test_a_request_that_waits_has_no_open_cancel(log: Sequence[RecordedEvent]) -> None:
    state = log[-1].snapshot()
    assert not (state.cancel_requested and state.status in {Status.PENDING, Status.RETRYING})


@given(logs(min_size=1), st.data())
def test_a_command_of_another_attempt_changes_nothing(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    head = Head.of(log[-1])
    other = (head.state.attempt + data.draw(st.integers(1, 4))) % 5
    assert carried_out(replace(data.draw(worker_commands), attempt=other), head) == []


@given(logs(min_size=1))
def test_versions_are_contiguous_and_the_chain_is_whole(log: Sequence[RecordedEvent]) -> None:
    assert [recorded.version for recorded in log] == list(range(1, len(log) + 1))
    assert first_break(log) is None


@given(logs(min_size=1))
def test_only_one_of_two_workers_gets_a_request(log: Sequence[RecordedEvent]) -> None:
    head = Head.of(log[-1])
    now = max(head.state.due_at, START)
    first = carried_out(Start(now=now, worker_id="new-1", lease_until=now), head)
    if first:
        assert carried_out(Start(now=now, worker_id="new-2", lease_until=now), Head.of(first[0])) == []
