"""The recorded event: what the chain of hashes finds, and what a reader cannot read."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain import exact_json
from domain.commands import Submit
from domain.errors import InvalidJson, Undecodable
from domain.events import AttemptStarted, OutputAppended, ProgressReported, RequestCancelled, event_of
from domain.exact_json import EVENT_DEPTH, FRAME_DEPTH, MAX_DEPTH
from domain.protocol import EventsPush, HistoryPage, server_frame
from domain.recorded import Head, Origin, RecordedEvent, first_break, record
from domain.request import decide
from domain.state import RequestState, Status
from tests.strategies import ORIGIN, START, logs

NAMES = RecordedEvent.__struct_fields__


def submitted(payload: Any = None) -> RecordedEvent:
    (event,) = decide(Submit(now=START, action="echo", digest="d", payload=payload), RequestState())
    return record(event, Head("r-1"), START, "e-1", ORIGIN)


def changed(event: RecordedEvent, name: str, value: Any) -> RecordedEvent:
    fields: dict[str, Any] = {name: value}
    return replace(event, **fields)


@given(logs(min_size=2), st.data())
def test_a_change_of_any_field_is_found_where_it_was_made(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(log) - 1))
    name = data.draw(st.sampled_from(NAMES))
    old = getattr(log[place], name)
    new = data.draw({int: st.integers(), bytes: st.binary(), str: st.text(st.characters(codec="utf-8"))}[type(old)])
    assume(new != old)
    altered = [*log]
    altered[place] = changed(log[place], name, new)
    assert first_break(altered) == place + 1


@pytest.mark.parametrize("name", NAMES)
def test_the_hash_covers_every_field_but_itself(name: str) -> None:
    event = submitted()
    value = getattr(event, name)
    altered = changed(event, name, value + {int: 1, bytes: b"x", str: "x"}[type(value)])
    assert (altered.computed_hash() != event.hash) == (name != "hash")
    assert first_break([altered]) == 1


@given(logs(min_size=3), st.data())
def test_a_missing_event_is_found(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    assume(len(log) > 1)
    place = data.draw(st.integers(0, len(log) - 2))
    assert first_break([*log[:place], *log[place + 1 :]]) == place + 1


@given(logs(min_size=3), st.data())
def test_events_in_another_order_are_found(log: Sequence[RecordedEvent], data: st.DataObject) -> None:
    order = data.draw(st.permutations(log))
    moved = [version for version, (was, now) in enumerate(zip(log, order, strict=True), start=1) if was != now]
    assert first_break(order) == (moved[0] if moved else None)


def test_a_sealed_event_of_another_past_does_not_fit() -> None:
    first = submitted()
    other = Head.of(submitted({"another": "payload"}))
    second = record(RequestCancelled(by="ann"), other, START, "e-2", ORIGIN)
    assert first_break([first, second]) == 2


def test_a_log_that_begins_late_is_broken_at_its_start() -> None:
    (event,) = decide(Submit(now=START, action="echo", digest="d"), RequestState())
    assert first_break([record(event, Head("r-1", version=4), START, "e-1", ORIGIN)]) == 1


def test_an_empty_log_is_whole() -> None:
    assert first_break([]) is None


def test_a_head_goes_on_from_the_newest_event() -> None:
    event = submitted()
    head = Head.of(event)
    assert (head.request_id, head.version, head.hash) == ("r-1", 1, event.hash)
    assert head.state.status is Status.PENDING
    assert head.origin == Origin("acme", "ann", "c-1", causation_id="e-1")


def test_an_event_carries_where_it_comes_from() -> None:
    event = submitted()
    known = (event.tenant_id, event.user_id, event.correlation_id, event.causation_id, event.event_id, event.schema)
    assert known == ("acme", "ann", "c-1", "f-1", "e-1", 1)
    assert event.shown() == {
        "version": 1,
        "type": "RequestSubmitted",
        "at": "2026-01-01T00:00:00.000Z",
        "data": event.event().data(),
    }


def test_an_event_is_recorded_at_the_millisecond_and_its_state_too() -> None:
    (event,) = decide(Submit(now=START, action="echo", digest="d"), RequestState())
    recorded = record(event, Head("r-1"), START + timedelta(microseconds=1999), "e-1", ORIGIN)
    assert recorded.at == "2026-01-01T00:00:00.001Z"
    assert recorded.snapshot().submitted_at == START + timedelta(milliseconds=1)


@pytest.mark.parametrize(("name", "schema"), [("Vanished", 1), ("ProgressReported", 0), ("ProgressReported", 2)])
def test_an_event_of_an_unknown_type_or_schema_is_undecodable(name: str, schema: int) -> None:
    with pytest.raises(Undecodable):
        event_of(name, schema, '{"percent":5}')


@pytest.mark.parametrize("data", ["", "[]", "null", "{}", '{"percent":101}', '{"percent":NaN}', '{"percent":"x"}'])
def test_data_that_does_not_fit_its_type_is_undecodable(data: str) -> None:
    broken = replace(submitted(), type="ProgressReported", data=data)
    with pytest.raises(Undecodable):
        broken.event()


@pytest.mark.parametrize("data", ["", "[]", "null"])
def test_data_that_is_no_object_is_not_shown(data: str) -> None:
    with pytest.raises(Undecodable):
        replace(submitted(), data=data).shown()


@pytest.mark.parametrize(
    "state",
    [
        *("", "[]", '{"status":"LOST"}', '{"error":{}}'),
        *(
            '{"due_at":"x"}',
            '{"due_at":1}',
            '{"due_at":"2026-01-01T00:00:00"}',
            '{"due_at":"2026-01-01T00:00:00+02:00"}',
        ),
    ],
)
def test_a_snapshot_that_makes_no_state_is_undecodable(state: str) -> None:
    with pytest.raises(Undecodable):
        replace(submitted(), state=state).snapshot()


def test_fields_of_newer_code_are_ignored() -> None:
    assert event_of("ProgressReported", 1, '{"percent":5,"colour":"red"}') == ProgressReported(percent=5)
    assert RequestState.of('{"status":"PENDING","colour":"red"}') == RequestState(status=Status.PENDING)


def test_an_older_schema_is_brought_up_to_todays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.events.SCHEMA", 3)
    upcast = {("ProgressReported", 1): lambda data: {"percent": data["share"] * 100}}
    monkeypatch.setattr("domain.events.SCHEMAS", upcast)
    assert event_of("ProgressReported", 1, '{"share":0.5}') == ProgressReported(percent=50)
    assert event_of("ProgressReported", 3, '{"percent":7}') == ProgressReported(percent=7)


def test_clients_never_see_digest_worker_or_lease() -> None:
    kept = {"status": "PROCESSING", "digest": "d", "worker_id": "w", "lease_until": "2026-01-01T00:00:00Z"}
    shown = RequestState.of(exact_json.encode(kept)).public()
    assert shown == {"status": "PROCESSING", "attempt": 0, "percent": 0.0}


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_an_event_deeper_than_can_be_read_is_not_recorded() -> None:
    with pytest.raises(InvalidJson):
        submitted(nested(EVENT_DEPTH))
    assert submitted(nested(EVENT_DEPTH - 1)).event().type == "RequestSubmitted"
    with pytest.raises(InvalidJson):
        submitted((nested(EVENT_DEPTH - 1),))


def test_what_may_be_recorded_fits_every_frame_that_shows_it() -> None:
    assert FRAME_DEPTH < EVENT_DEPTH < MAX_DEPTH
    shown = submitted(nested(EVENT_DEPTH - 1)).shown()
    assert server_frame(HistoryPage(request_id="r", events=[shown]).encode()).type == "history"
    assert server_frame(EventsPush(items=[{"event": shown}]).encode()).type == "events"


def test_half_of_a_surrogate_pair_is_not_recorded() -> None:
    with pytest.raises(InvalidJson):
        submitted("\ud800")


def test_the_chunk_of_an_output_may_be_anything_that_json_holds() -> None:
    assert OutputAppended(index=0, chunk=[1, {"a": None}]).data() == {"index": 0, "chunk": [1, {"a": None}]}


def test_what_an_action_noted_for_itself_is_not_shown() -> None:
    head = Head.of(submitted())
    head = Head.of(record(AttemptStarted(attempt=1, worker_id="w", lease_until=START), head, START, "e-2", ORIGIN))
    saved = record(ProgressReported(percent=10, checkpoint={"row": 1}), head, START, "e-3", ORIGIN)
    assert saved.event() == ProgressReported(percent=10, checkpoint={"row": 1})
    assert saved.shown()["data"] == {"percent": 10.0}


def test_an_event_of_a_type_that_nobody_knows_is_shown_as_it_is() -> None:
    assert replace(submitted(), type="Unheard").shown()["data"]["action"] == "echo"
