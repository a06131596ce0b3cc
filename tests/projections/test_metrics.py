"""The metrics view: every event counts once."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.commands import AppendOutput, Cancel, Complete, FailAttempt, Start, Submit
from domain.events import EVENTS, Failure
from domain.instant import epoch_seconds
from domain.recorded import RecordedEvent
from domain.state import Status
from projections.cursor import Cursor
from projections.intents import Add, View, merged
from projections.metrics import (
    COUNTED,
    KEPT,
    NAMES,
    add,
    change_of,
    finest,
    project,
    scopes_of,
    shown,
    totals,
    touches,
)
from tests.spec import Tables, life
from tests.strategies import START, logs

MS = timedelta(milliseconds=1)
MINUTE = "2026-01-01T00:00"
SUBMITTED = {"submitted": 1, "queued_change": 1, "messages": 1}
CANCELLED = {"cancelled": 1, "queued_change": -1, "messages": 1}
SUBMIT = Submit(now=START, action="echo", digest="d")


def counts_of(event: RecordedEvent, status: Status | None = None) -> dict[str, int]:
    """What an event adds to its minute, without how it moves the gauges."""
    counts = project([event], Cursor(event.version - 1, status, event.version - 1))[0].counts
    return {name: count for name, count in counts.items() if name != "messages" and not name.endswith("_change")}


@given(logs(min_size=1), st.lists(st.integers(0, 20), max_size=6))
def test_each_event_counts_once_for_tenant_and_action_however_it_is_delivered(
    log: Sequence[RecordedEvent], cuts: list[int]
) -> None:
    tables = Tables()
    for cut in cuts:
        tables.deliver(log[: 1 + cut % len(log)])
    tables.deliver(log)
    expected = Counter(COUNTED[recorded.type] for recorded in log if recorded.type in COUNTED)
    for scope in scopes_of("acme", log[0].snapshot().action):
        rows = [counts for (row_scope, _), counts in tables.counts.items() if row_scope == scope]
        summed = totals(rows)
        assert {name: summed[name] for name in COUNTED.values()} == {name: expected[name] for name in COUNTED.values()}
        for name in ("wait", "run"):
            buckets = sum(count for key, count in summed.items() if key.startswith(f"{name}_ms_le_"))
            attempts = expected["started"] - (log[-1].snapshot().status is Status.PROCESSING)
            assert buckets == (expected["started"] if name == "wait" else attempts)
        assert summed["messages"] == max((recorded.version for recorded in log if touches(recorded)), default=0)


@given(logs(min_size=1))
def test_an_event_changes_counts_exactly_when_it_is_said_to(log: Sequence[RecordedEvent]) -> None:
    for recorded in log:
        assert bool(project([recorded])) == touches(recorded)


def test_everything_is_counted_but_progress_leases_and_the_wish_to_cancel() -> None:
    assert set(EVENTS) - set(COUNTED) == {"ProgressReported", "LeaseRenewed", "CancelRequested"}
    assert len(set(COUNTED.values())) == len(COUNTED)


def test_the_rows_are_those_of_the_events_minute_and_kept_for_a_month() -> None:
    adds = project(life(SUBMIT))
    assert [intent.key for intent in adds] == [
        {"scope": "acme", "minute": MINUTE},
        {"scope": "acme#echo", "minute": MINUTE},
    ]
    assert all(intent.view is View.METRICS and intent.counts == SUBMITTED for intent in adds)
    assert timedelta(days=30) == KEPT
    assert {intent.attributes["expires_at"] for intent in adds} == {epoch_seconds(START + KEPT)}


def test_events_of_two_minutes_go_to_two_rows() -> None:
    log = life(SUBMIT, Cancel(now=START + timedelta(minutes=1), by="ann"))
    assert [(i.key["scope"], i.key["minute"][-2:], dict(i.counts)) for i in project(log)] == [
        ("acme", "00", SUBMITTED),
        ("acme#echo", "00", SUBMITTED),
        ("acme", "01", CANCELLED),
        ("acme#echo", "01", CANCELLED),
    ]


def test_the_wait_counts_from_when_a_request_was_due() -> None:
    error = Failure(code="RETRY")
    log = life(
        Submit(now=START, action="echo", digest="d", delay=500 * MS),
        Start(now=START + 600 * MS, worker_id="w", lease_until=START),
        FailAttempt(now=START + 630 * MS, attempt=1, error=error, retryable=True, jitter=0, after=70 * MS),
        Start(now=START + 750 * MS, worker_id="w2", lease_until=START),
        FailAttempt(now=START + 760 * MS, attempt=2, error=error, retryable=False, jitter=0),
    )
    running = Status.PROCESSING
    assert counts_of(log[1]) == {"started": 1, "wait_ms_sum": 100, "wait_ms_le_107": 1}
    assert counts_of(log[2], running) == {"retried": 1, "run_ms_sum": 30, "run_ms_le_32": 1}
    assert counts_of(log[3]) == {"started": 1, "wait_ms_sum": 50, "wait_ms_le_53": 1}
    assert counts_of(log[4], running) == {"failed": 1, "run_ms_sum": 10, "run_ms_le_11": 1}
    assert counts_of(log[4], Status.RETRYING) == {"failed": 1}


def test_a_clock_that_went_back_makes_no_negative_duration() -> None:
    begin = Start(now=START + timedelta(seconds=1), worker_id="w", lease_until=START)
    completed = life(SUBMIT, begin, Complete(now=START, attempt=1))[2]
    assert counts_of(completed, Status.PROCESSING) == {"completed": 1, "run_ms_sum": 0, "run_ms_le_1": 1}


def test_outputs_count() -> None:
    begin = Start(now=START, worker_id="w", lease_until=START)
    assert counts_of(life(SUBMIT, begin, AppendOutput(now=START, attempt=1, index=0, chunk=1))[2]) == {"outputs": 1}


scopes = st.sampled_from(["acme", "acme#echo", "umbrella"])
minutes = st.sampled_from([f"2026-01-01T00:0{n}" for n in range(3)])
counts = st.dictionaries(st.sampled_from(["submitted", "run_ms_sum"]), st.integers(0, 9), min_size=1)


@given(st.lists(st.builds(add, scopes, minutes, counts)))
def test_merging_leaves_one_addition_a_row_and_the_same_sums(adds: list[Add]) -> None:
    def sums(intents: list[Add]) -> dict[tuple[str, ...], Counter[str]]:
        found: dict[tuple[str, ...], Counter[str]] = {}
        for intent in intents:
            found.setdefault(tuple(intent.key.values()), Counter()).update(intent.counts)
        return found

    together = merged(adds)
    keys = [tuple(intent.key.values()) for intent in together]
    assert len(set(keys)) == len(keys)
    assert sums(together) == {key: +row for key, row in sums(adds).items() if +row}
    assert all(intent == add(intent.key["scope"], intent.key["minute"], intent.counts) for intent in together)


def test_totals_name_everything_that_is_counted_and_skip_what_is_no_count() -> None:
    assert totals([]) == dict.fromkeys(NAMES, 0)
    rows: list[dict[str, Any]] = [{"at": "x", "submitted": 2, "connected": 1}, {"at": "y", "submitted": 3}]
    assert totals(rows) == {**dict.fromkeys(NAMES, 0), "submitted": 5, "connected": 1}


@st.composite
def minute_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows by the minute, in order, over some days."""
    offsets = sorted(draw(st.sets(st.integers(0, 5 * 24 * 60), max_size=12)))
    starts = [START + timedelta(minutes=offset) for offset in offsets]
    return [{"at": f"{start.isoformat()[:16]}:00.000Z", **draw(counts)} for start in starts]


