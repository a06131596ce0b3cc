"""The requests view: one row a request, and its place in the queue."""

from collections.abc import Sequence
from datetime import timedelta
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.commands import Submit
from domain.instant import epoch_seconds
from domain.recorded import Head, RecordedEvent, record
from domain.request import decide
from domain.state import INITIAL, RequestState, Status
from projections.intents import View
from projections.metrics import COUNTED
from projections.requests import project, queue_key, shard_of, status_shard
from tests.spec import Tables
from tests.strategies import ORIGIN, START, logs

SECOND = timedelta(seconds=1)


def waiting(priority: int = 5, due: timedelta = timedelta(0), status: Status = Status.PENDING) -> RequestState:
    return RequestState(status=status, priority=priority, submitted_at=START, due_at=START + due)


@given(logs(min_size=1), st.lists(st.tuples(st.integers(0), st.integers(1, 5)), max_size=8))
def test_the_row_is_the_fold_of_the_log_however_the_log_is_delivered(
    log: Sequence[RecordedEvent], windows: list[tuple[int, int]]
) -> None:
    tables = Tables()
    reached = 0
    for start, length in windows:
        first = min(start % len(log), reached)
        tables.deliver(log[first : first + length])
        reached = max(reached, first + length)
    tables.deliver(log)
    row = tables.rows["r-1"]
    assert row["version"] == len(log)
    assert row["state"] == log[-1].state
    assert row == Tables().deliver(log, times=1).rows["r-1"]


def test_a_new_row_tells_whose_it_is_and_when_it_may_go() -> None:
    submit = Submit(now=START, action="echo", digest="d", connection_id="c-1")
    log = [record(decide(submit, INITIAL)[0], Head("r-1"), START, "e-1", ORIGIN)]
    put = project(0, log, shards=4)
    assert (put.view, put.key, put.after) == (View.REQUESTS, {"request_id": "r-1"}, 0)
    assert put.attributes == {
        "tenant_id": "acme",
        "user_key": "acme#ann",
        "user_id": "ann",
        "action": "echo",
        "submitted_at": "2026-01-01T00:00:00.000Z",
        "connection_id": "c-1",
        "expires_at": epoch_seconds(START + timedelta(days=7)),
        "removed_at": epoch_seconds(START + timedelta(days=14)),
        "ends_by": None,
        "version": 1,
        "counted": 1,
        "status": "PENDING",
        "state": log[0].state,
        "status_shard": f"PENDING#{shard_of('r-1', 4)}",
        "queue_key": "2026-01-01T00:00:00.000Z",
        "queue_shard": f"ready#{crc32(b'acme') % 4}",
        "turn": f"{crc32(b'acme'):08x}#acme#4#2026-01-01T00:00:00.000Z",
    }


@given(logs(min_size=3))
def test_a_later_write_names_only_what_changes_and_the_version_it_follows(log: Sequence[RecordedEvent]) -> None:
    put = project(len(log) - 1, log[-1:], shards=4)
    if len(log) > 1:
        assert put.after == len(log) - 1
        counted = {"counted"} if log[-1].type in COUNTED else set()
        names = {"version", "status", "state", "status_shard", "queue_key", "queue_shard", "turn"}
        assert set(put.attributes) == counted | names
        assert put.attributes["state"] == log[-1].state


def test_a_log_that_does_not_begin_with_a_submission_has_no_connection() -> None:
    submit = Submit(now=START, action="echo", digest="d", connection_id="c-1")
    begun = record(decide(submit, INITIAL)[0], Head("r-1"), START, "e-1", ORIGIN)
    renewed = replace(begun, type="LeaseRenewed", data='{"lease_until":"2026-01-01T00:00:00.000Z"}')
    assert project(0, [renewed], shards=4).attributes["connection_id"] is None


@pytest.mark.parametrize(
    ("state", "key"),
    [
        (waiting(9), "2026-01-01T00:00:00.000Z"),
        (waiting(9, timedelta(milliseconds=1)), "2026-01-01T00:00:00.001Z"),
        (waiting(9, 2 * SECOND, Status.RETRYING), "2026-01-01T00:00:02.000Z"),
        (RequestState(status=Status.PROCESSING, lease_until=START + SECOND), "2026-01-01T00:00:01.000Z"),
        (RequestState(status=Status.COMPLETED, updated_at=START), "2026-01-01T00:00:00.000Z"),
        (RequestState(status=Status.FAILED, updated_at=START), "2026-01-01T00:00:00.000Z"),
        (RequestState(status=Status.CANCELLED, updated_at=START), "2026-01-01T00:00:00.000Z"),
    ],
)
def test_a_request_has_its_place_among_those_of_its_status(state: RequestState, key: str) -> None:
    assert queue_key(state) == key


@given(st.text(st.characters(codec="utf-8")), st.integers(1, 64))
def test_a_shard_is_one_of_so_many_and_always_the_same(name: str, shards: int) -> None:
    assert 0 <= shard_of(name, shards) < shards
    assert shard_of(name, shards) == shard_of(name, shards)


def test_requests_of_a_status_spread_over_its_shards() -> None:
    assert {shard_of(f"r-{n}", 4) for n in range(100)} == {0, 1, 2, 3}
    assert status_shard(Status.PENDING, 3) == "PENDING#3"
    assert shard_of("r-1", 4) == 1  # what is stored under a shard must be found there by every later release