@given(minute_rows(), st.integers(1, 12))
def test_rows_rolled_up_have_the_same_sums_and_are_as_fine_as_can_be(rows: list[dict[str, Any]], most: int) -> None:
    rolled = finest(rows, most)
    assert totals(rolled) == totals(rows)
    per = {row["per"] for row in rolled}
    assert len(per) <= 1
    lengths = {"minute": 16, "hour": 13, "day": 10}
    sizes = {name: len({row["at"][:length] for row in rows}) for name, length in lengths.items()}
    fitting = [name for name in lengths if sizes[name] <= most] or ["day"]
    assert per <= {fitting[0]}
    assert [row["at"] for row in rolled] == sorted({row["at"] for row in rolled})


def test_a_rolled_up_row_is_named_by_the_instant_it_starts() -> None:
    rows = [{"at": f"2026-01-01T{hour}:{minute}:00.000Z", "n": 1} for hour in ("01", "02") for minute in ("07", "08")]
    assert finest(rows, 4)[0] == {"at": "2026-01-01T01:07:00.000Z", "per": "minute", "n": 1}
    assert finest(rows, 2)[0] == {"at": "2026-01-01T01:00:00.000Z", "per": "hour", "n": 2}
    assert finest(rows, 1) == [{"at": "2026-01-01T00:00:00.000Z", "per": "day", "n": 4}]
    assert finest([], 1) == []


def test_the_gauges_are_told_as_they_were_at_the_end_of_each_row() -> None:
    rows: list[dict[str, Any]] = [
        {"at": "a", "submitted": 3, "queued_change": 3, "connected": 2},
        {"at": "b", "started": 2, "queued_change": -2, "running_change": 2, "wait_ms_le_8": 2},
        {"at": "c", "completed": 1, "running_change": -1, "disconnected": 1},
    ]
    told = shown(rows, {"queued": 1, "running": 1, "connections": 1})
    assert [(row["queued"], row["running"], row["connections"]) for row in told] == [(3, 0, 2), (1, 2, 2), (1, 1, 1)]
    assert told[1] == {"at": "b", "started": 2} | {
        "wait_ms_p50": 7,
        "wait_ms_p95": 7,
        "wait_ms_p99": 7,
        "queued": 1,
        "running": 2,
        "connections": 2,
    }
    assert change_of(rows[2], "connections") == -1
